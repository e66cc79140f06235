# SPDX-License-Identifier: Apache-2.0
"""Links between the producer and the daemon under test. One class a link: entered, it has made what it needs; left, it has
removed it. `settings()` and `port` are the daemon's, `daemon_prefix` and `producer_prefix` words before the programs,
`producer_words()` options of the producer, `bootstrap(daemon)` where it finds the daemon. `check(daemon, report)` holds the link's
own numbers against the producer's; `allowed` are drops that a host on such a link causes. `queues` of the daemon's port, a lane each,
is 1 unless somebody `steers`: lane i must get the datagrams of its own UDP port, and no driver of these sees to it. A link that cannot
be had here raises Skip with the reason."""
import json
import os
import signal
import sys
import time

from netns import OURS4, PEER4, Hugepages, Skip, Tun, Wire

FAULTS = {'loss': '1%', 'duplicate': '1%', 'reorder': '1%'}


def e1_terms(lane):
    """What a port says of the wire: the terms of E1 that count, None where its driver cannot see them."""
    return {t['name']: t['value'] for e in lane['equations'] if e['name'].startswith('E1') for t in e['terms'] if t['sign']}


class Link:
    name = ''
    daemon_prefix = ()
    producer_prefix = ()
    port = 0  # native.port; 0: any
    allowed = {}
    queues = 1
    steers = False  # datagrams to lane i's UDP port reach its queue

    def port_options(self):
        """The daemon's one port, as in its configuration."""
        return {'driver': 'socket'}

    def settings(self, faults=False, seed=1):
        """With faults: loss, duplication and reordering by the decorator over the daemon's own queue."""
        port = {**self.port_options(), 'rx_queues': self.queues}
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
    """Kernel UDP sockets on the loopback interface: needs nothing. The producer counts what its kernel took, which arrives or is
    dropped at the daemon's full socket buffer, and that the driver sees: E1 is held against it exactly."""
    name = 'socket'
    steers = True  # a socket a lane
    LAST = 16  # datagrams of a session after the library's numbers were read: three of CLOSE, probes of the path's MTU

    def check(self, daemon, report):
        """E1: what the lanes received and saw lost is what the kernel took, and that is what the library says that it sent."""
        until = time.monotonic() + 10
        while True:
            lanes = [e1_terms(lane) for lane in daemon.call('drop.list')['lanes']]
            assert all(value is not None for terms in lanes for value in terms.values()), lanes
            unseen = report['kernel_sent'] - sum(sum(terms.values()) for terms in lanes)
            if unseen == 0 or time.monotonic() > until:
                break
            time.sleep(0.2)
        assert unseen == 0 and report['kernel_sent'] > 0, (unseen, lanes, report)
        last = report['kernel_sent'] + report['kernel_refused'] - report['datagrams_sent']
        assert 0 < last <= self.LAST * report['sessions'], (last, report)


class Memif(Link):
    """Shared memory between two processes, DPDK's net_memif at both ends, our own net stack too. Needs neither privilege nor
    hugepages. A memif loses nothing and the producer counts what it sent, so E1 is held against that. Its ring i is the daemon's queue
    i, so the producer, who has as many, steers."""
    name = 'memif'
    port = 9292
    steers = True
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
        """With faults the answers are spoilt once more, by the same decorator over the producer's queue."""
        words = ['--nic', self.devargs('client'), '--queues', str(self.queues), '--address', '192.0.2.1', '--prefix', f'{self.socket}c']
        return words + (['--loss-ppm', '10000', '--duplicate-ppm', '10000', '--reorder-ppm', '10000'] if faults else [])

    def check(self, daemon, report):
        """E1: what the port received is what the producer sent."""
        lane = daemon.call('drop.list')['lanes'][0]
        terms = e1_terms(lane)
        assert report['nic']['adds_up'] and report['nic']['tx_full'] == 0, report
        assert terms['ipackets'] == report['nic']['opackets'], (terms, report)


class MemifHugepages(Memif):
    """The same with the daemon's packet memory on hugepages."""
    name = 'memif_hugepages'
    PAGES = 160

    def __enter__(self):
        if os.geteuid() != 0:
            raise Skip('needs root to raise the hugepage pool')
        self.pages = Hugepages(self.PAGES)
        self.pages.__enter__()
        return self

    def __exit__(self, *about):
        self.pages.__exit__(*about)

    def settings(self, faults=False, seed=1):
        return super().settings(faults, seed) + ['memory.hugepage_size=2MiB', 'memory.per_node=auto']


