#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What dev mode promises on a small machine: idle CPU, memory, time to start; and the demo without anything.

The CPU bound is a ratio of the daemon's own CPU time to the wall clock, so other load does not raise it. Time to
start is the least of several: load can only add to it.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from penstock_daemon import Control, ControlError, Daemon, log_check, produce, tool

IDLE_SHARE, RSS_MIB, READY_MS = 0.05, 300, 1000
WINDOW_SECONDS, STARTS = 6, 5
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../docs/examples/data/flights-2013.csv.xz')
NOBODY = '65534'


def cpu_seconds(pid):
    with open(f'/proc/{pid}/stat', encoding='ascii') as file:
        fields = file.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def resident_mib(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        rows = dict(re.findall(r'^(VmRSS|HugetlbPages):\s+(\d+) kB', file.read(), re.M))
    return sum(int(kb) for kb in rows.values()) / 1024


def idle_and_small():
    with Daemon('broker.num.partitions=4') as daemon:
        time.sleep(1)  # start-up is over
        before, since = cpu_seconds(daemon.process.pid), time.monotonic()
        time.sleep(WINDOW_SECONDS)
        share = (cpu_seconds(daemon.process.pid) - before) / (time.monotonic() - since)
        idle_mib = resident_mib(daemon.process.pid)
        report = produce(daemon, 'small', 4, 2, 100000, 100)
        assert report['durable'] == 100000, report
        loaded_mib = resident_mib(daemon.process.pid)
        print(f'idle: {share:.2%} of one CPU over {WINDOW_SECONDS} s, {idle_mib:.0f} MiB; after 100,000 records: {loaded_mib:.0f} MiB')
        assert share < IDLE_SHARE, f'{share:.2%} of one CPU without work'
        assert idle_mib < RSS_MIB and loaded_mib < RSS_MIB, (idle_mib, loaded_mib)
        assert daemon.stop() == 0


def both_loopbacks():
    """The default binds 127.0.0.1 and ::1, on one port; the receive buffer is as the port says."""
    with Daemon('ports=[{driver: socket, rcvbuf: 96KiB}]', 'broker.num.partitions=2') as daemon:
        for topic, host in (('four', '127.0.0.1'), ('six', '[::1]')):
            report = produce(daemon, topic, 2, 2, 5000, 100, bootstrap=f'{host}:{daemon.port}')
            assert report['durable'] == 5000, (host, report)
        assert re.search(rf'kernel UDP sockets at 127.0.0.1 and ::1, port {daemon.port}, receive buffer 96 KiB', daemon.log())
        assert daemon.stop() == 0


def ready_ms():
    """From exec to the line that says it serves, in a new directory."""
    with Daemon() as daemon:
        own = int(re.search(r'ready in (\d+) ms', daemon.log())[1])
        assert daemon.stop() == 0
        return daemon.ready_seconds * 1000, own


def starts_quickly():
    times = []
    while len(times) < STARTS and not (times and min(times)[0] < READY_MS):
        times.append(ready_ms())
    print('start to ready (seen, own): ' + ', '.join(f'{seen:.0f} ms, {own} ms' for seen, own in times))
    assert min(times)[0] < READY_MS, times


def confined(folder, *limits):
    """The prefix of a command that runs as an ordinary user; as such a user there is nothing to change."""
    user = ['--user', NOBODY] if os.geteuid() == 0 else []
    return [os.path.join(folder, 'confined'), *user, *limits, '--']


def open_folder():
    """What an ordinary user may read and run, whatever the rights of the build directory are."""
    folder = tempfile.mkdtemp(prefix='penstock-poor-')
    plugin = os.path.join(os.path.dirname(tool('penstock')), 'docs/examples/delays.so')
    for path in (tool('penstock'), tool('penstockd'), tool('confined'), plugin, DATA):
        shutil.copy(path, folder)
    os.mkdir(os.path.join(folder, 'home'))
    if os.geteuid() == 0:
        os.chown(os.path.join(folder, 'home'), int(NOBODY), int(NOBODY))
    os.chmod(folder, 0o755)
    return folder


def run_as_poor(folder, limits, *words):
    home = os.path.join(folder, 'home')
    return subprocess.run(confined(folder, *limits) + list(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=150, cwd=home, check=False, env={'PATH': os.environ['PATH'], 'HOME': home, 'TMPDIR': home})


def demo_without_anything(folder):
    """Ordinary user, no locked memory, io_uring refused as Docker's profile does: it adds up and says what is used instead."""
    done = run_as_poor(folder, ['--memlock', '0', '--no-io-uring'], os.path.join(folder, 'penstock'), 'demo', '--data',
                       os.path.join(folder, os.path.basename(DATA)))
    said = done.stdout + done.stderr
    assert done.returncode == 0, f'exit {done.returncode}\n{said}'
    assert 'adds up' in said and 'does not add up' not in said, said
    assert 'pwrite + fdatasync, still durable' in said and 'seccomp' in said, said
    assert not os.listdir(os.path.join(folder, 'home')), 'the demo left something behind'


def common_memlock(folder):
    """The kernel's default of 8 MiB locked memory is less than the log's buffers: io_uring works all the same."""
    limits = ['--memlock', str(8 << 20)]
    for name, more in (('buffers', []), ('none', ['--memlock', '0'])):
        state = os.path.join(folder, 'home', name)
        os.mkdir(state)
        if os.geteuid() == 0:
            os.chown(state, int(NOBODY), int(NOBODY))
        with Daemon('broker.num.partitions=4', state=state, prefix=confined(folder, *limits, *more),
                    program=os.path.join(folder, 'penstockd')) as daemon:
            wanted = 'io_uring without registered buffers' if not more else 'RLIMIT_MEMLOCK is 0 KiB'
            assert wanted in daemon.log() and 'fix: ulimit -l unlimited' in daemon.log(), daemon.log()
            assert (', uring, ' if not more else ', sync, ') in daemon.log(), daemon.log()
            report = produce(daemon, 'poor', 4, 2, 20000, 1000)
            assert daemon.stop() == 0, daemon.log()
            found = log_check(daemon, 'poor')
            assert found['records'] == 20000 and found['digest'] == report['digest'], (found, report)
        shutil.rmtree(state)


def stops_in_time():
    """With a record on its way to a disk that takes half a minute: `sys stop --deadline` and a second signal do not wait for it; who asked is told."""
    for how in ('deadline', 'signals'):
        with Daemon('fault.io.flush_delay=30s') as daemon:
            creating = subprocess.Popen([tool('penstock'), '--socket', os.path.join(daemon.state, 'ctl.sock'), 'topic', 'create', 't'],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            while daemon.call('metric.get', names=['penstock_log_append_records_total'])['series'][0]['value'] == 0:
                time.sleep(0.05)
            since = time.monotonic()
            if how == 'deadline':
                daemon.call('sys.stop', deadline_ms=500)
            else:
                daemon.process.send_signal(signal.SIGTERM)
                while daemon.call('sys.get')['state'] == 'running':
                    time.sleep(0.05)
                daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(60) == 0 and time.monotonic() - since < 20, daemon.log()
            assert 'log not sealed in time; the next start recovers' in daemon.log(), daemon.log()
            said = creating.communicate(timeout=60)[1]
            assert creating.returncode == 1 and 'topic.create: the daemon stopped; this may have been carried out' in said, said
            daemon.hang_up()


def connect(daemon):
    path, until = os.path.join(daemon.state, 'ctl.sock'), time.monotonic() + 30
    while time.monotonic() < until:
        try:
            return Control(path)
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(0.01)
    raise AssertionError(f'no control socket:\n{daemon.log()}')


def answers_while_recovering():
    """A start whose recovery takes long is looked at and stopped; the next one finds everything."""
    partitions, delay = 20, 0.5
    with Daemon() as daemon:
        daemon.call('topic.create', topic='kept', partitions=partitions)
        daemon.kill()
        daemon.settings.append(f'fault.io.recovery_delay={delay * 1000:.0f}ms')
        daemon.launch()
        control = connect(daemon)
        assert control.hello['state'] == 'recovering', control.hello
        while not (health := control.call('health.get'))['reasons'][0].endswith(f' of {partitions + 1} partitions are recovered'):
            assert not health['ready'] and health['state'] == 'recovering', health
            time.sleep(0.02)
        assert control.call('sys.get')['state'] == 'recovering' and control.call('lcore.list') and control.call('metric.get')
        try:
            control.call('topic.list')
            raise AssertionError('topic.list answered')
        except ControlError as error:
            assert error.kind == 'invalid_state' and error.data['next'] == 'penstock health wait', error
        since = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(60) == 0, daemon.log()
        assert time.monotonic() - since < partitions * delay / 2, 'it did not stop before the end of the recovery'
        assert 'stopped while the log was being recovered' in daemon.log(), daemon.log()
        control.close()
        daemon.settings.pop()
        daemon.start()
        assert len(daemon.call('partition.list', topic='kept')['partitions']) == partitions
        assert daemon.stop() == 0


def hangup_changes_nothing():
    with Daemon() as daemon:
        daemon.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 10
        while 'SIGHUP changes nothing' not in daemon.log() and daemon.process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        assert daemon.process.poll() is None and 'SIGHUP changes nothing' in daemon.log(), daemon.log()
        assert daemon.call('sys.get')['state'] == 'running'
        assert daemon.stop() == 0


def forced_method_is_a_warning():
    """The durable method that the probe did not choose, by its setting: told in the log and in health, which stays ready."""
    with Daemon() as daemon:
        chosen = daemon.call('sys.get')['log']['durable_method']
        before = daemon.call('health.get')['warnings']
        assert daemon.stop() == 0
    assert not any('by its setting' in text for text in before), before
    with Daemon(f'log.durable.method={"flush" if chosen == "dsync" else "dsync"}') as daemon:
        health = daemon.call('health.get')
        assert health['ready'] and health['reasons'] == [], health
        found = [text for text in health['warnings'] if text.startswith('log.durable.method is ')]
        assert len(found) == 1 and 'fix: ' in found[0] and found[0] in daemon.log(), (health, daemon.log())
        assert daemon.stop() == 0


def main():
    forced_method_is_a_warning()
    both_loopbacks()
    idle_and_small()
    starts_quickly()
    stops_in_time()
    answers_while_recovering()
    hangup_changes_nothing()
    folder = open_folder()
    try:
        common_memlock(folder)
        demo_without_anything(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main())
