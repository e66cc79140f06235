#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`penstock demo` as people run it: the account, what it says to do next, terminals, Ctrl-C, kill, another user.

As root the demo's second run, over a veth pair, is part of it; it must succeed wherever namespaces can be made.
"""
import contextlib
import fcntl
import glob
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

from docs_commands_test import own_network
import penstock_daemon
from penstock_daemon import assert_traced, tool

FLIGHTS = 190743
WINDOWS = 31
SECONDS = 150


@contextlib.contextmanager
def traced():
    """For as long as it lasts the tools are those of a copy whose penstockd has the trace of the I/O seam on."""
    build = os.path.abspath(penstock_daemon.BUILD)
    folder = tempfile.mkdtemp(prefix='pst-tools-', dir='/var/tmp')
    os.chmod(folder, 0o755)
    os.makedirs(os.path.join(folder, 'build/docs'))
    os.symlink(os.path.join(build, 'docs/examples'), os.path.join(folder, 'build/docs/examples'))
    os.symlink(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../docs'), os.path.join(folder, 'docs'))
    shutil.copy(os.path.join(build, 'penstock'), os.path.join(folder, 'build/penstock'))  # it looks beside itself
    shutil.copy(os.path.join(build, 'penstockd'), os.path.join(folder, 'penstockd'))  # the clone may lie in a private home
    with open(os.path.join(folder, 'build/penstockd'), 'w', encoding='utf-8') as file:
        file.write(f'#!/bin/sh\nexec {folder}/penstockd "$@" --set fault.io.trace=true\n')
    os.chmod(file.name, 0o755)
    penstock_daemon.BUILD = os.path.join(folder, 'build')
    try:
        yield
    finally:
        penstock_daemon.BUILD = build
        shutil.rmtree(folder)


class Place:
    """A directory for everything a demo makes; afterwards it must be empty and nothing of it may run."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix='pst-demo-', dir='/var/tmp')  # a disk: in memory the demo takes no place
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(('XDG_', 'PENSTOCK_'))}
        self.environment.update(TMPDIR=self.path, HOME=self.path, TERM='xterm')

    def running(self):
        """Processes whose command line names the directory."""
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open(f'/proc/{pid}/cmdline', 'rb') as f:
                    if self.path.encode() in f.read():
                        found.append(int(pid))
            except OSError:
                continue
        return found

    def assert_clean(self, seconds=20, but=()):
        until = time.monotonic() + seconds
        while self.running() and time.monotonic() < until:
            time.sleep(0.05)
        assert not self.running(), f'still running: {self.running()}'
        left = [name for name in os.listdir(self.path) if name not in but]
        assert not left, f'left behind: {left}'

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in self.running():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.path, ignore_errors=True)


def demo(place, *words, **options):
    return subprocess.run([tool('penstock'), *words], env=place.environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False, **options)


def check_run(run, driver):
    assert run['driver'] == driver or driver is None, run
    assert run['sent'] == run['durable'] == run['logged'] == FLIGHTS, run
    assert run['windowed'] + run['late'] == FLIGHTS and run['windows'] == WINDOWS, run
    assert run['adds_up'] is True and run['ledger_adds_up'] is True, run
    assert 0 < run['ack_p50_ns'] <= run['ack_p99_ns'] <= run['ack_p999_ns'], run


def the_account_adds_up():
    with Place() as place:
        result = demo(place, '-o', 'json', 'demo')
        assert result.returncode == 0, result
        document = json.loads(result.stdout)
        assert document['schema'] == 'penstock.demo/1'
        data = document['data']
        check_run(data, 'socket')
        place.assert_clean()
        if namespaces():
            check_run(data['nic'], None)
            assert data['nic']['driver'] in ('net_af_xdp', 'net_af_packet'), data['nic']
            assert data['nic']['window_digest'] == data['window_digest'], data
            assert f'Carried by {data["nic"]["driver"]}' in result.stderr, result.stderr
        else:
            assert data['nic']['left_out'] and 'Left out' in result.stderr, result


def namespaces():
    """Root that may make them; without, the demo says what it leaves out."""
    return os.geteuid() == 0 and subprocess.run(['unshare', '-n', 'ip', 'link', 'add', 'va', 'type', 'veth', 'peer',
                                               'name', 'vb'], check=False,
                                                stderr=subprocess.DEVNULL).returncode == 0