class MemifIp6(Memif):
    """The same over IPv6: neighbour discovery, group addresses, UDP checksums that must be there."""
    name = 'memif_ip6'
    allowed = {'eth_dst': 3, 'ndp_ignored': 3}  # the producer's host announces its address to all nodes

    def port_options(self):
        return {**super().port_options(), 'address': ['2001:db8::2']}

    def bootstrap(self, daemon):
        return f'[2001:db8::2]:{daemon.port}'

    def producer_words(self, faults=False):
        return [word if word != '192.0.2.1' else '2001:db8::1' for word in super().producer_words(faults)]


class Veth(Link):
    """A DPDK driver on one end of a veth pair, kernel sockets on the other, each in a namespace of its own."""
    port = 9292
    counts_losses = False

    def __enter__(self):
        if os.geteuid() != 0:
            raise Skip('needs root for network namespaces and packet sockets')
        signal.signal(signal.SIGTERM, lambda *_: sys.exit('stopped'))  # so that namespaces are removed
        self.wire = Wire(f'{len(self.name)}p', ip6=False).__enter__()
        self.daemon_prefix, self.producer_prefix = (('ip', 'netns', 'exec', space) for space in self.wire.spaces)
        return self

    def __exit__(self, *about):
        self.wire.__exit__(*about)

    def port_options(self):
        self.wire.forget_neighbours()
        self.sent_before = self.wire.peer_sent()
        return {'driver': 'vdev', 'devargs': f'net_{self.name}0,iface={self.wire.links[0]}', 'address': [OURS4]}

    def bootstrap(self, daemon):
        return f'{OURS4}:{daemon.port}'

    def check(self, daemon, report):
        """E1: what the port received and what it saw lost is what the peer sent; without sight of losses, at most that."""
        until = time.monotonic() + 10
        while True:
            lane = daemon.call('drop.list')['lanes'][0]
            terms = e1_terms(lane)
            unseen = self.wire.peer_sent() - self.sent_before - sum(value or 0 for value in terms.values())
            if unseen == 0 or time.monotonic() > until:
                break
            time.sleep(0.2)
        assert lane['driver'] == f'net_{self.name}', lane['driver']
        assert (terms['imissed'] is not None) == self.counts_losses, terms
        assert unseen == 0 if self.counts_losses else unseen >= 0, (unseen, terms)


class AfPacket(Veth):
    name = 'af_packet'


class AfXdp(Veth):
    name = 'af_xdp'
    counts_losses = True


class Tap(Link):
    """A tap device in a namespace of its own: the daemon is its wire, the kernel its other end. It comes and goes with the
    daemon, so the kernel's end is set up each time somebody is about to send."""
    name = 'tap'
    port = 9292
    vlan = 0

    def __enter__(self):
        if os.geteuid() != 0:
            raise Skip('needs root for network namespaces and tap devices')
        signal.signal(signal.SIGTERM, lambda *_: sys.exit('stopped'))  # so that namespaces are removed
        self.tun = Tun(f'{len(self.name)}t', self.vlan).__enter__()
        self.daemon_prefix = self.producer_prefix = ('ip', 'netns', 'exec', self.tun.space)
        return self

    def __exit__(self, *about):
        self.tun.__exit__(*about)

    def port_options(self):
        return {'driver': 'vdev', 'devargs': f'net_tap0,iface={self.tun.link}', 'address': [OURS4], 'vlan': self.vlan}

    def bootstrap(self, daemon):
        self.tun.up()
        return f'{OURS4}:{daemon.port}'

    def check(self, daemon, report):
        """E1: the kernel counts a packet of a tap as sent when it was read."""
        lane = daemon.call('drop.list')['lanes'][0]
        terms = {t['name']: t['value'] for e in lane['equations'] if e['name'].startswith('E1') for t in e['terms']}
        assert lane['driver'] == 'net_tap' and terms['imissed'] is None, lane
        assert terms['ipackets'] == self.tun.kernel_sent(), (terms, self.tun.kernel_sent())


class TapVlan(Tap):
    """The same with every packet in VLAN 7, which the kernel has as a link of its own. Where it has no such links, our own net
    stack speaks over a packet socket at the kernel's end of the tap; a tagged frame is then 4 bytes longer than its slots allow."""
    name = 'tap_vlan'
    vlan = 7
    allowed = {'arp_other': 3}  # the producer's host announces its address

    def producer_words(self, faults=False):
        if self.tun.up():
            return []
        return ['--nic', f'net_af_packet0,iface={self.tun.link}', '--address', PEER4, '--vlan', str(self.vlan), '--mtu', '1496',
                '--prefix', f'{self.tun.space}c']


LINKS = {link.name: link for link in (Socket, Memif, MemifHugepages, MemifIp6, AfPacket, AfXdp, Tap, TapVlan)}
