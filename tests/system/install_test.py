#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `meson install` leaves, moved to a directory of the test's own: it is whole, and others can build on it.

The library exports penstock_ symbols only and knows no DPDK; producers in C and C++ and a window function are compiled
with what pkg-config says; the installed demo runs from there.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

from penstock_daemon import BUILD, Daemon

STRICT = ['-Wall', '-Wextra', '-Wpedantic', '-Werror']
HELLO_CPP = '''
#include <cstdio>
#include <penstock.h>
#include <penstock_worker.h>
int main()
{
\tconst char *settings[] = {"bootstrap.servers", "127.0.0.1:1", nullptr};
\tstd::printf("%s %p\\n", penstock_version(), static_cast<const void *>(settings));
\treturn 0;
}
'''


def run(*words, env=None):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=200, check=False,
                          env={**os.environ, **(env or {})})
    assert done.returncode == 0, f'{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}'
    return done.stdout


class Tree:
    """An installed tree below a directory of its own."""

    def __init__(self, root):
        self.root = root
        run('meson', 'install', '-C', BUILD, '--no-rebuild', '--destdir', root)
        self.files = sorted(os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)
        self.environment = {'PKG_CONFIG_SYSROOT_DIR': root, 'PKG_CONFIG_LIBDIR': os.path.dirname(self.one('/penstock.pc')),
                            'LD_LIBRARY_PATH': os.path.dirname(self.one('/libpenstock.so'))}

    def one(self, end):
        found = [path for path in self.files if path.endswith(end)]
        assert len(found) == 1, f'{end}: {found}'
        return found[0]

    def pkg_config(self, *words):
        return run('pkg-config', *words, 'penstock', env=self.environment).split()


def everything_is_there(tree):
    for end in ('/bin/penstock', '/bin/penstockd', '/include/penstock.h', '/include/penstock_worker.h', '/pkgconfig/penstock.pc',
                '/libpenstock.so.0', '/penstock/plugins/delays.so', '/share/penstock/profiles/laptop.yaml',
                '/share/penstock/profiles/vm-generic.yaml', '/share/penstock/profile.schema.yaml', '/share/penstock/openrpc.json',
                '/share/bash-completion/completions/penstock.bash',
                '/share/penstock/examples/flights-2013.csv.xz', '/share/penstock/examples/SOURCE.md',
                '/share/penstock/examples/producer.c', '/share/penstock/examples/delays.c', '/man/man1/penstock.1',
                '/man/man8/penstockd.8', '/man/man5/penstock.yaml.5'):
        tree.one(end)
    assert os.access(tree.one('/share/penstock/setup/hugepages'), os.X_OK)


def library_keeps_to_itself(tree):
    library = tree.one('/libpenstock.so.0')
    names = [line.split()[-1] for line in run('nm', '-D', '--defined-only', library).splitlines()]
    with open(tree.one('/include/penstock.h'), encoding='utf-8') as file:
        declared = set(re.findall(r'\b(penstock_\w+)\(', file.read()))
    assert names and all(name.startswith('penstock_') for name in names), names
    assert set(names) <= declared, f'exported and not in penstock.h: {set(names) - declared}'
    head = run('readelf', '-d', library)
    assert '[libpenstock.so.0]' in head and 'librte' not in head, head
    assert 'librte' not in run('readelf', '-d', tree.one('/bin/penstock'))


def others_build_on_it(tree, folder):
    flags, libs = tree.pkg_config('--cflags'), tree.pkg_config('--libs')
    assert tree.pkg_config('--modversion') == [re.search(r'\d+\.\d+\.\d+', run(tree.one('/bin/penstock'), 'version'))[0]]
    producer, hello, window = (os.path.join(folder, name) for name in ('producer', 'hello', 'delays.so'))
    run('cc', '-std=c11', *STRICT, *flags, tree.one('/share/penstock/examples/producer.c'), '-o', producer, *libs)
    source = os.path.join(folder, 'hello.cpp')
    with open(source, 'w', encoding='utf-8') as file:
        file.write(HELLO_CPP)
    run('c++', '-std=c++11', *STRICT, *flags, source, '-o', hello, *libs)
    assert re.match(r'\d+\.\d+', run(hello, env=tree.environment))
    run('cc', '-std=gnu11', '-shared', '-fPIC', '-Wall', '-Werror', *flags, tree.one('/share/penstock/examples/delays.c'),
        '-o', window)
    with Daemon(program=tree.one('/bin/penstockd')) as daemon:
        said = run(producer, daemon.bootstrap(), 'numbers', '1000', env=tree.environment)
        assert '1000' in said, said
        listed = run(tree.one('/bin/penstock'), '-s', os.path.join(daemon.state, 'ctl.sock'), 'topic', 'list')
        assert re.search(r'^numbers +\d+ +1000\b', listed, re.M), listed
        assert daemon.stop() == 0


def demo_runs_from_there(tree):
    # With the trace of the I/O seam on, as in every daemon of a test.
    daemon = tree.one('/bin/penstockd')
    os.rename(daemon, f'{daemon}-itself')
    with open(daemon, 'w', encoding='utf-8') as file:
        file.write(f'#!/bin/sh\nexec {daemon}-itself "$@" --set fault.io.trace=true\n')
    os.chmod(daemon, 0o755)
    said = run(tree.one('/bin/penstock'), 'demo', env={'HOME': tree.root})
    assert 'it adds up' in said, said
    # Its own data set, not that of a source tree: cut short it is missed.
    data = tree.one('/share/penstock/examples/flights-2013.csv.xz')
    os.truncate(data, os.path.getsize(data) // 2)
    done = subprocess.run([tree.one('/bin/penstock'), 'demo'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=200, check=False)
    assert done.returncode == 1 and data in done.stderr, done


def main():
    folder = tempfile.mkdtemp(prefix='penstock-install-')
    try:
        tree = Tree(os.path.join(folder, 'root'))
        everything_is_there(tree)
        library_keeps_to_itself(tree)
        others_build_on_it(tree, folder)
        demo_runs_from_there(tree)
    finally:
        shutil.rmtree(folder)


if __name__ == '__main__':
    sys.exit(main())
