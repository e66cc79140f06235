# SPDX-License-Identifier: Apache-2.0
"""What the scenarios share: a daemon on a port of its own, fio, counters, rounds, conditions."""
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
READY_SECONDS = 30
PAGE_BYTES = 4096
TOUCH_BYTES = 2 << 30


class CannotRun(Exception):
    """With the reason: the part is skipped, not failed."""


class Wrong(Exception):
    """A measurement that contradicts itself: the run fails."""


class Bench:
    """What a scenario is given: where things are, how many rounds, how long one lasts."""

    def __init__(self, build, quick, rounds):
        self.build, self.quick = build, quick
        self.rounds = rounds or (2 if quick else 5)
        self.seconds = 2 if quick else 5
        self.directory = tempfile.mkdtemp(prefix='penstock-bench-')

    def tool(self, name):
        path = os.path.join(self.build, name)
        if not os.access(path, os.X_OK):
            raise Wrong(f'{path} is not built')
        return path

    def progress(self, text):
        print(f'  {time.strftime("%H:%M:%S")} {text}', file=sys.stderr, flush=True)

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)


def need(program, package):
    if shutil.which(program) is None:
        raise CannotRun(f'{program} is not installed: apt-get install {package}')


def touch_memory():
    """First touch of a virtual machine's memory is slow: once, before any figure."""
    with open('/proc/meminfo', encoding='ascii') as file:
        free = int(re.search(r'MemAvailable: +(\d+)', file.read()).group(1)) * 1024
    block = bytearray(min(TOUCH_BYTES, free // 2))
    for at in range(0, len(block), PAGE_BYTES):
        block[at] = 1


def cpu_times():
    """(stolen, all) ticks of the machine."""
    with open('/proc/stat', encoding='ascii') as file:
        fields = [int(word) for word in file.readline().split()[1:]]
    return fields[7], sum(fields[:8])


def command_line(*words):
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip().splitlines()[0]
    except (OSError, IndexError):
        return 'none'


def conditions(bench):
    return {
        'cpus': os.cpu_count(), 'kernel': platform.release(), 'machine': platform.machine(),
        'file_system': command_line('stat', '-f', '-c', '%T', bench.directory),
        'fio': command_line('fio', '--version'), 'dpdk': command_line('pkg-config', '--modversion', 'libdpdk'),
        'penstock': command_line(bench.tool('penstockd'), '--version'),
        'load_before': os.getloadavg()[0], 'rounds': bench.rounds, 'seconds_a_round': bench.seconds,
        'quick': bench.quick, 'time': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
    }


def summary(values):
    return {'median': statistics.median(values), 'min': min(values), 'max': max(values), 'values': values}


class Daemon:
    """A real penstockd in dev mode, pinned as a profile would, in a directory of its own."""

    def __init__(self, bench, *settings, environment=None):
        self.bench, self.settings, self.environment = bench, settings, environment or {}
        self.state = tempfile.mkdtemp(dir=bench.directory)
        self.socket = os.path.join(self.state, 'ctl.sock')
        self.log_path = os.path.join(self.state, 'stderr.txt')
        self.process, self.port = None, 0

    def __enter__(self):
        command = [self.bench.tool('penstockd'), '--dev', '--state', self.state]
        for setting in self.settings:
            command += ['--set', setting]
        with open(self.log_path, 'w', encoding='utf-8') as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env={**os.environ, **self.environment})
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            found = re.search(r'lane 0 +udp port (\d+)', self.log())
            if found and 'control ' in self.log():
                self.port = int(found.group(1))
                return self
            time.sleep(0.02)
        self.__exit__(None, None, None)
        raise Wrong(f'penstockd did not get ready:\n{self.log()[-1500:]}')

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if kind is None:
            shutil.rmtree(self.state, ignore_errors=True)

    def log(self):
        with open(self.log_path, encoding='utf-8', errors='replace') as log:
            return log.read()

    def ctl(self, *words):
        done = subprocess.run([self.bench.tool('penstock'), '-s', self.socket, *words], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise Wrong(f'penstock {" ".join(words)}: {done.stderr.strip()}')
        return done.stdout

    def counters(self):
        """Counters by name, summed over their labels, and the moment they were read."""
        values = {}
        at = time.monotonic()
        for line in self.ctl('metric', 'get').splitlines():
            words = line.split()
            if len(words) >= 2 and words[0].startswith('penstock_'):
                try:
                    values[words[0]] = values.get(words[0], 0) + float(words[-1])
                except ValueError:
                    continue
        values['at'] = at
        return values

    def wait_prepared(self, spares=2, seconds=60):
        """Until all segments that will be needed are prepared: preparation is then not measured."""
        until = time.monotonic() + seconds
        steady = 0
        while steady < 5:
            names = os.listdir(os.path.join(self.state, 'log'))
            whole = sum(name.endswith('.prep') for name in names) >= spares
            steady = steady + 1 if whole and not any(name.endswith('.tmp') for name in names) else 0
            if time.monotonic() > until:
                raise Wrong(f'segments were not prepared within {seconds} s')
            time.sleep(0.1)


def delta(before, after):
    return {name: after[name] - before.get(name, 0) for name in after}


def loadgen(bench, daemon, *words, timeout=180):
    command = [bench.tool('tests/bench/loadgen/penstock-loadgen'), '--bootstrap', f'127.0.0.1:{daemon.port}', *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise Wrong(f'penstock-loadgen: exit {done.returncode}: {done.stdout}{done.stderr}')
    return json.loads(done.stdout)


def fio(bench, name, *words, size='512m', seconds=None):
    """One fio job over a prewritten file in the bench's directory; returns its write figures."""
    need('fio', 'fio')
    path = os.path.join(bench.directory, 'fio.dat')
    common = ['--name=' + name, '--filename=' + path, '--size=' + size, '--output-format=json', '--rw=write',
              '--overwrite=1', '--direct=1', '--ioengine=io_uring', '--refill_buffers']
    if not os.path.exists(path):
        subprocess.run(['fio', *common, '--bs=1m', '--iodepth=8', '--end_fsync=1'], stdout=subprocess.DEVNULL, check=True)
    fixed = ['--fixedbufs=1', '--registerfiles=1', '--nonvectored=1', '--time_based', '--cpus_allowed=0',
             f'--runtime={seconds or bench.seconds}']
    done = subprocess.run(['fio', *common, *fixed, *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Wrong(f'fio: {done.stderr.strip()}')
    job = json.loads(done.stdout[done.stdout.index('{'):])['jobs'][0]
    sync = job.get('sync', {}).get('lat_ns', {})
    return {'bytes_per_s': job['write']['bw_bytes'], 'writes_per_s': job['write']['iops'],
            'write_ns': job['write']['clat_ns']['mean'], 'sync_ns': sync.get('mean', 0), 'syncs': job.get('sync', {}).get('total_ios', 0)}
