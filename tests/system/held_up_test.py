#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A window function that never returns: the job is stuck and named, a stop ends all the same, nothing acknowledged is lost.

Once with everything on one lcore, where the function takes the log and the lanes with it, and once with threads of their
own, where the log has to be sealed as ever.
"""
import json
import os
import signal
import sys
import time

from penstock_daemon import ControlError, Daemon, log_check, produce, tool

RECORDS, HELD_UP = 2000, 79


def stuck(daemon, seconds=60):
    """Waits until the job is told to be stuck; returns its description."""
    until = time.monotonic() + seconds
    while (job := daemon.call('job.describe', job='looping'))['state'] != 'stuck':
        assert time.monotonic() < until, job
        time.sleep(0.05)
    return job


def changes_of_topics(daemon, alone):
    """The log turns, or its lcore is the one that is held: then the change is left to it, and the asker told."""
    for method, more in (('topic.create', {'topic': 'more'}), ('topic.alter', {'topic': 'lines', 'configs': {'segment.ms': '86400000'}})):
        try:
            assert daemon.call(method, **more)['topic'] == more['topic'] and alone
        except ControlError as error:
            assert not alone and error.kind == 'unresponsive' and error.data['lcore'] == 0 and error.data['last_seen_ms'] >= 1000, error
            assert f'{more["topic"]}\\": lcore 0 (' in str(error) and 'carried out when it turns again' in str(error), error


def held_up(*settings):
    with Daemon('drain.deadline=300ms', *settings) as daemon:
        report = produce(daemon, 'lines', 1, 1, RECORDS, 100)
        assert report['durable'] == RECORDS, report
        daemon.call('job.create', text=json.dumps({
            'name': 'looping', 'topics': ['lines'], 'start': 'earliest', 'batch_interval': '100ms', 'task_timeout': '200ms',
            'function': {'plugin': os.path.join(os.path.dirname(tool('produce_check')), 'looping.so')}}))
        job = stuck(daemon)
        health = daemon.call('health.get')
        assert not health['live'] and not health['ready'], health
        for text in (job['reason'], health['reasons'][0]):
            assert 'lcore ' in text and 'job "looping" has not come back from window [' in text, text
        changes_of_topics(daemon, alone=bool(settings))
        daemon.hang_up()
        daemon.process.send_signal(signal.SIGTERM)
        code = daemon.process.wait(60)
        assert code == HELD_UP, f'exit {code}\n{daemon.log()}'
        assert 'jobs are not closed in time' in daemon.log() and 'job "looping" has not come back' in daemon.log(), daemon.log()
        sealed = 'log not sealed in time' not in daemon.log()
        found = log_check(daemon, 'lines')
        assert found['records'] == RECORDS, found
        daemon.start()
        assert daemon.call('health.wait', ready=True, timeout_ms=30000)['ready']
        assert daemon.stop() == 0, daemon.log()
        return sealed


def main():
    held_up()
    assert held_up('lcores.share=none'), 'the log has threads of its own and was not sealed'
    print('a function that never returns: named, exit 79, nothing lost')


if __name__ == '__main__':
    sys.exit(main())
