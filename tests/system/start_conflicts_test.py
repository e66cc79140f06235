#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two daemons that want the same thing, and a directory that is not theirs: the second one says what is taken, by whom where
that can be known, and what to do; it changes nothing; with the fix it starts, while the first one serves all along."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile

from penstock_daemon import Daemon, produce, tool

EXIT_CHECK, EXIT_CONFIG = 2, 78
NOBODY = 65534


def refused(words, *parts, prefix=()):
    """Exit 78 with one block that holds every part; `--check` says the same and exits 2."""
    command = [*prefix, tool('penstockd'), '--dev', *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == EXIT_CONFIG, (words, done)
    for part in parts:
        assert part in done.stderr, f'{words}: no "{part}" in\n{done.stderr}'
    said = [line for line in done.stderr.splitlines() if ' info ' not in line and ' warning ' not in line]
    assert said[0].startswith('error: ') and said[-1].startswith('  fix   '), done.stderr
    checked = subprocess.run([*command, '--check'], capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == EXIT_CHECK and said[0] in checked.stderr, (words, checked)


def settings(state, **more):
    words = ['--state', state]
    for name, value in {'native.port': 0, **more}.items():
        words += ['--set', f'{name.replace("__", ".")}={value}']
    return words


def port_taken(place, first):
    other = os.path.join(place, 'port')
    refused(settings(other, native__port=first.port), f'error: UDP port {first.port} cannot be bound: Address already in use',
            'ss -ulpn', '--set native.port=0')
    # Somebody else's socket, no daemon.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(('127.0.0.1', 0))
        refused(settings(other, native__port=taken.getsockname()[1]), 'Address already in use')
    with Daemon(state=other) as daemon:  # what the fix says
        assert daemon.stop() == 0


def directory_locked(place, first):
    refused(settings(os.path.join(place, 'lock'), data__dirs=first.data_dir()), f'error: data directory {first.data_dir()} is in use',
            f'another process holds its lock: pid {first.process.pid}', 'penstock sys stop')


def control_socket_taken(place, first):
    path = os.path.join(first.state, 'ctl.sock')
    refused(settings(os.path.join(place, 'ctl'), ctl__socket=path), f'error: control socket {path}: already running, '
            f'pid {first.process.pid}', 'penstock sys stop --yes')
    # A daemon that was killed leaves its socket: the next one takes it.
    gone = os.path.join(place, 'gone')
    with Daemon(state=gone) as daemon:
        daemon.kill()
        assert os.path.exists(os.path.join(gone, 'ctl.sock'))
        daemon.start()
        assert daemon.call('health.get')['ready'] and daemon.stop() == 0


def not_writable(place):
    """As an ordinary user; the program lies where that one may read it."""
    state = os.path.join(place, 'readonly')
    os.mkdir(state)
    os.chmod(state, 0o555)
    program = shutil.copy(tool('penstockd'), place)
    prefix = ['setpriv', '--reuid', str(NOBODY), '--clear-groups', '--'] if os.geteuid() == 0 else []
    command = [*prefix, program, '--dev', *settings(state)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == EXIT_CONFIG, done
    for part in (f'error: data directory {state}/log: Permission denied', 'sudo install -d -m 0750'):
        assert part in done.stderr, done.stderr
    assert os.listdir(state) == [], 'the refused start left something'


def main():
    place = tempfile.mkdtemp(prefix='penstock-conflicts-')
    os.chmod(place, 0o755)
    try:
        with Daemon() as first:
            produce(first, 'kept', 1, 1, 1000, 100)
            port_taken(place, first)
            directory_locked(place, first)
            control_socket_taken(place, first)
            not_writable(place)
            assert produce(first, 'kept', 1, 1, 1000, 100)['durable'] == 1000
            assert first.call('topic.describe', topic='kept')['partitions'][0]['log_end_offset'] == 2000
            assert first.stop() == 0, first.log()
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main())
