# SPDX-License-Identifier: Apache-2.0
"""A real penstockd for system tests: its own directory, any free port, ended by its own pid."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

BUILD = os.environ.get('PENSTOCK_BUILD', 'build')


def tool(name):
    for folder in ('', 'tests/system'):
        path = os.path.join(BUILD, folder, name)
        if os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(f'{name} is not built in {BUILD}')


class Daemon:
    def __init__(self, *settings, state=None, port=0):
        self.own_state = state is None
        self.state = state or tempfile.mkdtemp(prefix='penstock-test-')
        self.settings, self.port, self.process = list(settings), port, None
        self.log_path = os.path.join(self.state, 'stderr.txt')

    def start(self, seconds=30):
        """Starts it and waits until it says that it is ready."""
        command = [tool('penstockd'), '--dev', '--state', self.state, '--set', f'native.port={self.port}']
        for setting in self.settings:
            command += ['--set', setting]
        mark = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with open(self.log_path, encoding='utf-8', errors='replace') as log:
                log.seek(mark)
                text = log.read()
            found = re.search(r'lane 0 +udp port (\d+)', text)
            if found and 'control ' in text:
                self.port = int(found.group(1))
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise AssertionError(f'penstockd did not get ready (exit {self.process.poll()}):\n{self.log()}')

    def log(self):
        with open(self.log_path, encoding='utf-8', errors='replace') as log:
            return log.read()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=60):
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f'penstockd did not stop within {seconds} s:\n{self.log()}') from None

    def bootstrap(self):
        return f'127.0.0.1:{self.port}'

    def data_dir(self):
        return os.path.join(self.state, 'log')

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        if self.process and self.process.poll() is None:
            self.kill()
        if kind is not None:
            print(f'--- penstockd said:\n{self.log()[-6000:]}')
        if self.own_state:
            shutil.rmtree(self.state, ignore_errors=True)


def produce(daemon, topic, partitions, producers, records, size, *more, timeout=300):
    """Runs the checked producer to its end; returns its report."""
    command = [tool('produce_check'), '--bootstrap', daemon.bootstrap(), '--topic', topic, '--partitions', str(partitions),
               '--producers', str(producers), '--records', str(records), '--bytes', str(size), *more]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout)
    assert result.returncode == 0, f'produce_check: {result.stdout}{result.stderr}'
    return json.loads(result.stdout)


def log_check(daemon, topic):
    """Reads the stopped (or live) log as files; fails on CRC, gap, order or duplicate."""
    result = subprocess.run([tool('log_check'), daemon.data_dir(), topic, '--order'], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, timeout=300)
    assert result.returncode == 0, f'log_check: {result.stdout}{result.stderr}'
    return json.loads(result.stdout)
