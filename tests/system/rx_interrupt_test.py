#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The one interrupt of a DPDK driver that needs no NIC: virtio-user, whose vhost-user peer (testpmd) raises it. Under the `interrupt`
policy the lane's lcore finds it, receives, and sleeps again: an event that is not taken back would keep it awake. How soon it wakes is only
shown, as testpmd's own start is most of that; tests/unit/ctrl/lcore_loop_test.c asserts it. Root, for hugepages."""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from netns import Hugepages, Skip
from penstock_daemon import Daemon

PAGES, WAKES, READY_SECONDS = 200, 9, 30
QUIET_SECONDS, TURNS_A_SECOND = 3, 200


class Peer:
    """testpmd with a vhost-user socket; `burst()` has it send for a moment."""

    def __init__(self, folder):
        self.path = os.path.join(folder, 'vhost.sock')
        self.child = subprocess.Popen(
            ['dpdk-testpmd', '--lcores', '0@0,1@0', '--in-memory', '--no-pci', '-m', '128', '--file-prefix', f'psvu{os.getpid()}',
             '--vdev', f'net_vhost0,iface={self.path}', '--', '-i', '--forward-mode=txonly', '--total-num-mbufs=2048'],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        until = time.monotonic() + READY_SECONDS
        while not os.path.exists(self.path):
            assert self.child.poll() is None and time.monotonic() < until, 'testpmd did not start'
            time.sleep(0.05)

    def say(self, words):
        self.child.stdin.write(words + '\n')
        self.child.stdin.flush()

    def close(self):
        if self.child.poll() is None:
            self.say('quit')
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


def received(daemon):
    return daemon.call('drop.list')['lanes'][0]['counters']['rx_packets']


def wake(daemon, peer):
    """Seconds from the peer's first packet to a count that moved."""
    before, since = received(daemon), time.monotonic()
    peer.say('start')
    while received(daemon) == before:
        assert time.monotonic() < since + 20, 'no packet arrived'
        time.sleep(0.001)
    seconds = time.monotonic() - since
    peer.say('stop')
    time.sleep(0.7)  # long enough to fall asleep
    return seconds


def run(folder):
    peer = Peer(folder)
    port = {'driver': 'vdev', 'devargs': f'net_virtio_user0,path={peer.path},queues=1', 'address': ['192.0.2.2']}
    try:
        with Daemon('ports=' + json.dumps([port]), 'memory.hugepage_size=2MiB', 'dataplane.lcore.idle=interrupt',
                    port=9292) as daemon:
            assert 'idle queue 0 wakes its lane by an interrupt' in daemon.log(), daemon.log()
            assert daemon.call('lcore.list')['lcores'][0]['idle'] == 'interrupt'
            times = [wake(daemon, peer) for _ in range(WAKES)]
            time.sleep(1)
            before = daemon.call('lcore.list')['lcores'][0]['turns']
            time.sleep(QUIET_SECONDS)
            turns = (daemon.call('lcore.list')['lcores'][0]['turns'] - before) / QUIET_SECONDS
            print(f'{received(daemon)} packets; woken within {statistics.median(times) * 1000:.0f} ms (median); '
                  f'{turns:.0f} turns a second without work')
            assert turns < TURNS_A_SECOND, turns
            assert daemon.stop() == 0, daemon.log()
    finally:
        peer.close()


def main():
    if os.geteuid() != 0:
        print('skipped: needs root to raise the hugepage pool')
        return 77
    if not shutil.which('dpdk-testpmd'):
        print('skipped: there is no dpdk-testpmd (package dpdk)')
        return 77
    try:
        with Hugepages(PAGES), tempfile.TemporaryDirectory(prefix='penstock-vhost-') as folder:
            run(folder)
    except Skip as reason:
        print(f'skipped: {reason}')
        return 77
    return 0


if __name__ == '__main__':
    sys.exit(main())
