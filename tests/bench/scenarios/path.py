# SPDX-License-Identifier: Apache-2.0
"""The way of a record: NIC -> log buffer -> disk -> window function, each leg against its yardstick."""
import json
import os
import subprocess
import sys
import tempfile

from measure import Daemon, Wrong, CannotRun, HERE, delta, fio, need, summary

WHAT = 'NIC -> log -> window function, each leg against its yardstick'
PARTITIONS = 4
PREP_BYTES = 1 << 30
GOAL_RECORDS = 5e6  # a core; 100-byte records, ten a batch: what one 1,400-byte datagram carries
# As the profiles would: all pollers on one lcore that sleeps when idle, as auto does below four CPUs; the
# other CPU is the sender's, which sleeps when it has no credit. Segments are prepared before the clock
# starts, as fio's file is; checkpoints come as often as in production.
SETTINGS = ('log.buffer.bytes=64MiB', 'log.cache.bytes=128MiB', 'log.group.max.bytes=8MiB', 'log.recovery.max.bytes=1GiB', 'lcores.rx=0', 'lcores.log=0',
            'lcores.batch=0', 'lcores.worker=0', 'lcores.share=auto', 'dataplane.lcore.idle=auto', 'topic_defaults.segment.bytes=1073741824', 'native.port=9292')
# What a disk does best here, each with a flush after so many writes.
BEST_SHAPES = (('128k', 8, 32), ('512k', 8, 16), ('1m', 8, 16), ('1m', 32, 32))


