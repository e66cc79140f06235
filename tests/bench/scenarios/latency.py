# SPDX-License-Identifier: Apache-2.0
"""Acknowledgement at a moderate rate: what group commit adds to the disk's own time."""
from measure import Daemon, delta, fio, loadgen, need, summary

WHAT = 'ack latency at a fixed rate, against a bare 4 KiB write and flush'
RATE = 20000


def fixed_rate(bench):
    """p50 and p99 from the due time at 20,000 records/s of 100 B over kernel sockets; fio 4 KiB + fdatasync between"""
    need('fio', 'fio')
    reports, flushes, engine = [], [], []
    for number in range(bench.rounds):
        flush = fio(bench, 'flush', '--bs=4k', '--iodepth=1', '--fdatasync=1', seconds=2)
        flushes.append((flush['write_ns'] + flush['sync_ns']) / 1e3)
        with Daemon(bench, 'native.port=0') as daemon:
            daemon.ctl('topic', 'create', 'rate', '--partitions', '4')
            daemon.wait_prepared()
            loadgen(bench, daemon, '--topic', 'rate', '--partitions', '4', '--count', '1000')
            before = daemon.counters()
            reports.append(loadgen(bench, daemon, '--topic', 'rate', '--partitions', '4', '--rate', str(RATE), '--record-bytes',
                                   '100', '--duration', str(bench.seconds)))
            d = delta(before, daemon.counters())
        groups, done = d['penstock_log_groups_total'], max(1, d['penstock_log_flushes_total'])
        engine.append({'group_us': d['penstock_log_group_ns_total'] / groups / 1e3, 'groups_per_s': groups / d['at'],
                       'flush_us': d['penstock_log_flush_ns_total'] / done / 1e3,
                       'records_a_batch': d['penstock_log_append_records_total'] / d['penstock_log_append_batches_total']})
        bench.progress(f'round {number + 1}: p50 {reports[-1]["latency_ns"]["p50"] / 1e3:.0f} us, flush in the engine '
                       f'{engine[-1]["flush_us"]:.0f} us, bare {flushes[-1]:.0f} us')

    def row(name, ours, reference, **more):
        return {'name': name, 'ours': summary(ours), 'reference': summary(reference), 'unit': 'us', 'less_is_better': True,
                'ratio': summary([a / b for a, b in zip(ours, reference)]), **more}
    p50 = [r['latency_ns']['p50'] / 1e3 for r in reports]
    p99 = [r['latency_ns']['p99'] / 1e3 for r in reports]
    slow = [r for r in reports if r['records_per_s'] < 0.95 * RATE]
    void = [f'{len(slow)} rounds did not reach the rate'] if slow else []
    own = [e['flush_us'] for e in engine]
    return [row('ack p50 / bare flush', p50, flushes, void=list(void), detail={'reports': reports, 'engine': engine}),
            row('ack p50 / engine flush', p50, own, void=list(void)), row('ack p99 / engine flush', p99, own, void=list(void))]


PARTS = (fixed_rate,)
