#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""AF_XDP behind a filter: the daemon gets UDP to its lanes' ports and not one packet more, the kernel keeps the interface: addresses, ARP
and NDP, TCP, other UDP ports, fragments. IPv4 and IPv6. A daemon that was killed leaves its program behind, and the next start takes it
off; one that lives keeps the interface to itself; ports that the program does not pass on are told. Root, clang."""
import contextlib
import json
import os
import subprocess
import sys
import tempfile

from netns import OURS4, OURS6, Skip, Wire, run
from penstock_daemon import BUILD, Daemon, produce

PROGRAM = os.path.abspath(os.path.join(BUILD, 'dataplane/nic/xdp_lanes.bpf.o'))
PORT, RECORDS = 9292, 20000
LISTEN = """
import socket, sys
family, kind = getattr(socket, sys.argv[1]), getattr(socket, sys.argv[2])
s = socket.socket(family, kind); s.bind((sys.argv[3], int(sys.argv[4]))); print('bound', flush=True)
if kind == socket.SOCK_STREAM:
    s.listen(); c = s.accept()[0]; print(c.recv(100).decode())
else:
    print(len(s.recv(9000)))
"""
SAY = """
import socket, sys
family, kind = getattr(socket, sys.argv[1]), getattr(socket, sys.argv[2])
s = socket.socket(family, kind); s.settimeout(10)
s.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: fragments, not EMSGSIZE
s.connect((sys.argv[3], int(sys.argv[4]))); s.send(b'x' * int(sys.argv[5]))
"""


@contextlib.contextmanager
def wire():
    if os.geteuid() != 0:
        raise Skip('needs root')
    if not os.path.exists(PROGRAM):
        raise Skip('the filter is not built: no clang, or no libbpf-dev')
    with Wire('x') as made:
        ours, link = made.spaces[0], made.links[0]
        made.inside(ours, 'sysctl', '-q', '-w', f'net.ipv6.conf.{link}.disable_ipv6=0')
        run('ip', '-n', ours, 'addr', 'add', f'{OURS4}/24', 'dev', link)
        run('ip', '-n', ours, 'addr', 'add', f'{OURS6}/64', 'dev', link, 'nodad')
        made.inside(ours, 'ethtool', '-K', link, 'tx', 'off', check=False)
        yield made


def reaches_kernel(made, kind, port, size, expected):
    """What the peer says to that port is heard by a socket of the kernel on our side."""
    enter = [('ip', 'netns', 'exec', space, sys.executable, '-c') for space in made.spaces]
    heard = subprocess.Popen([*enter[0], LISTEN, 'AF_INET', kind, OURS4, str(port)], stdout=subprocess.PIPE, text=True)
    try:
        assert heard.stdout.readline() == 'bound\n'
        run(*enter[1], SAY, 'AF_INET', kind, OURS4, str(port), str(size))
        words = heard.communicate(timeout=20)[0].strip()
        assert words == expected, (kind, port, words)
    finally:
        heard.kill()


def received(daemon):
    return daemon.call('drop.list')['lanes'][0]['counters']['rx_packets']


def settings(made):
    return 'ports=' + json.dumps([{'driver': 'vdev', 'devargs': f'net_af_xdp0,iface={made.links[0]},xdp_prog={PROGRAM}'}])


def send(daemon, made, server):
    """Of what the producer's kernel sent for UDP the daemon got each datagram, and nothing else."""
    before = received(daemon)
    report = produce(daemon, 't', 4, 1, RECORDS, 100, prefix=('ip', 'netns', 'exec', made.spaces[1]), bootstrap=server, timeout=60)
    assert report['durable'] == RECORDS, report
    daemon.check_lossless(sessions=2)
    assert received(daemon) - before == report['kernel_sent'], (before, received(daemon), report)


def refusal(made, *more, port=PORT):
    with tempfile.TemporaryDirectory() as state:
        daemon = Daemon(settings(made), *more, state=state, prefix=('ip', 'netns', 'exec', made.spaces[0]), port=port)
        try:
            daemon.start()
        except AssertionError as words:
            return str(words)
        daemon.kill()
        raise AssertionError('it started')


def attached(made):
    return 'xdp_lanes' in run('ip', '-n', made.spaces[0], '-d', 'link', 'show', 'dev', made.links[0]).stdout


def main():
    try:
        with wire() as made, Daemon(settings(made), prefix=('ip', 'netns', 'exec', made.spaces[0]), port=PORT) as daemon:
            daemon.call('topic.create', topic='t', partitions=4)
            send(daemon, made, f'{OURS4}:{PORT}')
            send(daemon, made, f'[{OURS6}]:{PORT}')
            before = received(daemon)
            reaches_kernel(made, 'SOCK_STREAM', 2222, 5, 'xxxxx')
            reaches_kernel(made, 'SOCK_DGRAM', PORT - 1, 100, '100')
            reaches_kernel(made, 'SOCK_DGRAM', PORT + 16, 100, '100')
            reaches_kernel(made, 'SOCK_DGRAM', PORT, 4000, '4000')  # three fragments
            assert received(daemon) == before, (before, received(daemon))
            words = refusal(made)
            assert 'another daemon receives from' in words and '  fix   ss -xap' in words, words
            daemon.kill()
            assert attached(made)
            daemon.start()
            assert 'removed the XDP program of' in daemon.log()
            send(daemon, made, f'{OURS4}:{PORT}')
            assert daemon.stop() == 0
            assert not attached(made)
            words = refusal(made, port=PORT + 1000)
            assert 'passes on UDP ports 9292 to 9307, the lanes listen on 10292 to 10292' in words, words
            assert not attached(made)
    except Skip as reason:
        print(f'skipped: {reason}')
        return 77
    return 0


if __name__ == '__main__':
    sys.exit(main())
