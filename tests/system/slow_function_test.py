#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a slow window function, and one that never returns, do not stop, with workers on threads of their own: appends and
acknowledgements go on while a call lasts, and jobs of other workers are made, run, described and deleted. What has to wait for
a stuck worker is told so."""
import json
import os
import signal
import sys
import time

from penstock_daemon import ControlError, Daemon, produce, tool

THREADS = ['lcores.share=none', 'batcher.workers=2']
SLEEP_MS, RECORDS, HELD_UP, SECONDS = 4000, 20000, 79, 30


def job(daemon, name, function, **more):
    if 'plugin' in function:
        function = {'plugin': os.path.join(os.path.dirname(os.path.abspath(tool('produce_check'))), function['plugin'])}
    return daemon.call('job.create', text=json.dumps({'name': name, 'topics': ['t'], 'start': 'earliest', 'batch_interval': '100ms',
                                                      'function': function, 'sinks': ['print'], **more}))


def described(daemon, name, wanted):
    """Waits until `wanted` is true of the job's description."""
    until = time.monotonic() + SECONDS
    while not wanted(answer := daemon.call('job.describe', job=name)):
        assert time.monotonic() < until, answer
        time.sleep(0.02)
    return answer


def refused_stuck(call, *words):
    since = time.monotonic()
    try:
        call()
    except ControlError as error:
        assert error.kind == 'worker_stuck' and all(word in str(error) for word in words), error
        assert time.monotonic() - since < 10, 'answered late'
        return
    raise AssertionError('not refused')


def slow():
    with Daemon(*THREADS) as daemon:
        daemon.call('topic.create', topic='t', partitions=2)
        produce(daemon, 't', 2, 1, 1, 100)
        job(daemon, 'sleeps', {'plugin': 'sleeping.so'}, params={'sleep_ms': str(SLEEP_MS)}, task_timeout='60s')
        since = time.monotonic()
        described(daemon, 'sleeps', lambda answer: answer['counters']['open_records'] == 1)  # it is in its call
        report = produce(daemon, 't', 2, 2, RECORDS, 100)
        seen = described(daemon, 'sleeps', lambda answer: answer['lag_records'] or answer['counters']['window_records'])
        if time.monotonic() - since < SLEEP_MS / 2000:  # all of it was acknowledged within the first call
            assert seen['counters']['window_records'] == 0 and seen['state'] == 'running', seen
        assert report['durable'] == RECORDS and report['ack_p999_us'] < SLEEP_MS * 500, report
        daemon.check_lossless(sessions=3)
        described(daemon, 'sleeps', lambda answer: answer['counters']['window_records'] == RECORDS + 1)
        assert daemon.stop() == 0, daemon.log()


def stuck():
    with Daemon('drain.deadline=300ms', *THREADS) as daemon:
        daemon.call('topic.create', topic='t', partitions=2)
        report = produce(daemon, 't', 2, 1, RECORDS, 100)
        job(daemon, 'loops', {'plugin': 'looping.so'}, task_timeout='200ms')
        described(daemon, 'loops', lambda answer: answer['state'] == 'stuck')
        # The other worker is as ever, and so is the log.
        for name in ('one', 'two', 'three'):
            job(daemon, name, {'builtin': 'digest'})
            described(daemon, name, lambda answer: answer['window_digest'] == report['digest'])
        daemon.call('job.delete', job='two')
        again = produce(daemon, 't', 2, 1, RECORDS, 100)
        assert again['durable'] == RECORDS, again
        described(daemon, 'three', lambda answer: answer['counters']['window_records'] == 2 * RECORDS)
        # What needs the stuck one is told, and no worker is left once the other is stuck too.
        refused_stuck(lambda: daemon.call('job.delete', job='loops'), 'the job is deleted when it does')
        job(daemon, 'loops-too', {'plugin': 'looping.so'}, task_timeout='200ms')
        described(daemon, 'loops-too', lambda answer: answer['state'] == 'stuck')
        assert 'function of job \"loops-too\"' in described(daemon, 'three', lambda answer: answer['state'] == 'stuck')['reason']
        refused_stuck(lambda: job(daemon, 'four', {'builtin': 'count'}), 'no worker is left, and nothing was changed')
        refused_stuck(lambda: daemon.call('job.delete', job='three'), 'function of job')
        assert {row['job'] for row in daemon.call('job.list')['jobs']} == {'loops', 'one', 'three', 'loops-too'}
        daemon.hang_up()
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(60) == HELD_UP, daemon.log()


def main():
    slow()
    stuck()
    print('slow and stuck functions: acknowledgements and the jobs of other workers go on, the rest is told')


if __name__ == '__main__':
    sys.exit(main())
