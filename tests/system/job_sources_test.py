#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a job reads: a topic that is deleted under it, and made again under the same name."""
import json
import os
import sys
import time

from penstock_daemon import Daemon, DigestJob, produce, tool

RECORDS, AGAIN, SECONDS = 20000, 1000, 30
THREADS = ['lcores.share=none', 'batcher.workers=4']


def plugin(name):
    return os.path.join(os.path.dirname(os.path.abspath(tool('produce_check'))), name)


def job(daemon, name, function, interval='100ms', **more):
    daemon.call('job.create', text=json.dumps({'name': name, 'topics': ['t'], 'start': 'earliest', 'batch_interval': interval,
                                               'function': function, **more}))


def failed(daemon, name):
    until = time.monotonic() + SECONDS
    while (answer := daemon.call('job.describe', job=name))['state'] != 'failed':
        assert time.monotonic() < until, answer
        time.sleep(0.05)
    return answer


def pins(daemon):
    return sum(row['value'] for row in daemon.call('metric.get', names=['penstock_log_pins'])['series'])


def deleted_topic(*settings):
    with Daemon(*settings) as daemon:
        daemon.call('topic.create', topic='t', partitions=2)
        produce(daemon, 't', 2, 1, RECORDS, 100)
        names = ['busy', 'waits']
        job(daemon, 'busy', {'builtin': 'count'})
        job(daemon, 'waits', {'builtin': 'count'}, '1h')  # its next tick is far away
        if settings:
            names.append('sleeps')  # holds pins while the topic goes
            job(daemon, 'sleeps', {'plugin': plugin('sleeping.so')}, params={'sleep_ms': '3000'})
            until = time.monotonic() + SECONDS
            while not pins(daemon):
                assert time.monotonic() < until, 'the function is not called'
        daemon.call('topic.delete', topic='t')
        for name in names:
            answer = failed(daemon, name)
            assert answer['reason'].startswith('source_deleted: topic "t" was deleted'), answer
            assert f'penstock job delete {name} --yes' in answer['reason'], answer
        until = time.monotonic() + SECONDS
        while pins(daemon):  # given back by a ring, counted by the log lcore's next turn
            assert time.monotonic() < until, 'a pin stays'
            time.sleep(0.05)
        daemon.call('topic.create', topic='t', partitions=2)
        report = produce(daemon, 't', 2, 1, AGAIN, 100)
        for name in names:
            assert daemon.call('job.describe', job=name)['state'] == 'failed'
            daemon.call('job.delete', job=name)
        windowed = DigestJob(daemon, 'busy', 't').drained()
        assert windowed['records'] == AGAIN and windowed['digest'] == report['digest'], (windowed, report)
        assert daemon.stop() == 0, daemon.log()


def main():
    deleted_topic()
    deleted_topic(*THREADS)
    print('a topic that goes: its jobs end with a reason, no pin stays, its successor is read by new jobs only')


if __name__ == '__main__':
    sys.exit(main())
