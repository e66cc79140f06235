#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Congestion marks from end to end: the library sends ECT(0) on every datagram, a router that is congested all the time marks each of
them (nftables plays it, at the producer's end of a veth pair, where several datagrams may still be one packet), and the lane counts each.
The producer goes on with the smallest window, and nothing is lost. Root, nft."""
import shutil
import subprocess
import sys

from links import LINKS
from netns import Skip
from penstock_daemon import Daemon, produce

RECORDS = 5000
RULES = '''table ip congested {
    chain out {
        type filter hook output priority 0;
        udp dport 9292 ip ecn ect0 ip ecn set ce
    }
}
'''


def nft(space, *words, rules=None):
    done = subprocess.run(['ip', 'netns', 'exec', space, 'nft', *words], input=rules, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skip(f'nft {" ".join(words)}: {done.stderr.strip()[:200]}')
    return done.stdout


def main():
    try:
        if not shutil.which('nft'):
            raise Skip('there is no nft')
        with LINKS['af_packet']() as link:
            space = link.wire.spaces[1]
            nft(space, '-f', '-', rules=RULES)
            with Daemon(*link.settings(), prefix=link.daemon_prefix, port=link.port) as daemon:
                daemon.call('topic.create', topic='t', partitions=4)
                report = produce(daemon, 't', 4, 1, RECORDS, 1000, *link.producer_words(), prefix=link.producer_prefix,
                                 bootstrap=link.bootstrap(daemon))
                counters = daemon.check_ledger()[0]
                daemon.check_lossless(sessions=1, allowed=link.allowed)
                assert report['durable'] == RECORDS, report
                assert counters['ecn_ce'] == counters['native'] == report['kernel_sent'], (counters, report)
    except Skip as reason:
        print(f'skipped: {reason}')
        return 77
    print(f'{report["kernel_sent"]} datagrams were marked, and counted; {RECORDS / report["seconds"]:.0f} records/s')
    return 0


if __name__ == '__main__':
    sys.exit(main())
