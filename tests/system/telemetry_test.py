#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""DPDK's telemetry socket of a daemon on a memif, in pages of 4 KiB, as any user: Penstock's commands say what the control
socket says; wrong parameters get null; a daemon that stops while somebody asks ends well. On kernel sockets there is none."""
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time

from links import LINKS
from penstock_daemon import Daemon, produce, tool
from produce_status import Status

PRODUCERS = 20  # more than one page of sessions
SECONDS = 20


class Telemetry:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.hello = json.loads(self.socket.recv(1 << 16))

    def ask(self, *words):
        self.socket.send(','.join(str(word) for word in words).encode())
        answer = json.loads(self.socket.recv(1 << 16))
        assert list(answer) == [words[0]], answer
        return answer[words[0]]

    def pages(self, part, *words):
        """All pages of a command, joined."""
        page = self.ask(*words)
        rows = dict(page[part])
        while 'next' in page:
            page = self.ask(words[0], *words[1:2], page['next'])
            assert not rows.keys() & page[part].keys(), 'a row is on two pages'
            rows.update(page[part])
        return rows


def socket_path(daemon):
    found = re.search(r'telemetry: (\S+/dpdk_telemetry\.v2)', daemon.log())
    assert found and os.path.exists(found[1]), daemon.log()
    return found[1]


def eventually(check, *arguments):
    """What one side told may be a second old, or a moment newer than the other's."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            return check(*arguments)
        except AssertionError:
            if time.monotonic() > until:
                raise
        time.sleep(0.1)


def compare_sessions(daemon, telemetry):
    rows = telemetry.pages('sessions', '/penstock/sessions', 0)
    told = {row['session']: row for row in daemon.call('producer.list')['producers']}
    assert len(rows) == PRODUCERS and rows.keys() == told.keys(), (len(rows), len(told))
    for session, row in rows.items():
        for name in ('epoch', 'name', 'peer'):
            assert row[name] == told[session][name], (row, told[session])
        assert row['producer_id'] == str(told[session]['producer_id']), row
        assert 0 < row['records'] <= told[session]['records'], (row, told[session])
    assert telemetry.ask('/penstock/sessions', 0, 100000) == {'lane': 0, 'first': 100000, 'sessions': {}}


def sessions(daemon, link, telemetry):
    path = os.path.join(daemon.state, 'status')
    producer = subprocess.Popen(
        [tool('produce_check'), '--bootstrap', link.bootstrap(daemon), '--topic', 'many', '--partitions', '4', '--producers',
         str(PRODUCERS), '--bytes', '100', '--seconds', '600', '--rate', '4000', '--status', path, *link.producer_words()],
        stdout=subprocess.DEVNULL)
    status = Status(path)
    try:
        status.wait_ack(daemon, 'of the first records')
        eventually(compare_sessions, daemon, telemetry)
    finally:
        status.stop()
        assert producer.wait(60) == 0
    eventually(no_sessions, telemetry)


def no_sessions(telemetry):
    assert telemetry.ask('/penstock/sessions', 0)['sessions'] == {}


def compare_ledger(daemon, telemetry):
    lane = daemon.call('drop.list')['lanes'][0]
    told = telemetry.ask('/penstock/ledger', 0)
    assert told['driver'] == lane['driver'] == 'net_memif' and told['adds_up'] == 1, told
    assert told['counters'] == lane['counters'], (told['counters'], lane['counters'])
    for equation in lane['equations']:
        ours = told['equations'][equation['name'].replace(' ', '_')]
        sides = {sign: sum(t['value'] or 0 for t in equation['terms'] if t['sign'] == sign) for sign in (1, -1)}
        assert (ours['left'], ours['right']) == (sides[1], sides[-1]), (ours, equation)
        assert ours['verdict'] == ('adds up' if equation['visible'] else 'not visible'), (ours, equation)
    short = telemetry.ask('/penstock/ledger')
    assert short['adds_up'] == 1 and set(short['lanes']) == {'0'}, short
    assert short['lanes']['0'] == {'adds_up': 1, **{n: e['verdict'] for n, e in told['equations'].items()}}, short
    row = telemetry.ask('/penstock/lanes')['0']
    assert row['driver'] == 'net_memif' and row['udp_port'] == daemon.port, row
    for name in row.keys() - {'driver', 'udp_port', 'drops'}:
        assert row[name] == lane['counters'][name], (name, row)
    return lane


def compare_stages(daemon, telemetry):
    """Numbers that only grow: each lies between what the control socket said before and after."""
    before = daemon.call('lcore.list')['lcores']
    told = telemetry.pages('lcores', '/penstock/stages')
    after = daemon.call('lcore.list')['lcores']
    assert len(told) == len(before), (told, before)
    assert before[0]['idle'] == 'interrupt, but polls rx 0', before  # a memif has nothing to wake a lane by
    for low, high in zip(before, after):
        row = told[str(low['lcore'])]
        assert ', '.join(row['stages']) == low['role'] and row['cpu'] == low['cpu'] and row['idle'] == low['idle'], (row, low)
        for name in ('turns', 'turns_empty', 'items', 'busy_ns', 'sleep_ns', 'total_ns', 'worst_turn_us'):
            assert low[name] <= row[name] <= high[name], (name, low, row, high)


def stops_while_asked(daemon, path):
    """Somebody asks without a pause until the daemon is gone."""
    asked = [0]

    def ask_on():
        telemetry = Telemetry(path)
        try:
            while True:
                for words in (('/penstock/sessions', 0), ('/penstock/ledger', 0), ('/penstock/stages',)):
                    telemetry.ask(*words)
                    asked[0] += 1
        except (OSError, ValueError):  # closed; an answer cut off
            pass

    asking = threading.Thread(target=ask_on)
    asking.start()
    while asked[0] < 100:
        time.sleep(0.01)
    assert daemon.stop() == 0, daemon.log()
    asking.join(60)
    assert not asking.is_alive() and not os.path.exists(path), 'the socket outlived the daemon'


def on_a_port():
    with LINKS['memif']() as link, Daemon(*link.settings(), 'memory.hugepage_size=none', port=link.port) as daemon:
        daemon.call('topic.create', topic='many', partitions=4)
        path = socket_path(daemon)
        telemetry = Telemetry(path)
        assert telemetry.hello['pid'] == daemon.process.pid, telemetry.hello
        commands = [c for c in telemetry.ask('/') if c.startswith('/penstock/')]
        assert commands == [f'/penstock/{name}' for name in ('lanes', 'ledger', 'sessions', 'stages')], commands
        for words in (('/penstock/sessions',), ('/penstock/sessions', 1), ('/penstock/sessions', 'x'), ('/penstock/ledger', 1),
                      ('/penstock/ledger', '-0'), ('/penstock/stages', 99), ('/penstock/lanes', 0), ('/penstock/nothing',)):
            assert telemetry.ask(*words) is None, words
        report = produce(daemon, 'many', 4, 4, 40000, 200, *link.producer_words(), bootstrap=link.bootstrap(daemon))
        lane = eventually(compare_ledger, daemon, telemetry)
        assert lane['counters']['stored_records'] == report['sent'] == 40000, (lane, report)
        sessions(daemon, link, telemetry)
        compare_stages(daemon, telemetry)
        stops_while_asked(daemon, path)
    print(f'{len(commands)} commands say what the control socket says; {lane["counters"]["native"]} datagrams')


def on_kernel_sockets():
    with Daemon() as daemon:
        assert 'telemetry' not in daemon.log(), daemon.log()
        assert daemon.stop() == 0


if __name__ == '__main__':
    on_a_port()
    on_kernel_sockets()
    sys.exit(0)
