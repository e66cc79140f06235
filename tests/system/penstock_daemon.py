# SPDX-License-Identifier: Apache-2.0
"""A real penstockd for system tests: its own directory, any free port, ended by its own pid, and the drop
ledger asserted before every ordinary end."""
import functools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../ctrl/schema')
sys.path.insert(0, SCHEMA)

import gen_common  # noqa: E402

BUILD = os.environ.get('PENSTOCK_BUILD', 'build')
# What must be empty once nothing is in flight any more.
HOLDS = ('hold', 'hold_records', 'hold_bytes')
LEDGER_SECONDS = 20
TRACE_LINE = re.compile(r'trace of the I/O seam: (\d+) DURABLE notes judged, (\d+) groups proven')
LOST_LINE = re.compile(r'did not come home|\bleak|event=PEN-3001')


def tool(name):
    for folder in ('', 'tests/system'):
        path = os.path.join(BUILD, folder, name)
        if os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(f'{name} is not built in {BUILD}')


@functools.cache
def promised():
    """What errors.yaml says that the data of each kind carries."""
    return {row['kind']: row['data'] for row in gen_common.load(os.path.join(SCHEMA, 'errors.yaml'))['errors']}


class ControlError(Exception):
    """An error answer: its kind and data as the method gave them. One that breaks its promise fails whatever test it is in."""

    def __init__(self, error):
        self.code, self.data = error['code'], error.get('data', {})
        self.kind = self.data.get('kind')
        for name in promised()[self.kind]:
            assert self.data.get(name.rstrip('?')) is not None or (name.endswith('?') and name[:-1] in self.data), (name, error)
        super().__init__(json.dumps(error))


class Control:
    """The control socket: one JSON object a line, calls one after the other."""

    def __init__(self, path, seconds=120):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(path)
        self.file = self.socket.makefile('rwb')
        self.hello = json.loads(self.file.readline())['params']
        self.calls = 0

    def call(self, method, **params):
        return self.call_with(method, params)

    def call_with(self, method, params):
        self.calls += 1
        request = {'jsonrpc': '2.0', 'id': self.calls, 'method': method, 'params': params}
        self.file.write(json.dumps(request).encode() + b'\n')
        self.file.flush()
        while True:
            line = self.file.readline()
            assert line, f'{method}: the daemon closed the control socket'
            answer = json.loads(line)
            if answer.get('id') == self.calls:
                break
        if 'error' in answer:
            raise ControlError(answer['error'])
        return answer['result']

    def close(self):
        self.file.close()
        self.socket.close()


