#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sent = logged = windowed, by content hash, over one link: 4 producers at once, 16 partitions, records of 100 B and of
1,000 B; order and absence of duplicates per producer and partition from the producers' own numbers; the ledger to the record.
Then the same log after a restart.

  path_test.py LINK [--faults] [--records N] [--bytes B]... [--seed S] [--spread] [--alter]

--faults: 1 % loss, 1 % duplication and 1 % reordering, each way, by the decorator over the daemon's queue, and what it did is in the ledger.
--alter: the topic's settings are altered all the while.
--spread: two lanes, two shards, two workers, every poller on a thread of its own; only over a link that brings each datagram to its lane.
"""
import argparse
import concurrent.futures
import contextlib
import os
import sys
import threading

from links import LINKS, Skip
from penstock_daemon import Control, Daemon, DigestJob, log_check, produce

PARTITIONS, PRODUCERS = 16, 4
SPREAD = ['lcores.share=none', 'log.shards=2', 'batcher.workers=2']
SPREAD_LANES = 2


@contextlib.contextmanager
def altered(daemon):
    """While it lasts, settings that lanes look at go to and fro, none of which refuses a record."""
    control, over = Control(os.path.join(daemon.state, 'ctl.sock')), threading.Event()

    def alter():
        count = 0
        while not over.is_set():
            count += 1
            control.call('topic.alter', topic='path', configs={'max.message.bytes': str(1048588 + count % 2),
                                                               'message.timestamp.after.max.ms': str(3600000 + count % 2)})
        return count

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        altering = pool.submit(alter)
        try:
            yield
        finally:
            over.set()
        assert altering.result() > 1
    control.close()


def send(daemon, link, records, size, faults):
    report = produce(daemon, 'path', PARTITIONS, PRODUCERS, records, size, *link.producer_words(faults),
                     prefix=link.producer_prefix, bootstrap=link.bootstrap(daemon))
    assert report['sent'] == report['durable'] == records, report
    return report


def check_counters(daemon, link, report, faults):
    """The ledger to the record: what was stored is what was sent, and it names every packet that got lost."""
    counters = daemon.check_ledger()
    stored = [c['stored_records'] for c in counters]
    assert sum(stored) == report['sent'] and len(stored) == link.queues and min(stored) > 0, (stored, report)
    link.check(daemon, report)
    if not faults:
        daemon.check_lossless(sessions=PRODUCERS, allowed=link.allowed)
        return
    terms = [t for lane in daemon.call('drop.list')['lanes'] for e in lane['equations'] for t in e['terms']]
    value = {name: sum(t['value'] for t in terms if t['name'] == name)
             for name in (f'fault_{way}{deed}' for way in ('', 'tx_') for deed in ('lost', 'duplicated', 'reordered'))}
    assert min(value.values()) > 0 and report['retransmissions'] > 0, (value, report)


def run(link, arguments, size):
    settings = link.settings(arguments.faults, arguments.seed) + (SPREAD if arguments.spread else [])
    with Daemon(*settings, prefix=link.daemon_prefix, port=link.port) as daemon:
        daemon.call('topic.create', topic='path', partitions=PARTITIONS)
        job = DigestJob(daemon, 'proof', 'path')
        with altered(daemon) if arguments.alter else contextlib.nullcontext():
            report = send(daemon, link, arguments.records, size, arguments.faults)
        windowed = job.drained()
        assert windowed['records'] == report['sent'] and windowed['digest'] == report['digest'], (windowed, report)
        check_counters(daemon, link, report, arguments.faults)
        assert daemon.stop() == 0, daemon.log()
        logged = log_check(daemon, 'path')
        assert logged['partitions'] == PARTITIONS and logged['records'] == report['sent'], (logged, report)
        assert logged['digest'] == report['digest'], (logged, report)
        daemon.start()
        again = send(daemon, link, 1600, size, arguments.faults)
        job = DigestJob(daemon, 'proof', 'path').drained()  # earliest: all that the log holds
        total = (int(report['digest'], 16) + int(again['digest'], 16)) % 2**64
        assert job['records'] == arguments.records + 1600 and int(job['digest'], 16) == total, (job, report, again)
        assert daemon.stop() == 0, daemon.log()
    print(f'{link.name}, {size} B: {arguments.records} records sent = logged = windowed ({windowed["windows"]} windows), '
          f'{arguments.records / report["seconds"]:.0f} records/s, ack p50 {report["ack_p50_us"]} us, '
          f'p99 {report["ack_p99_us"]} us, {report["retransmissions"]} retransmissions', flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('link', choices=LINKS)
    parser.add_argument('--faults', action='store_true')
    parser.add_argument('--records', type=int, default=1000000)
    parser.add_argument('--bytes', type=int, action='append')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--spread', action='store_true', help='two lanes, two shards, two workers, each poller on a thread of its own')
    parser.add_argument('--alter', action='store_true', help="alter the topic's settings while records come")
    arguments = parser.parse_args()
    if arguments.spread and not LINKS[arguments.link].steers:
        parser.error(f'--spread over {arguments.link}: nothing there brings the datagrams of a lane to its queue, so one lane would '
                     'stay deaf (links that do: ' + ', '.join(name for name, link in LINKS.items() if link.steers) + ')')
    try:
        with LINKS[arguments.link]() as link:
            link.queues = SPREAD_LANES if arguments.spread else 1
            for size in arguments.bytes or (100, 1000):
                run(link, arguments, size)
    except Skip as reason:
        print(f'skipped: {reason}')
        return 77
    return 0


if __name__ == '__main__':
    sys.exit(main())
