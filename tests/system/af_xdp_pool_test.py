#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""AF_XDP wants its packet pool in one piece. With physical addresses DPDK makes one wherever pages do not follow one another: the start
says so and how to mend it, where it would go on and lose every packet behind the first piece. With virtual ones the same port starts.
Root, for a veth pair and hugepages."""
import contextlib
import mmap
import os
import re
import sys
import tempfile

from links import LINKS
from netns import Hugepages, Skip
from penstock_daemon import Daemon

PAGES, PAGE_BYTES, MAP_HUGETLB = 160, 2 << 20, 0x40000


@contextlib.contextmanager
def scattered_pages():
    """So many free hugepages, no two of which follow one another: every other page of twice as many is held here."""
    with Hugepages(2 * PAGES):
        pages = []
        for _ in range(2 * PAGES):
            pages.append(mmap.mmap(-1, PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_HUGETLB))
            pages[-1][0] = 1
        for page in pages[::2]:
            page.close()
        try:
            yield
        finally:
            for page in pages[1::2]:
                page.close()


def words_of(link):
    """What a start with physical addresses says."""
    with tempfile.TemporaryDirectory() as state:
        daemon = Daemon(*link.settings(), 'memory.hugepage_size=2MiB', 'eal.extra=["--iova-mode=pa"]', state=state,
                        prefix=link.daemon_prefix, port=link.port)
        try:
            daemon.start()
        except AssertionError as words:
            return str(words)
        daemon.kill()
        raise AssertionError('it started')


def main():
    try:
        if os.geteuid() != 0:
            raise Skip('needs root')
        with LINKS['af_xdp']() as link, scattered_pages():
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
