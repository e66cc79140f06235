# SPDX-License-Identifier: Apache-2.0
"""Nothing but io_uring on the hot path: allocations on lcore threads while records flow."""
import os
import struct
import threading
import time

from measure import Daemon, Wrong, delta, loadgen, summary

WHAT = 'allocations and frees on lcore threads while records flow'
JOB = '''name: quiet
topics: [quiet]
start: earliest
batch_interval: 100ms
time: ingest
window: {kind: tumbling, size: 1s}
function: {builtin: count}
'''
ROW = struct.Struct('<IIQQ')


def lcore_threads(pid):
    """Kernel thread numbers by name."""
    found = {}
    for task in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{task}/comm', encoding='ascii') as file:
            name = file.read().strip()
        if name.startswith('lcore-'):
            found[int(task)] = name
    if not found:
        raise Wrong('penstockd has no thread named lcore-*')
    return found


def calls(table, threads):
    """Allocations and frees of those threads so far."""
    with open(table, 'rb') as file:
        rows = list(ROW.iter_unpack(file.read()))
    if not any(row[0] for row in rows):
        raise Wrong('alloc_count.so counted nothing: it was not loaded')
    return sum(row[2] + row[3] for row in rows if row[0] in threads)


def allocations(bench):
    """calls of malloc and free on lcores over kernel sockets, sessions open, a window job running: none"""
    ours, records = [], []
    for _ in range(bench.rounds):
        table = os.path.join(bench.directory, f'allocations-{len(ours)}')
        environment = {'LD_PRELOAD': bench.tool('tests/bench/quiet/alloc_count.so'), 'PENSTOCK_ALLOC_TABLE': table}
        with Daemon(bench, 'native.port=0', environment=environment) as daemon:
            daemon.ctl('topic', 'create', 'quiet', '--partitions', '4')
            text = os.path.join(bench.directory, 'quiet.yaml')
            with open(text, 'w', encoding='ascii') as file:
                file.write(JOB)
            daemon.ctl('job', 'create', text)
            words = ('--topic', 'quiet', '--partitions', '4', '--record-bytes', '100')
            # Opening a session allocates inside OpenSSL (HMAC of cookie and tokens): that is set-up, and over here.
            sender = threading.Thread(target=loadgen, args=(bench, daemon, *words, '--duration', str(bench.seconds + 2)))
            sender.start()
            time.sleep(1.5)
            threads = lcore_threads(daemon.process.pid)
            before, count = calls(table, threads), daemon.counters()
            time.sleep(bench.seconds - 0.5)
            d, after = delta(count, daemon.counters()), calls(table, threads)
            sender.join()
        ours.append(after - before)
        records.append(d['penstock_log_append_records_total'])
    if min(records) == 0:
        raise Wrong('no records flowed while allocations were counted')
    if any(ours):
        raise Wrong(f'lcore threads called malloc or free {sum(ours)} times in {sum(records):.0f} records')
    return [{'name': 'allocations / records', 'ours': summary(ours), 'reference': summary(records), 'unit': 'calls',
             'ratio': summary([a / b for a, b in zip(ours, records)]), 'goal': 0, 'less_is_better': True}]


PARTS = (allocations,)