def memif(bench):
    """memif -> log buffer (storage simulated in the bench) against testpmd rxonly"""
    command = [sys.executable, os.path.join(HERE, 'path', 'memif_vs_testpmd.py'), '--rounds', str(bench.rounds), '--seconds',
               str(max(3, bench.seconds))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        raise CannotRun(done.stdout.strip().removeprefix('skipped: '))
    if done.returncode != 0:
        raise Wrong(f'memif_vs_testpmd.py: {done.stderr.strip()}')
    row = json.loads(done.stdout)
    return [{'name': 'memif to log buffer', 'ours': summary([r['penstock_pps'] for r in row['rounds']]),
             'reference': summary([r['testpmd_pps'] for r in row['rounds']]), 'unit': 'packets/s', 'goal': row['goal'],
             'ratio': summary([r['ratio'] for r in row['rounds']]), 'void': row['void'], 'detail': row}]


def source(bench, link, seconds):
    command = [bench.tool('tests/bench/path/path_source'), '--nic',
               f'net_memif0,role=client,id=0,socket={link},socket-abstract=no,bsize=2048,rsize=12', '--prefix',
               f'psb{os.getpid()}', '--sessions', '4', '--streams', str(PARTITIONS), '--frame-bytes', '1400', '--seconds',
               str(seconds), '--cpu', '1', '--idle-us', '20']
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def first_second(child):
    """Waits until the source has sent for a second: the sessions are then at full speed."""
    for line in child.stdout:
        if '"second"' in line:
            return
    raise Wrong(f'path_source: exit {child.wait()}')


def durable_once(bench):
    """One round of ours: payload and device bytes a second, and the shape of the writes."""
    folder = tempfile.mkdtemp(dir=bench.directory)
    link = os.path.join(folder, 'm.sock')
    port = (f'ports=[{{driver: vdev, devargs: "net_memif0,role=server,id=0,socket={link},socket-abstract=no,bsize=2048,'
            'rsize=12", rx_desc: 4096, address: [192.0.2.2]}]')
    prep = PREP_BYTES // 4 if bench.quick else PREP_BYTES
    with Daemon(bench, port, f'log.prep.bytes={prep >> 20}MiB', *SETTINGS) as daemon:
        daemon.ctl('topic', 'create', 'path', '--partitions', str(PARTITIONS))
        daemon.wait_prepared()
        child = source(bench, link, bench.seconds + 2)
        first_second(child)
        before = daemon.counters()
        try:
            out, _ = child.communicate(timeout=bench.seconds + 60)
        except subprocess.TimeoutExpired:
            child.kill()
            raise Wrong('path_source does not end') from None
        after = daemon.counters()
    total = json.loads(out.splitlines()[-1]) if child.returncode == 0 else {}
    if not total.get('durable'):
        raise Wrong(f'path_source: exit {child.returncode}: {out[-800:]}')
    return shape_of(delta(before, after), total)


def shape_of(d, total):
    groups, flushes = d['penstock_log_groups_total'], d['penstock_log_flushes_total']
    payload, data = d['penstock_log_group_bytes_total'], d['penstock_log_write_data_bytes_total']
    guard = d['penstock_log_write_guard_bytes_total']
    seconds = d['at']
    writes = d['penstock_log_writes_total']
    return {'payload_bytes_per_s': payload / seconds, 'device_bytes_per_s': (data + guard) / seconds, 'groups': groups,
            'flushes': flushes, 'writes': writes, 'data_write_bytes': data / max(1, writes - groups),
            'guard_write_bytes': guard / groups, 'prep_misses': d['penstock_log_prep_miss_total'],
            'flush_us': d['penstock_log_flush_ns_total'] / flushes / 1e3, 'group_us': d['penstock_log_group_ns_total'] / groups / 1e3,
            'rolls': d['penstock_log_rolls_total'], 'mean_batch_bytes': payload / d['penstock_log_append_batches_total'],
            'busy_share': d['penstock_lcore_busy_seconds_total'] / seconds, 'packets': total['packets']}


def matched(bench, shape):
    """fio with our sizes and our cadence: per group its data writes and one for the guard, then a flush."""
    data = max(4096, round(shape['data_write_bytes'] / 4096) * 4096)
    guard = max(4096, round(shape['guard_write_bytes'] / 4096) * 4096)
    share = round(100 * (shape['writes'] - shape['groups']) / shape['writes'])
    writes = max(1, round(shape['writes'] / shape['flushes']))
    depth = max(1, round(shape['writes'] / shape['groups']))
    words = (f'--bssplit={data}/{share}:{guard}/{100 - share}', f'--iodepth={depth}', f'--fdatasync={writes}')
    return fio(bench, 'matched', *words), ' '.join(words)


def best_words(size, depth, writes):
    return (f'--bs={size}', f'--iodepth={depth}', f'--fdatasync={writes}')


def best_shape(bench):
    return max(BEST_SHAPES, key=lambda shape: fio(bench, 'best', *best_words(*shape), seconds=1)['bytes_per_s'])


def durable(bench):
    """durable payload through the native protocol against fio, the same writes and flushes, and fio at its best"""
    need('fio', 'fio')
    shape = best_shape(bench)
    rounds, like, best = [], [], []
    for number in range(bench.rounds):
        rounds.append(durable_once(bench))
        same, words = matched(bench, rounds[-1])
        like.append({**same, 'words': words})
        best.append(fio(bench, 'best', *best_words(*shape)))
        bench.progress(f'round {number + 1}: {rounds[-1]["payload_bytes_per_s"] / 1e6:.0f} MB/s, fio alike '
                       f'{like[-1]["bytes_per_s"] / 1e6:.0f}, best {best[-1]["bytes_per_s"] / 1e6:.0f}')
    ours = summary([r['payload_bytes_per_s'] for r in rounds])
    detail = {'rounds': rounds, 'matched': like, 'best': best, 'best_shape': best_words(*shape), 'settings': SETTINGS,
              'preparation': 'outside', 'link': 'memif, 1400-byte frames, 4 sessions'}
    void = [f'segments ran out {sum(r["prep_misses"] for r in rounds):.0f} times'] if any(r['prep_misses'] for r in rounds) else []

    def row(name, reference, goal, figure='payload_bytes_per_s'):
        mine = [r[figure] for r in rounds]
        return {'name': name, 'ours': summary(mine), 'reference': summary([r['bytes_per_s'] for r in reference]), 'unit': 'bytes/s',
                'ratio': summary([a / b['bytes_per_s'] for a, b in zip(mine, reference)]), 'goal': goal, 'void': list(void)}
    rows = [row('durable / fio alike', like, 0.6), row('durable / fio best', best, 0.4),
            row('device bytes / fio alike', like, None, 'device_bytes_per_s')]
    rows[0]['detail'], rows[0]['ours'] = detail, ours
    return rows


def window(bench):
    """log in memory -> count window on one core, and a plain loop over the same record batches"""
    rows = []
    for value_bytes, records in ((100, 100), (100, 10), (1000, 1)):
        command = ['taskset', '-c', '0', bench.tool('tests/bench/path/window_bench'), str(value_bytes), str(records),
                   str(bench.rounds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Wrong(f'window_bench: exit {done.returncode}: {done.stdout[-500:]}{done.stderr}')
        rounds = [json.loads(line) for line in done.stdout.splitlines()]
        ours, loop = [r['job_per_s'] for r in rounds], [r['plain_loop_per_s'] for r in rounds]
        rows.append({'name': f'window / loop, {records} x {value_bytes} B', 'ours': summary(ours), 'reference': summary(loop),
                     'unit': 'records/s', 'ratio': summary([a / b for a, b in zip(ours, loop)]), 'detail': rounds})
        if (value_bytes, records) == (100, 10):
            rows.append({'name': f'window / {GOAL_RECORDS / 1e6:g} M records/s', 'ours': summary(ours),
                         'reference': summary([GOAL_RECORDS] * len(ours)), 'unit': 'records/s',
                         'ratio': summary([a / GOAL_RECORDS for a in ours]), 'goal': 1.0})
    return rows


PARTS = (memif, durable, window)
