#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A start that cannot be: each missing piece is one error with what, why and the command that mends it, and exit 78.

The command that the error gives is then followed, and the daemon starts. `--check` says the same and exits 2.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from penstock_daemon import Daemon, produce, tool

EXIT_CHECK, EXIT_USAGE, EXIT_CONFIG = 2, 64, 78
NOBODY = '65534'


class Place:
    """A directory in which an ordinary user runs a copy of the daemon."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix='penstock-limits-')
        for name in ('penstockd', 'confined'):
            shutil.copy(tool(name), self.path)
        self.home = os.path.join(self.path, 'home')
        os.mkdir(self.home)
        if os.geteuid() == 0:
            os.chown(self.home, int(NOBODY), int(NOBODY))
        os.chmod(self.path, 0o755)
        return self

    def __exit__(self, kind, value, trace):
        shutil.rmtree(self.path, ignore_errors=True)

    def prefix(self, *limits):
        user = ['--user', NOBODY] if os.geteuid() == 0 else []
        return [os.path.join(self.path, 'confined'), *user, *limits, '--']

    def write(self, name, text):
        path = os.path.join(self.path, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(path, 0o644)
        return path

    def run(self, limits, *words):
        return subprocess.run([*self.prefix(*limits), os.path.join(self.path, 'penstockd'), *words], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, cwd=self.home, check=False,
                              env={'PATH': os.environ['PATH'], 'HOME': self.home})

    def refused(self, limits, words, *parts, code=EXIT_CONFIG):
        """Every part is told in one block of at most six lines; --check says it too."""
        done = self.run(limits, *words)
        assert done.returncode == code, (words, done)
        for part in parts:
            assert part in done.stderr, f'{words}: no "{part}" in\n{done.stderr}'
        said = [line for line in done.stderr.splitlines() if ' warning ' not in line and ' info ' not in line]
        assert len(said) <= 6 and any(line.startswith('  fix   ') for line in said), done.stderr
        if code == EXIT_CONFIG:
            checked = self.run(limits, *words, '--check')
            assert checked.returncode == EXIT_CHECK and parts[0] in checked.stderr, (words, checked)


def dev(place, *more):
    words = ['--dev', '--state', os.path.join(place.home, 'state'), '--set', 'native.port=0']
    for setting in more:
        words += ['--set', setting]
    return words


def configuration(place):
    place.refused([], [], 'error: configuration file /etc/penstock/penstock.yaml: No such file', 'production mode reads it',
                  'penstockd --dev')
    place.refused([], ['--config', '/nowhere.yaml'], '/nowhere.yaml: No such file', '--config names it')
    wrong = place.write('wrong.yaml', 'mode: dev\nlog:\n  oi: uring\n')
    place.refused([], ['--config', wrong], f'{wrong}:3:3: unknown key "log.oi"; nearest: log.io', '     3 |   oi: uring', '| ',
                  '^', 'penstock.yaml(5)')
    beyond = place.write('beyond.yaml', 'mode: dev\nlog.mark.idle: 11s\n')
    place.refused([], ['--config', beyond], f'{beyond}:2:16: log.mark.idle: "11s": out of range; want duration 0s..10s')
    profile = place.write('profile.yaml', 'mode: dev\nprofile: labtop\n')
    place.refused([], ['--config', profile], f'{profile}:2: profile: no profile "labtop"; nearest: laptop',
                  'have  laptop, vm-generic')
    place.refused([], dev(place, 'log.oi=sync'), '--set log.oi: unknown key; nearest: log.io')
    place.refused([], ['--burn'], 'penstockd --help', code=EXIT_USAGE)
    if os.geteuid() == 0:
        secret = place.write('secret.yaml', 'mode: dev\n')
        os.chmod(secret, 0o600)
        place.refused([], ['--config', secret], 'Permission denied', 'chmod 0640')


def io_uring(place):
    refused = ['--no-io-uring']
    place.refused(refused, dev(place, 'log.io=uring'), 'error: log.io is uring, and io_uring cannot be used',
                  'a seccomp filter refuses it', 'SystemCallFilter=', '--set log.io=auto')
    place.refused(['--memlock', '0'], dev(place, 'log.io=uring'), 'io_uring cannot be used', 'KiB of locked memory',
                  'RLIMIT_MEMLOCK is 0 KiB', 'ulimit -l unlimited')
    place.refused(['--nofile', '300'], dev(place, 'log.io=uring'), 'io_uring cannot be used', 'RLIMIT_NOFILE is 300', 'ulimit -n')
    # What the last line of the error says.
    state = os.path.join(place.home, 'state')
    with Daemon('log.io=auto', state=state, prefix=place.prefix(*refused), program=os.path.join(place.path, 'penstockd')) as daemon:
        assert ', sync, durable by' in daemon.log(), daemon.log()
        assert daemon.stop() == 0
    os.unlink(os.path.join(state, 'stderr.txt'))


def privilege(place):
    empty = place.write('empty.yaml', '')
    place.refused([], ['--config', empty, '--set', f'data.dirs={place.home}/log'], 'error: directory /run/penstock of the control socket',
                  'why', '--set ctl.socket=/DIR/ctl.sock')
    place.refused([], dev(place, 'data.dirs=/proc/penstock'), 'error: data directory /proc/penstock', 'sudo install -d -m 0750')
    place.refused([], dev(place, 'lcores.rx=4000', 'lcores.share=auto'), 'error: lcores.rx names CPU 4000, which is not there',
                  '/sys/devices/system/cpu/online', '--set lcores.rx=')


def arithmetic(place):
    """Sums of a lane that do not hold are refused by the key that mends them; those that do are shown."""
    crowd = dev(place, 'native.sessions_max=60000', 'native.idle_timeout=2s')
    done = place.run([], *crowd)
    assert done.returncode != 0, done
    for part in ('error: lane 0 cannot start', 'credit floors: 60000 sessions on 1023 descriptors take turns in 59 groups',
                 '  fix   native.idle_timeout above 2950 ms'):
        assert part in done.stderr, f'no "{part}" in\n{done.stderr}'
    state = os.path.join(place.home, 'state')
    with Daemon('native.idle_timeout=3s', 'native.sessions_max=60000', state=state, prefix=place.prefix(),
                program=os.path.join(place.path, 'penstockd')) as daemon:
        log = daemon.log()
        for part in ('lane 0: done ring of a shard ', 'lane 0: credit floors of 60000 sessions: 1017 at once', 'lane 0: tables: 60000 '):
            assert part in log, f'no "{part}" in\n{log}'
        assert daemon.stop() == 0
    os.unlink(os.path.join(state, 'stderr.txt'))


def maxima():
    """The greatest numbers that the keys allow, all on one lcore: it starts, serves and stops."""
    with Daemon('ports=[{driver: socket, rx_queues: 16}]', 'log.shards=16', 'batcher.workers=16') as daemon:
        rows = daemon.call('lcore.list')['lcores']
        roles = rows[0]['role'].split(', ')
        assert len(rows) == 1 and len(roles) == 16 + 16 + 1 + 16, rows
        assert roles[-1] == 'worker 15' and roles[15] == 'rx 15 (socket)', roles
        daemon.call('topic.create', topic='maxima', partitions=16)
        produce(daemon, 'maxima', 16, 1, 1000, 100)
        assert daemon.stop() == 0


def no_hugepages(place):
    """memory.hugepage_size=auto on a machine without: 4 KiB pages, and it names what mends it."""
    with open('/proc/meminfo', encoding='ascii') as file:
        if int(re.search(r'^HugePages_Total: +(\d+)', file.read(), re.M).group(1)) > 0:
            return  # hugepages_setup is for such
    port = {'driver': 'vdev', 'devargs': f'net_memif0,role=server,socket-abstract=no,socket={place.home}/memif.sock',
            'address': ['192.0.2.2']}
    with Daemon('memory.hugepage_size=auto', 'ports=' + json.dumps([port]), port=9292) as daemon:
        assert re.search(r'no \d+ MiB of free hugepages; packet memory in pages of 4 KiB, slower; fix: '
                         r'hw-config/setup/hugepages apply \d+', daemon.log()), daemon.log()
        assert 'pages of 4 KiB' in json.dumps(daemon.call('sys.get')), daemon.call('sys.get')
        assert daemon.stop() == 0


def a_name_of_its_own(place):
    """--name: two daemons of one user at once, with directories, sockets and ports of their own."""
    environment = {**os.environ, 'XDG_STATE_HOME': place.home, 'XDG_RUNTIME_DIR': place.home}
    running, told = [], []
    try:
        for name in ('one', 'two'):
            process = subprocess.Popen([tool('penstockd'), '--dev', '--name', name], env=environment, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True)
            running.append(process)
            said = ''
            while not re.search(r'^  control ', said, re.M):
                line = process.stdout.readline()
                assert line, f'--name {name} ended:\n{said}'
                said += line
            told.append([re.search(pattern, said, re.M).group(1) for pattern in
                         (r'^  log +([^,]+),', r'^  control +(\S+)', r'^  lane 0 +udp port (\d+)')])
            assert told[-1][0] == f'{place.home}/penstock-{name}/log' and told[-1][2] != '9292', told
        assert all(one != two for one, two in zip(*told)), told
    finally:
        for process in running:
            process.terminate()
            process.communicate(timeout=60)
    assert [process.returncode for process in running] == [0, 0], running
    done = subprocess.run([tool('penstockd'), '--name', 'one', '--check'], stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == EXIT_USAGE and '--name goes with --dev' in done.stderr, done


def main():
    maxima()
    with Place() as place:
        configuration(place)
        io_uring(place)
        privilege(place)
        arithmetic(place)
        no_hugepages(place)
        a_name_of_its_own(place)


if __name__ == '__main__':
    sys.exit(main())