class Daemon:
    """start, stop, kill, call. `prefix`: words before the program, such as those that enter a namespace or confine it;
    `program`: another copy of penstockd."""

    def __init__(self, *settings, state=None, port=0, prefix=(), program=None):
        self.program, self.ready_seconds = program, None
        self.own_state = state is None
        self.state = state or tempfile.mkdtemp(prefix='penstock-test-')
        os.makedirs(self.state, exist_ok=True)
        self.settings, self.port, self.process = list(settings), port, None
        self.prefix, self.control, self.mark = list(prefix), None, 0
        self.log_path = os.path.join(self.state, 'stderr.txt')

    def launch(self):
        """Starts it and does not wait. Returns where its words begin in the log."""
        command = [*self.prefix, self.program or tool('penstockd'), '--dev', '--state', self.state, '--set', f'native.port={self.port}']
        # The trace of the I/O seam: a DURABLE note before the flush that covers it ends the daemon.
        for setting in ['fault.io.trace=true', *self.settings]:
            command += ['--set', setting]
        self.mark = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        return self.mark

    def start(self, seconds=30):
        """Starts it and waits until it says that it is ready."""
        since = time.monotonic()
        mark = self.launch()
        while time.monotonic() < since + seconds:
            with open(self.log_path, encoding='utf-8', errors='replace') as log:
                log.seek(mark)
                text = log.read()
            found = re.search(r'lane 0 +udp port (\d+)', text)
            if found and 'control ' in text:
                self.port = int(found.group(1))
                self.ready_seconds = time.monotonic() - since
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        raise AssertionError(f'penstockd did not get ready (exit {self.process.poll()}):\n{self.log()}')

    def log(self):
        with open(self.log_path, encoding='utf-8', errors='replace') as log:
            return log.read()

    def call(self, method, **params):
        if self.control is None:
            self.control = Control(os.path.join(self.state, 'ctl.sock'))
        return self.control.call(method, **params)

    def hang_up(self):
        if self.control:
            self.control.close()
            self.control = None

    def kill(self):
        self.hang_up()
        ended = self.process.poll()
        assert ended is None or ended >= 0, f'penstockd ended by itself, by signal {-ended}:\n{self.log()}'
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=60):
        """The ledger's check, then SIGTERM; returns the exit status."""
        stored = sum(lane['stored_records'] for lane in self.check_ledger())
        self.hang_up()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
            self.check_log()
            if status == 0:
                self.check_trace(stored)
            return status
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f'penstockd did not stop within {seconds} s:\n{self.log()}') from None

    def check_log(self):
        """Nothing in its log tells of something lost: buffers that stayed out, a ledger that did not add up."""
        lost = [line for line in self.log().splitlines() if LOST_LINE.search(line)]
        assert not lost, f'penstockd says that it lost something: {lost}'

    def check_trace(self, stored):
        """What was acknowledged since the start was judged by the trace of the I/O seam."""
        with open(self.log_path, encoding='utf-8', errors='replace') as log:
            log.seek(self.mark)
            assert_traced(log.read(), stored)

    def check_ledger(self):
        """Producers have ended: every visible equation balances and nothing is held. Returns the lanes' counters.
        Numbers of different threads and of the driver settle within a moment, so it asks again until they have."""
        until = time.monotonic() + LEDGER_SECONDS
        while True:
            ledger = self.call('drop.list')
            faults = ledger_faults(ledger)
            if not faults:
                return [lane['counters'] for lane in ledger['lanes']]
            assert time.monotonic() < until, f'the ledger does not add up: {"; ".join(faults)}\n{json.dumps(ledger)}'
            time.sleep(0.1)

    def check_lossless(self, sessions=0, allowed=()):
        """No drop of any reason, and no loss that the driver saw. Allowed are the repeats of a HELLO whose answer was slow and
        of a CLOSE that was answered already, of so many sessions: a loaded machine makes a client repeat them; and what
        `allowed` names, so often."""
        self.check_ledger()
        allowed = {'hello_pending': 10 * sessions, 'session_unknown': 3 * sessions, **dict(allowed)}
        for lane in self.call('drop.list')['lanes']:
            dropped = {name: value for name, value in drop_terms(lane) if value and value > allowed.get(name, 0)}
            assert not dropped, f'lane {lane["lane"]} ({lane["driver"]}) lost something: {dropped}'

    def bootstrap(self):
        return f'127.0.0.1:{self.port}'

    def data_dir(self):
        return os.path.join(self.state, 'log')

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        running = self.process and self.process.poll() is None
        try:
            if running and kind is None:
                self.check_ledger()
        finally:
            if running:
                self.kill()
            if kind is not None:
                print(f'--- penstockd said:\n{self.log()[-6000:]}')
            if self.own_state:
                shutil.rmtree(self.state, ignore_errors=True)


def assert_traced(text, stored=1):
    """Daemons that said this and ended: each tells of its trace, and together they judged something if records were stored."""
    found = TRACE_LINE.findall(text)
    assert found, f'no daemon tells of its trace of the I/O seam:\n{text[-3000:]}'
    for column in zip(*found):
        assert stored == 0 or sum(map(int, column)) > 0, f'{stored} records stored, and the trace judged nothing: {found}'


def drop_terms(lane):
    """Name and value of what stands for a loss in a lane's equations: drop counters and the driver's own numbers."""
    used = {'hello', 'ping', 'resolve', 'probe', 'close', 'data', 'pn_duplicate', 'arp', 'ndp', 'icmp', 'native'}
    for equation in lane['equations']:
        name = equation['name'].split()[0]
        for term in equation['terms']:
            lost = term['name'] in ('imissed', 'ierrors', 'tx_full', 'fault_lost', 'fault_tx_lost')
            if lost or (name in ('E3', 'E4') and term['sign'] < 0 and term['name'] not in used):
                yield term['name'], term['value']


