#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A daemon on a tap device without traffic, under the `interrupt` policy: it sleeps until the device's descriptor wakes it.
Next to no CPU time, few wake-ups, and yet the first packet after a while is answered at once; no signal a packet.

CPU time and wake-ups are the daemon's own, so other load does not raise them.
"""
import ctypes
import os
import re
import socket
import statistics
import struct
import sys
import time

from dev_daemon_test import IDLE_SHARE, cpu_seconds
from links import LINKS, Skip
from netns import OURS4
from penstock_daemon import Daemon, produce

QUIET_SECONDS, WAKES_A_SECOND = 5, 200  # the keeper thread's 50 and the heartbeats are in it
PINGS, DEADLINE_SECONDS = 15, 0.1  # the batch interval's: how long a sleep is when nothing wakes it
REAL_TIME_SIGNALS = ~((1 << 33) - 1)  # of a mask; the first two are the C library's own

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def task_status(pid, word):
    """That number of each thread."""
    for task in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{task}/status', encoding='ascii') as file:
            yield re.search(rf'^{word}:\s+(\w+)', file.read(), re.M)[1]


def wakes(pid):
    return sum(int(count) for count in task_status(pid, 'voluntary_ctxt_switches'))


def checksum(data):
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff


def ping(number):
    """Seconds until the echo comes back. In the namespace of the device."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        s.settimeout(10)
        head = struct.pack('!BBHHH', 8, 0, 0, 77, number)
        since = time.monotonic()
        s.sendto(head[:2] + struct.pack('!H', checksum(head)) + head[4:], (OURS4, 0))
        while True:
            answer = s.recv(2000)[20:]
            if answer[:1] == b'\0' and answer[4:8] == head[4:8]:
                return time.monotonic() - since


def enter_namespace(descriptor):
    """os.setns is newer than Debian 12's Python."""
    assert LIBC.setns(descriptor, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())


def pings_after_quiet(space):
    with open(f'/run/netns/{space}', encoding='ascii') as there, open('/proc/self/ns/net', encoding='ascii') as here:
        enter_namespace(there.fileno())
        try:
            ping(0)  # finds the address
            times = []
            for number in range(1, PINGS + 1):
                time.sleep(0.1)  # long enough to fall asleep
                times.append(ping(number))
            return times
        finally:
            enter_namespace(here.fileno())


def idle(link):
    with Daemon(*link.settings(), 'dataplane.lcore.idle=interrupt', prefix=link.daemon_prefix, port=link.port) as daemon:
        pid = daemon.process.pid
        bootstrap = link.bootstrap(daemon)
        assert 'idle queue 0 wakes its lane by a descriptor' in daemon.log(), daemon.log()
        lcores = daemon.call('lcore.list')['lcores']
        assert [lcore['idle'] for lcore in lcores] == ['interrupt'], lcores
        time.sleep(1)  # announcements of the addresses are over
        before, cpu, since = wakes(pid), cpu_seconds(pid), time.monotonic()
        time.sleep(QUIET_SECONDS)
        seconds = time.monotonic() - since
        share, rate = (cpu_seconds(pid) - cpu) / seconds, (wakes(pid) - before) / seconds
        times = pings_after_quiet(link.tun.space)
        daemon.call('topic.create', topic='idle', partitions=4)
        report = produce(daemon, 'idle', 4, 2, 20000, 100, prefix=link.producer_prefix, bootstrap=bootstrap)
        caught = {int(mask, 16) & REAL_TIME_SIGNALS for mask in task_status(pid, 'SigCgt')}
        print(f'idle on a tap: {share:.2%} of one CPU, {rate:.0f} wake-ups a second; echo of the first packet after a while: '
              f'median {statistics.median(times) * 1000:.1f} ms')
        assert share < IDLE_SHARE, f'{share:.2%} of one CPU without work'
        assert rate < WAKES_A_SECOND, f'{rate:.0f} wake-ups a second without work'
        # By timer alone it would be half of that in the middle.
        assert statistics.median(times) < DEADLINE_SECONDS / 5, times
        assert caught == {0}, f'handlers of real-time signals: {caught}'
        assert report['durable'] == 20000, report
        link.check(daemon, report)
        daemon.check_lossless(sessions=2)
        assert daemon.stop() == 0, daemon.log()


def main():
    try:
        with LINKS['tap']() as link:
            idle(link)
    except Skip as reason:
        print(f'skipped: {reason}')
        return 77
    return 0


if __name__ == '__main__':
    sys.exit(main())