def every_line_to_try_works_against_the_kept_daemon():
    with Place() as place:
        result = demo(place, 'demo', '--keep')
        assert result.returncode == 0, result
        assert 'it adds up: sent = acknowledged durable = in the log = in windows + late' in result.stdout
        assert 'all that is visible adds up' in result.stdout and 'the log lies in' in result.stdout
        lines = [line.strip() for line in result.stdout.split('Five things to try next\n')[1].splitlines()]
        lines = [line for line in lines if line]
        assert len(lines) == 6 and lines[0].startswith('export '), lines  # where it listens, then five
        assert len(place.running()) == 1, place.running()
        pasted = subprocess.run(['bash', '-ec', '\n'.join(lines)], env=place.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        assert pasted.returncode == 0, pasted
        assert '2012-12-27' in pasted.stdout and 'durable 1' in pasted.stderr, pasted
        kept = re.search(r'rm -r (\S+)', lines[-1]).group(1)
        place.assert_clean(but=[os.path.basename(kept)])
        assert os.path.isdir(os.path.join(kept, 'log', 'flights-0'))
        with open(os.path.join(kept, 'penstockd.stderr'), encoding='utf-8') as log:
            assert_traced(log.read())


def every_line_to_try_works_with_a_daemon_of_ones_own():
    with Place() as place:
        result = demo(place, 'demo')
        assert result.returncode == 0, result
        place.assert_clean()
        lines = [line.strip() for line in result.stdout.split('Five things to try next\n')[1].splitlines()]
        lines = [line for line in lines if line]
        assert len(lines) == 5 and '--keep' in lines[0] and 'penstockd --dev' in lines[1], lines
        penstock = tool('penstock')
        lines[1] = lines[1].split('#')[0] + '& daemon=$!'
        os.mkdir(os.path.join(place.path, 'run'), 0o700)
        script = '\n'.join([lines[1], f'{penstock} health wait', *lines[2:], f'{penstock} sys stop --yes', 'wait $daemon'])
        pasted = subprocess.run([*own_network(), 'bash', '-ec', script], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env={**place.environment, 'XDG_RUNTIME_DIR': os.path.join(place.path, 'run')}, text=True,
                                timeout=60, check=False)
        assert pasted.returncode == 0, pasted
        assert 'durable 100,000' in pasted.stderr and 'ledger: adds up' in pasted.stdout, pasted


def on_terminal(place, columns, *words, environment=None, until=None, then=None):
    """Runs it on a pseudo terminal; `then` is called with pid and master once the output holds `until`."""
    pid, master = pty.fork()
    if pid == 0:
        os.execve(tool('penstock'), ['penstock', *words], {**place.environment, **(environment or {})})
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
    output, deadline = b'', time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            got = os.read(master, 65536)
        except OSError:
            break
        if not got:
            break
        output += got
        if until is not None and until in output.decode('utf-8', 'replace'):
            then(pid, master)
            until = None
    status = os.waitpid(pid, 0)[1]
    os.close(master)
    return os.waitstatus_to_exitcode(status), output.decode('utf-8', 'replace')


def tables_fit_a_narrow_terminal():
    with Place() as place:
        code, output = on_terminal(place, 60, 'demo')
        assert code == 0, output
        rows = [row for row in re.split(r'\r?\n', output) if re.search(r'20\d\d-\d\d-\d\d\.\.', row)]
        assert len(rows) == WINDOWS, output
        assert re.search(r'replay \[#+\.*\] +\d+ %', output), output  # the bar is drawn
        assert re.search(r'rate +[\d,]+ records/s, ', output), output
        for row in rows + output.split('\r'):
            for drawn in row.split('\r'):
                drawn = drawn.strip('\n')
                if '..' in drawn or '[#' in drawn:
                    plain = re.sub(r'\x1b\[K', '', drawn)
                    assert len(plain) <= 60, (len(plain), plain)
        assert '\x1b[3' not in output and '\x1b[1' not in output, 'colours'
        place.assert_clean()


def ctrl_c_at_any_moment_leaves_nothing():
    moments = ['[1/5]', '[2/5]', '..13-01-10', '[4/5]']
    if namespaces():
        moments += ['over a NIC', 'veth pair between two network namespaces\r\n  [1/5]']
    for moment in moments:
        with Place() as place:
            code, output = on_terminal(place, 120, 'demo', until=moment, then=lambda pid, master: os.write(master, b'\x03'))
            assert code == 130, (moment, code, output)
            place.assert_clean()
    with Place() as place:  # before it says anything
        process = subprocess.Popen([tool('penstock'), 'demo'], env=place.environment, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) in (130, -signal.SIGINT)
        place.assert_clean()


def a_killed_demo_takes_its_daemon_along_and_the_next_one_cleans_up():
    with Place() as place:
        code, output = on_terminal(place, 120, 'demo', until='..13-02-07',
                                   then=lambda pid, master: os.kill(pid, signal.SIGKILL))
        assert code == -signal.SIGKILL, output
        until = time.monotonic() + 20
        while place.running() and time.monotonic() < until:
            time.sleep(0.05)
        assert not place.running(), place.running()
        assert len(os.listdir(place.path)) == 1  # its log; nobody was left to remove it
        assert demo(place, '-q', 'demo').returncode == 0
        place.assert_clean()


def with_drivers(place, keep):
    """The demo where only those of DPDK's driver files are installed that `keep` takes: a directory mounted over theirs."""
    installed = glob.glob('/usr/lib/*/dpdk/pmds-*')
    assert len(installed) == 1, installed
    fewer = os.path.join(place.path, 'drivers')
    shutil.copytree(installed[0], fewer, symlinks=True, ignore=lambda _, names: [name for name in names if not keep(name)])
    result = subprocess.run(['unshare', '-m', 'sh', '-c', f'mount --bind {fewer} {installed[0]} && exec "$@"', 'sh',
                             tool('penstock'), '-o', 'json', 'demo'], env=place.environment, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
    assert result.returncode == 0, result
    data = json.loads(result.stdout)['data']
    check_run(data, 'socket')
    place.assert_clean(but=['drivers'])
    return data['nic'], result.stderr


def a_missing_driver_is_named_with_its_package():
    if not namespaces():
        return  # there is no second run to miss it
    with Place() as place:
        nic, said = with_drivers(place, lambda name: 'af_xdp' not in name)
        check_run(nic, 'net_af_packet')
        assert 'AF_XDP cannot be used here' in said and 'librte-net-af-xdp' in said, said
    with Place() as place:
        nic, said = with_drivers(place, lambda name: 'net_af_' not in name)
        assert set(nic) == {'left_out'} and 'penstockd' in nic['left_out'], nic
        assert 'librte-net-af-xdp' in said and 'librte-net-af-packet' in said and 'Left out' in said, said


def an_ordinary_user_is_told_what_was_left_out():
    if os.geteuid() != 0:
        return  # the first case was it
    with Place() as place:
        os.chmod(place.path, 0o777)
        folder = os.path.join(place.path, 'program')
        os.makedirs(os.path.join(folder, 'docs/examples'))
        for name in ('penstock', 'penstockd', 'docs/examples/delays.so'):
            shutil.copy(os.path.join(os.path.dirname(tool('penstock')), name), os.path.join(folder, name))
        data = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../docs/examples/data/flights-2013.csv.xz')
        shutil.copy(data, folder)
        result = subprocess.run([os.path.join(folder, 'penstock'), 'demo', '--data',
                                 os.path.join(folder, 'flights-2013.csv.xz')], env=place.environment, cwd=place.path,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False,
                                user=65534, group=65534, extra_groups=[])
        assert result.returncode == 0, result
        assert 'it adds up' in result.stdout and 'Left out: the same job over AF_XDP or af_packet' in result.stdout, result
        assert 'only root' in result.stdout and 'sudo' in result.stdout, result
        place.assert_clean(but=['program'])


def run(cases):
    for case in cases:
        started = time.monotonic()
        case()
        print(f'{case.__name__}: {time.monotonic() - started:.1f} s', flush=True)


def main():
    chosen = sys.argv[1:]
    cases = [the_account_adds_up, every_line_to_try_works_against_the_kept_daemon,
             every_line_to_try_works_with_a_daemon_of_ones_own, tables_fit_a_narrow_terminal,
             ctrl_c_at_any_moment_leaves_nothing, a_killed_demo_takes_its_daemon_along_and_the_next_one_cleans_up,
             a_missing_driver_is_named_with_its_package, an_ordinary_user_is_told_what_was_left_out]
    with traced():
        run([case for case in cases if not chosen or case.__name__ in chosen])


if __name__ == '__main__':
    sys.exit(main())
