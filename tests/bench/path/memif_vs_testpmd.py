#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""memif -> log buffer on one rx + log lcore, as a share of what testpmd rxonly takes on the same link.

Usage: memif_vs_testpmd.py [--rounds N] [--seconds N] [--frame-bytes N] [--no-huge]. Prints one JSON object.

A is dpdk-testpmd in rxonly mode, B the lane and log of path_server with a disk that forgets; both on
CPU 0, fed by path_source on CPU 1 with the same prebuilt frames, in turn, at least five times. Rates
are the sender's, whole seconds only, the first left out: what a memif ring takes, its other end took
out before. B's ledger is compared with the sender's counts; testpmd's are of no use, because the driver
forgets them when its peer leaves. A round whose numbers cannot be trusted makes the result void, with the reason. Exit status:
0 measured, 1 something is wrong (lost packets, a ledger that does not add up), 77 cannot run here.
"""
import argparse
import atexit
import json
import os
import re
import signal
import statistics
import subprocess
import sys

BUILD = os.environ.get('PENSTOCK_BUILD', 'build')
HUGEPAGES = 400  # of 2 MiB, both ends
HUGEPAGES_PATH = '/proc/sys/vm/nr_hugepages'
GOAL = 0.25
SPREAD_MAX = 1.5  # greatest over least rate of testpmd
READY_SECONDS = 20


class CannotRun(Exception):
    """With the reason."""


class Wrong(Exception):
    """A measurement that contradicts itself."""


def hugepages():
    """Raises the pool while this runs and puts it back. False: not to be had here."""
    try:
        with open(HUGEPAGES_PATH, 'r+', encoding='ascii') as file:
            before = int(file.read())
            file.seek(0)
            file.write(str(before + HUGEPAGES))
    except OSError:
        return False
    atexit.register(give_back_hugepages)
    with open('/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages', encoding='ascii') as file:
        return int(file.read()) >= HUGEPAGES


def give_back_hugepages():
    with open(HUGEPAGES_PATH, 'r+', encoding='ascii') as file:
        now = int(file.read())
        file.seek(0)
        file.write(str(max(0, now - HUGEPAGES)))


def steal():
    with open('/proc/stat', encoding='ascii') as file:
        fields = [int(word) for word in file.readline().split()[1:]]
    return fields[7], sum(fields[:8])


class Link:
    """One memif socket and its two processes."""

    def __init__(self, arguments, name):
        self.arguments, self.children = arguments, []
        self.socket = f'pspath{os.getpid()}{name}'

    def device(self, role):
        return f'net_memif0,role={role},id=0,socket={self.socket},bsize=2048,rsize=10'

    def start(self, command):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.children.append(child)
        return child

    def source(self, *words):
        command = [os.path.join(BUILD, 'tests/bench/path/path_source'), '--nic', self.device('client'), '--prefix',
                   self.socket + 'c', '--cpu', '1', '--seconds', str(self.arguments.seconds), '--frame-bytes',
                   str(self.arguments.frame_bytes), *words]
        command += ['--hugepages'] if self.arguments.hugepages else []
        child = self.start(command)
        out, _ = child.communicate(timeout=self.arguments.seconds + 60)
        if child.returncode != 0:
            raise Wrong(f'path_source: exit {child.returncode}: {out[-800:]}')
        rows = [json.loads(line) for line in out.splitlines() if line.startswith('{')]
        seconds = [row['tx_pps'] for row in rows if 'second' in row][1:]
        if not seconds:
            raise Wrong('path_source: fewer than two whole seconds')
        return statistics.median(seconds), rows[-1]

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.communicate()


def wait_for(child, pattern):
    """Reads lines until one matches."""
    seen = []
    for line in child.stdout:
        seen.append(line)
        if re.search(pattern, line):
            return
    raise Wrong(f'{child.args[0]} ended: {"".join(seen)[-800:]}')


def testpmd(arguments):
    """A: packets per second into nothing."""
    link = Link(arguments, 'a')
    memory = ['--in-memory'] if arguments.hugepages else ['--no-huge', '--no-shconf']
    command = ['dpdk-testpmd', '--lcores', '0@0,1@0', *memory, '--no-pci', '-m', '256', '--iova-mode=va',
               f'--file-prefix={link.socket}s', f'--vdev={link.device("server")}', '--', '--forward-mode=rxonly',
               '--burst=32', '--rxd=1024', '--total-num-mbufs=8191', '--no-lsc-interrupt', '--stats-period', '1000']
    try:
        receiver = link.start(command)
        wait_for(receiver, 'rxonly packet forwarding')
        rate, total = link.source('--raw')
        if receiver.poll() is not None:
            raise Wrong(f'testpmd ended, exit {receiver.returncode}: {receiver.stdout.read()[-800:]}')
        if total['full'] < total['bursts'] // 2:
            raise Wrong('the sender was not faster than testpmd')
        return rate
    finally:
        link.close()


def penstock(arguments):
    """B: packets per second into the log buffer, CRC checked."""
    link = Link(arguments, 'b')
    command = [os.path.join(BUILD, 'tests/bench/path/path_server'), '--nic', link.device('server'), '--cpu', '0',
               '--prefix', link.socket + 's', '--burst', str(arguments.burst)]
    command += ['--hugepages'] if arguments.hugepages else []
    try:
        receiver = link.start(command)
        wait_for(receiver, '"ready"')
        rate, sent = link.source()
        receiver.send_signal(signal.SIGTERM)
        out, _ = receiver.communicate(timeout=60)
        row = json.loads(out.strip().splitlines()[-1])
        if receiver.returncode != 0 or not row['adds_up']:
            raise Wrong(f'ledger: {row}')
        if row['ipackets'] != sent['packets'] or row['counters']['stored'] != sent['batches'] or not sent['durable']:
            raise Wrong(f'sent {sent}, received {row}')
        return rate, row
    finally:
        link.close()


def measure(arguments):
    before = steal()
    rounds, busy, turns = [], [], []
    for _ in range(arguments.rounds):
        a = testpmd(arguments)
        b, row = penstock(arguments)
        rounds.append({'testpmd_pps': round(a), 'penstock_pps': round(b), 'ratio': round(b / a, 4)})
        busy.append(row['busy_share'])
        turns.append(row['full_turn_ns_p50'] / arguments.burst)
    after = steal()
    stolen = (after[0] - before[0]) / max(1, after[1] - before[1])
    void = [f'steal {stolen:.1%} > 1 %'] if stolen > 0.01 else []
    if arguments.rounds < 5:
        void.append('fewer than 5 rounds')
    reference = [r['testpmd_pps'] for r in rounds]
    if max(reference) > SPREAD_MAX * min(reference):
        void.append(f'the reference itself varies from {min(reference)} to {max(reference)} packets/s')
    ratio = statistics.median(r['ratio'] for r in rounds)
    pps = statistics.median(r['penstock_pps'] for r in rounds)
    return {
        'bench': 'memif_path', 'what': 'memif -> log buffer (storage simulated) against testpmd rxonly, one rx + log lcore',
        'where': f'{os.cpu_count()} vCPU, no NIC, vdev net_memif, {"hugepages" if arguments.hugepages else "4 KiB pages"}',
        'frame_bytes': arguments.frame_bytes, 'udp_checksum': False, 'sessions': 4, 'partitions': 16,
        'testpmd_pps': statistics.median(r['testpmd_pps'] for r in rounds), 'penstock_pps': pps,
        'penstock_bits_per_s': pps * arguments.frame_bytes * 8, 'ratio': ratio,
        'ratio_min': min(r['ratio'] for r in rounds), 'ratio_max': max(r['ratio'] for r in rounds),
        'goal': GOAL, 'meets_goal': ratio >= GOAL, 'busy_share': statistics.median(busy),
        'ns_per_packet_p50': round(statistics.median(turns), 1), 'burst': arguments.burst, 'void': void, 'rounds': rounds,
    }


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=int, default=5)
    parser.add_argument('--frame-bytes', type=int, default=1400)
    parser.add_argument('--burst', type=int, default=32, help="the lane's; testpmd's is 32")
    parser.add_argument('--no-huge', action='store_true', help='4 KiB pages even where hugepages can be had')
    arguments = parser.parse_args()
    arguments.hugepages = not arguments.no_huge and os.geteuid() == 0 and hugepages()
    return arguments


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('stopped'))
    try:
        if subprocess.run(['which', 'dpdk-testpmd'], stdout=subprocess.DEVNULL, check=False).returncode != 0:
            raise CannotRun('dpdk-testpmd is not installed: apt-get install dpdk-dev')
        if len(os.sched_getaffinity(0)) < 2:
            raise CannotRun('needs two CPUs, one for each end')
        print(json.dumps(measure(parse())))
    except CannotRun as reason:
        print(f'skipped: {reason}')
        return 77
    except Wrong as reason:
        print(f'error: {reason}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
