#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sent = logged over kernel sockets: 4 producers, 16 partitions, then the same log after a restart."""
import sys

from penstock_daemon import Daemon, log_check, produce


def main():
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
    for size in (100, 1000):
        with Daemon('broker.num.partitions=16') as daemon:
            report = produce(daemon, 'path', 16, 4, records, size)
            assert report['sent'] == report['durable'] == records, report
            assert daemon.stop() == 0, daemon.log()
            found = log_check(daemon, 'path')
            assert found['partitions'] == 16 and found['records'] == records, found
            assert found['digest'] == report['digest'], (found, report)
            daemon.start()
            again = produce(daemon, 'path', 16, 4, 1600, size)
            assert again['durable'] == 1600, again
            assert daemon.stop() == 0
            print(f'{size} B: {records / report["seconds"]:.0f} records/s, ack p50 {report["ack_p50_us"]} us, '
                  f'p99 {report["ack_p99_us"]} us, {report["retransmissions"]} retransmissions')


if __name__ == '__main__':
    main()
