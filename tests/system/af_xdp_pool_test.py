#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""AF_XDP wants its packet pool in one piece. With physical addresses DPDK makes one wherever pages do not follow one another: the start
says so and how to mend it, where it would go on and lose every packet behind the first piece. With virtual ones the same port starts.
Root, for a veth pair and hugepages."""
import os
import re
import sys
import tempfile

from links import LINKS
from netns import Hugepages, Skip
from penstock_daemon import Daemon

PAGES = 160


def words_of(link):
    """What a start with physical addresses says; Skip if it starts all the same."""
    with tempfile.TemporaryDirectory() as state:
        daemon = Daemon(*link.settings(), 'memory.hugepage_size=2MiB', 'eal.extra=["--iova-mode=pa"]', state=state,
                        prefix=link.daemon_prefix, port=link.port)
        try:
            daemon.start()
        except AssertionError as words:
            return str(words)
        daemon.kill()
        raise Skip('the pages of this pool follow one another in physical memory too')


def main():
    try:
        if os.geteuid() != 0:
            raise Skip('needs root')
        with LINKS['af_xdp']() as link, Hugepages(PAGES):
            said = words_of(link)
            assert re.search(r'packet pool: .*its memory is in \d+ pieces, the driver takes one', said), said
            assert '  fix   virtual addresses' in said, said
            with Daemon(*link.settings(), 'memory.hugepage_size=2MiB', prefix=link.daemon_prefix, port=link.port):
                pass
    except Skip as reason:
        print(f'skipped: {reason}')
        return 77
    return 0


if __name__ == '__main__':
    sys.exit(main())
