# SPDX-License-Identifier: Apache-2.0
"""Links between the producer and the daemon under test. One class a link: entered, it has made what it needs; left, it has
removed it. `settings()` are the daemon's, `daemon_prefix` and `producer_prefix` words before the programs, and
`bootstrap(daemon)` is where the producer finds it. A link that cannot be had here raises Skip with the reason."""
FAULTS = {'loss': '1%', 'duplicate': '1%', 'reorder': '1%'}


class Skip(Exception):
    """A link that cannot run here, with the reason."""


class Link:
    name = ''
    daemon_prefix = ()
    producer_prefix = ()

    def settings(self):
        return []

    def fault_settings(self, seed):
        """Loss, duplication and reordering by the decorator over the daemon's own queue."""
        return [f'ports[0].fault.{kind}={share}' for kind, share in FAULTS.items()] + [f'ports[0].fault.seed={seed}']

    def bootstrap(self, daemon):
        return daemon.bootstrap()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Socket(Link):
    """Kernel UDP sockets on the loopback interface: needs nothing."""
    name = 'socket'


LINKS = {link.name: link for link in (Socket,)}