def ledger_faults(ledger):
    """What is wrong with a drop.list answer, as sentences; none if it adds up and holds nothing."""
    faults = []
    balanced = 0
    for lane in ledger['lanes']:
        for equation in lane['equations']:
            if equation['visible']:
                balanced += 1
                if equation['difference'] != 0:
                    faults.append(f'lane {lane["lane"]} {equation["name"]}: off by {equation["difference"]}')
        faults += [f'lane {lane["lane"]}: {name} is {lane["counters"][name]}' for name in HOLDS if lane['counters'][name]]
    for equation in ledger['log']:
        if not equation['visible'] or equation['difference'] != 0:
            faults.append(f'{equation["name"]}: off by {equation["difference"]}')
    if len(ledger['log']) != 4:
        faults.append(f'{len(ledger["log"])} equations of the log')
    if not ledger['adds_up'] and not faults:
        faults.append('adds_up is false although every equation balances')
    if balanced < 8 * len(ledger['lanes']):
        faults.append(f'only {balanced} equations are visible')
    return faults


def told_apart(report):
    """The report itself. A sum of content hashes that is 0 over records tells nothing apart and would equal any other such."""
    assert report.get('records', report.get('sent')) == 0 or int(report['digest'], 16) != 0, report
    return report


def produce(daemon, topic, partitions, producers, records, size, *more, timeout=300, prefix=(), bootstrap=None):
    """Runs the checked producer to its end; returns its report."""
    command = [*prefix, tool('produce_check'), '--bootstrap', bootstrap or daemon.bootstrap(), '--topic', topic,
               '--partitions', str(partitions), '--producers', str(producers), '--records', str(records), '--bytes',
               str(size), *more]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout)
    assert result.returncode == 0, f'produce_check: {result.stdout}{result.stderr}'
    return told_apart(json.loads(result.stdout))


def log_check(daemon, topic):
    """Reads the stopped (or live) log as files; fails on CRC, gap, order or duplicate."""
    result = subprocess.run([tool('log_check'), daemon.data_dir(), topic, '--order'], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, timeout=300)
    assert result.returncode == 0, f'log_check: {result.stdout}{result.stderr}'
    return told_apart(json.loads(result.stdout))


class DigestJob:
    """A job over one topic with the builtin `digest`: what its windows held, summed over all that fired."""

    def __init__(self, daemon, name, topic, window='2s'):
        self.daemon, self.name = daemon, name
        daemon.call('job.create', text=json.dumps({
            'name': name, 'topics': [topic], 'start': 'earliest', 'batch_interval': '200ms', 'time': 'ingest',
            'window': {'kind': 'tumbling', 'size': window}, 'function': {'builtin': 'digest'}, 'sinks': ['print']}))

    def drained(self, deadline_ms=240000):
        """Drains it; returns records and digest as the function saw them, checked against the batcher's own count."""
        self.daemon.call('job.drain', job=self.name, deadline_ms=deadline_ms)
        job = self.daemon.call('job.describe', job=self.name)
        count = job['counters']
        assert job['state'] == 'drained' and not job['reason'], job
        windows, since = [], 0
        while page := self.daemon.call('window.list', job=self.name, since=since)['windows']:
            windows += page
            since = page[-1]['sequence']
        assert [w['sequence'] for w in windows] == list(range(1, len(windows) + 1)), 'windows are missing from the history'
        records = digest = 0
        for window in windows:
            word, seen, hexadecimal = window['rows'][0].split()
            assert word == 'digest' and int(seen) == window['records'] and hexadecimal == window['digest'], window
            records += int(seen)
            digest = (digest + int(hexadecimal, 16)) % 2**64
        assert records == count['window_records'] == count['read_records'], (records, count)
        assert f'{digest:016x}' == job['window_digest'], (digest, job)
        return told_apart({'windows': len(windows), 'records': records, 'digest': f'{digest:016x}'})
