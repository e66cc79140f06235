#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""partition.repair as an operator meets it: damage is found, the loss is named, refused, accepted or undone by the file
put back; no restart; a kill in the middle leaves it undone or done."""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

from penstock_daemon import ControlError, Daemon, produce, tool

RECORDS, BYTES, SECONDS = 20000, 400, 30
KILLS, SEED = 8, int(os.environ.get('PENSTOCK_SEED', '1'))


def segments(daemon, suffix):
    folder = os.path.join(daemon.data_dir(), 't-0')
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(suffix)]


def flip(path, position=None):
    """The same once more undoes it. In the middle of a sealed segment there are batches."""
    position = os.path.getsize(path) // 2 if position is None else position
    with open(path, 'r+b') as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1]))


def counted(daemon, name):
    """Records that a job over the whole topic sees; its reason if it failed."""
    text = {'name': name, 'topics': ['t'], 'start': 'earliest', 'batch_interval': '50ms', 'function': {'builtin': 'count'}}
    daemon.call('job.create', text=json.dumps(text))
    until = time.monotonic() + SECONDS
    while True:
        answer = daemon.call('job.describe', job=name)
        if answer['state'] == 'failed':
            daemon.call('job.delete', job=name)
            return answer['reason']
        if not answer['lag_records']:
            daemon.call('job.drain', job=name)
            records = sum(row['records'] for row in daemon.call('window.list', job=name)['windows'])
            daemon.call('job.delete', job=name)
            return records
        assert time.monotonic() < until, answer
        time.sleep(0.05)


def state(daemon):
    return daemon.call('partition.list', topic='t')['partitions'][0]


def cli(daemon, *words):
    return subprocess.run([tool('penstock'), '--socket', os.path.join(daemon.state, 'ctl.sock'), *words], text=True,
                          capture_output=True, check=False)


def three_segments(daemon):
    daemon.call('topic.create', topic='t', partitions=1)
    for _ in range(3):
        produce(daemon, 't', 1, 1, RECORDS, BYTES)
        daemon.call('partition.roll', topic='t', partition=0)
    until = time.monotonic() + SECONDS
    while len(segments(daemon, '.seal')) < max(3, len(segments(daemon, '.log'))):
        assert time.monotonic() < until, (segments(daemon, '.seal'), segments(daemon, '.log'))
        time.sleep(0.05)


def damaged_on_disk(daemon):
    """What is still in memory would be read from there: it is gone with the process."""
    daemon.kill()
    flip(segments(daemon, '.log')[1])
    daemon.start()
    reason = counted(daemon, 'finds')
    assert isinstance(reason, str) and 't-0' in reason and 'partition repair t 0' in reason, reason
    assert state(daemon)['state'] == 'quarantined'


def found_and_accepted(daemon):
    """The whole way by the CLI, with the very command that the refusal names."""
    end = state(daemon)['log_end_offset']
    assert end == 3 * RECORDS
    damaged_on_disk(daemon)
    reasons = daemon.call('health.get')
    assert reasons['ready'] and any('quarantine' in reason and 't-0' in reason for reason in reasons['reasons']), reasons
    refused = cli(daemon, 'partition', 'repair', 't', '0', '--action', 'restore', '--yes')
    assert refused.returncode != 0 and 'data_loss_refused' in refused.stderr, refused
    named = re.search(r'penstock (partition repair t 0 --action accept_loss --from (\d+) --until (\d+) --yes)', refused.stderr)
    lost = int(named.group(3)) - int(named.group(2))
    assert 0 < lost < RECORDS, refused.stderr
    other = cli(daemon, 'partition', 'repair', 't', '0', '--action', 'accept_loss', '--from', '0', '--until', str(end), '--yes')
    assert other.returncode != 0 and named.group(1) in other.stderr, other
    assert state(daemon)['state'] == 'quarantined'
    done = cli(daemon, '-o', 'json', *named.group(1).split())
    assert done.returncode == 0, done
    answer = json.loads(done.stdout)['data']
    assert answer == {'base_offset': end, 'lost_offsets': lost, 'segments_written': 1}, answer
    assert state(daemon)['state'] == 'serving' and not daemon.call('health.get')['reasons']
    uid = os.getuid()
    assert re.search(rf'PEN-2101 .* t-0: uid {uid}, pid \d+, accept_loss \[{named.group(2)}, {named.group(3)}\): done, {lost} offsets',
                     daemon.log()), daemon.log()
    return lost


def accepted():
    with Daemon() as daemon:
        three_segments(daemon)
        lost = found_and_accepted(daemon)
        assert counted(daemon, 'before') == 3 * RECORDS - lost
        produce(daemon, 't', 1, 1, RECORDS, BYTES)  # the same producer goes on
        assert counted(daemon, 'after') == 4 * RECORDS - lost
        assert daemon.stop() == 0, daemon.log()
        dumped = subprocess.run([tool('penstock'), 'log', 'dump', os.path.join(daemon.data_dir(), 't-0')], text=True,
                                capture_output=True, check=False)
        assert dumped.returncode == 0, dumped.stdout[-2000:] + dumped.stderr[-2000:]
        daemon.start()
        assert counted(daemon, 'restarted') == 4 * RECORDS - lost
        assert daemon.stop() == 0, daemon.log()


def restored():
    with Daemon() as daemon:
        three_segments(daemon)
        damaged_on_disk(daemon)
        flip(segments(daemon, '.log')[1])
        try:
            daemon.call('partition.repair', topic='t', partition=0, action='accept_loss', **{'from': 5, 'until': 6})
            raise AssertionError('a loss was accepted that there is not')
        except ControlError as error:
            assert error.kind == 'precondition_failed', error
        answer = daemon.call('partition.repair', topic='t', partition=0, action='restore')
        assert answer['lost_offsets'] == 0, answer
        assert counted(daemon, 'all') == 3 * RECORDS
        for more in ({'action': 'restore', 'from': 1}, {'action': 'accept_loss', 'from': 5},
                     {'action': 'accept_loss', 'from': 5, 'until': 5}):
            try:
                daemon.call('partition.repair', topic='t', partition=0, **more)
                raise AssertionError(more)
            except ControlError as error:
                assert error.kind == 'invalid_param', error
        try:
            daemon.call('partition.repair', topic='t', partition=0, action='restore')
            raise AssertionError('repaired twice')
        except ControlError as error:
            assert error.kind == 'invalid_state' and error.data['state'] == 'serving', error
        assert daemon.stop() == 0, daemon.log()


def killed(damaged, loss, seconds):
    """From one damaged data directory, again and again: SIGKILL some moments after the choice."""
    folder = tempfile.mkdtemp(prefix='penstock-test-')
    shutil.copytree(damaged, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns('*.sock', '*.txt', '*.lock'))
    daemon = Daemon(state=folder).start()
    assert state(daemon)['state'] == 'quarantined', state(daemon)
    request = {'jsonrpc': '2.0', 'id': 1, 'method': 'partition.repair',
               'params': {'topic': 't', 'partition': 0, 'action': 'accept_loss', **loss}}
    daemon.call('sys.get')
    daemon.control.file.write(json.dumps(request).encode() + b'\n')
    daemon.control.file.flush()
    time.sleep(seconds)
    daemon.kill()
    daemon.start()
    undone = state(daemon)['state'] == 'quarantined'
    if undone:
        daemon.call('partition.repair', topic='t', partition=0, action='accept_loss', **loss)
    assert state(daemon)['state'] == 'serving', state(daemon)
    assert counted(daemon, 'all') == 3 * RECORDS - (loss['until'] - loss['from'])
    assert daemon.stop() == 0, daemon.log()
    shutil.rmtree(folder)
    return undone


def kills():
    rand = random.Random(SEED)
    with Daemon() as daemon:
        three_segments(daemon)
        daemon.kill()
        flip(segments(daemon, '.seal')[-3], 20)  # the oldest that a start reads: all behind it is in doubt
        flip(segments(daemon, '.log')[-2])
        daemon.start()
        assert state(daemon)['state'] == 'quarantined', state(daemon)
        try:
            daemon.call('partition.repair', topic='t', partition=0, action='restore')
            raise AssertionError('nothing is lost?')
        except ControlError as error:
            assert error.kind == 'data_loss_refused', error
            lost = error.data['lost']
            assert error.data['accept'] == {'action': 'accept_loss', 'from': lost['from'], 'until': lost['until']}, error
        loss = {'from': lost['from'], 'until': lost['until']}
        daemon.kill()
        undone = [killed(daemon.state, loss, rand.uniform(0, (0.02, 0.4)[i % 2])) for i in range(KILLS)]
    print(f'{KILLS} kills in a repair (seed {SEED}): {sum(undone)} before its decision, {KILLS - sum(undone)} behind it')


def main():
    accepted()
    restored()
    kills()
    print('a loss is accepted by its name only; a file put back undoes it; no restart')


if __name__ == '__main__':
    sys.exit(main())
