# SPDX-License-Identifier: Apache-2.0
"""Links between the producer and the daemon under test. One class a link: entered, it has made what it needs; left, it has
removed it. `settings()` and `port` are the daemon's, `daemon_prefix` and `producer_prefix` words before the programs,
`producer_words()` options of the producer, `bootstrap(daemon)` where it finds the daemon. `check(daemon, report)` holds the link's
own numbers against the producer's; `allowed` are drops that a host on such a link causes. A link that cannot be had here raises
Skip with the reason."""
import json
import os

FAULTS = {'loss': '1%', 'duplicate': '1%', 'reorder': '1%'}


class Skip(Exception):
    """A link that cannot run here, with the reason."""


class Link:
    name = ''
    daemon_prefix = ()
    producer_prefix = ()
    port = 0  # native.port; 0: any
    allowed = {}

    def port_options(self):
        """The daemon's one port, as in its configuration."""
        return {'driver': 'socket'}

    def settings(self, faults=False, seed=1):
        """With faults: loss, duplication and reordering by the decorator over the daemon's own queue."""
        port = self.port_options()
        if faults:
            port['fault'] = {**FAULTS, 'seed': seed}
        return ['ports=' + json.dumps([port])]

    def bootstrap(self, daemon):
        return daemon.bootstrap()

    def producer_words(self, faults=False):
        return []

    def check(self, daemon, report):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Socket(Link):
    """Kernel UDP sockets on the loopback interface: needs nothing."""
    name = 'socket'


class Memif(Link):
    """Shared memory between two processes, DPDK's net_memif at both ends, our own net stack too. Needs neither privilege nor
    hugepages. A memif loses nothing and the producer counts what it sent, so E1 is held against that."""
    name = 'memif'
    port = 9292
    allowed = {'arp_other': 3}  # the producer's host announces its address

    def __init__(self):
        self.socket = f'pspath{os.getpid()}'

    def devargs(self, role):
        return f'net_memif0,role={role},id=0,socket={self.socket},bsize=2048'

    def port_options(self):
        return {'driver': 'vdev', 'devargs': self.devargs('server'), 'address': ['192.0.2.2']}

    def bootstrap(self, daemon):
        return f'192.0.2.2:{daemon.port}'

    def producer_words(self, faults=False):
        """With faults the answers are spoilt as well, by the same decorator over the producer's queue."""
        words = ['--nic', self.devargs('client'), '--address', '192.0.2.1', '--prefix', f'{self.socket}c']
        return words + (['--loss-ppm', '10000', '--duplicate-ppm', '10000', '--reorder-ppm', '10000'] if faults else [])

    def check(self, daemon, report):
        """E1: what the port received is what the producer sent."""
        lane = daemon.call('drop.list')['lanes'][0]
        terms = {t['name']: t['value'] for e in lane['equations'] if e['name'].startswith('E1') for t in e['terms']}
        assert report['nic']['adds_up'] and report['nic']['tx_full'] == 0, report
        assert terms['ipackets'] == report['nic']['opackets'], (terms, report)


LINKS = {link.name: link for link in (Socket, Memif)}
