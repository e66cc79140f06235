#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./quickstart in a directory that looks like a clone: --no-demo builds and starts nothing, and a build directory that is no
release build is refused, not called one. The demo itself is demo_test."""
import os
import re
import subprocess
import sys
import tempfile

from docs_commands_test import clone


def quickstart(folder, *words):
    return subprocess.run(['./quickstart', *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=200, check=False)


def only_builds(folder):
    done = quickstart(folder, '--no-demo')
    assert done.returncode == 0 and done.stderr == '', done
    assert re.fullmatch(r'building \(release\).*\nbuilt in \d+ s: build/penstockd, build/penstock\n', done.stdout), done
    assert os.access(os.path.join(folder, 'build/penstockd'), os.X_OK)


def refuses_what_is_no_release(folder):
    for kind, options in (('debug', ['-Dbuildtype=debug']), ('release with sanitizers',
                                                             ['-Dbuildtype=release', '-Db_sanitize=address', '-Db_lundef=false'])):
        subprocess.run(['meson', 'setup', '--wipe', *options, 'build'] if os.path.exists(os.path.join(folder, 'build'))
                       else ['meson', 'setup', *options, 'build'], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        done = quickstart(folder, '--no-demo')
        assert done.returncode == 1 and 'built in' not in done.stdout, done
        assert 'is no release build' in done.stderr and f'it is {kind}\n' in done.stderr and '  fix   ' in done.stderr, done
        assert not os.path.exists(os.path.join(folder, 'build/penstockd')), 'it built all the same'


def main():
    with tempfile.TemporaryDirectory(prefix='pst-quickstart-') as place:
        folder = os.path.join(place, 'clone')
        clone(folder)
        only_builds(folder)
        os.remove(os.path.join(folder, 'build'))
        refuses_what_is_no_release(folder)
    return 0


if __name__ == '__main__':
    sys.exit(main())
