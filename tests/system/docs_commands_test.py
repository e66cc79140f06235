#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every `sh` block of the pages that a newcomer reads is run as it stands, page by page, in one shell.

Each page gets a directory that looks like a built clone, a home of its own, and where the kernel allows it a
network of its own, so that the ports in the text are free. Two commands would build everything again and are only
looked at: ./quickstart (its demo is tests/system/demo_test.py) and tests/run.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from penstock_daemon import assert_traced

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get('PENSTOCK_BUILD', 'build'))
PAGES = ('README.md', 'docs/getting-started.md', 'docs/tutorials/window-function.md', 'docs/operations.md')
LOOKED_AT = {'./quickstart': './quickstart --help', 'tests/run': 'tests/run --list'}
SECONDS = 120


def commands(page):
    """The text of the page's sh blocks; every other fence is passed over with its contents."""
    with open(os.path.join(ROOT, page), encoding='utf-8') as f:
        blocks = re.findall(r'^```(\w*)\n(.*?)^```$', f.read(), re.M | re.S)
    lines = ''.join(text for language, text in blocks if language == 'sh').splitlines()
    return [LOOKED_AT.get(line, line) for line in lines]


def own_network():
    """A prefix for a command that gets a network namespace with loopback up, or none if that is not allowed."""
    words = ['unshare', '-n'] if os.geteuid() == 0 else ['unshare', '-rn']
    up = ['sh', '-c', 'ip link set lo up && exec "$@"', 'sh']
    if subprocess.run([*words, *up, 'true'], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        return [*words, *up]
    return []


def clone(folder):
    """What a built clone holds, by links; files that the pages make stay in the folder."""
    os.mkdir(folder)
    for name in os.listdir(ROOT):
        if not name.startswith(('.', 'build')):
            os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
    os.symlink(BUILD, os.path.join(folder, 'build'))


def still_running(session):
    """Processes of the session that do not end within some seconds; those that only wait to be reaped have ended."""
    until = time.monotonic() + 15
    while True:
        found = subprocess.run(['ps', '-s', str(session), '-o', 'stat=,pid=,args='], stdout=subprocess.PIPE, text=True,
                               check=False).stdout
        left = [line for line in found.splitlines() if not line.startswith('Z')]
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.05)


def run_page(page):
    lines = commands(page)
    assert lines, f'{page} has no sh block'
    place = tempfile.mkdtemp(prefix='penstock-docs-')
    folder = os.path.join(place, 'clone')
    clone(folder)
    os.mkdir(os.path.join(place, 'run'), 0o700)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(('XDG_', 'PENSTOCK_'))}
    os.makedirs(os.path.join(place, '.config/penstock'))
    with open(os.path.join(place, '.config/penstock/penstock.yaml'), 'w', encoding='utf-8') as file:
        file.write('fault.io.trace: true\n')  # every `penstockd --dev` of the page
    environment.update(HOME=place, XDG_RUNTIME_DIR=os.path.join(place, 'run'))
    script = 'set -euxo pipefail\numask 022\n' + '\n'.join(lines) + '\necho "page done"\n'
    started = time.monotonic()
    process = subprocess.Popen([*own_network(), 'bash', '-c', script], cwd=folder, env=environment, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    try:
        output = process.communicate(timeout=SECONDS)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        output = process.communicate()[0]
        raise AssertionError(f'{page} is not done after {SECONDS} s:\n{output}') from None
    finally:
        left = still_running(process.pid)
        if left:
            os.killpg(process.pid, signal.SIGTERM)
        shutil.rmtree(place, ignore_errors=True)
    assert process.returncode == 0 and '\npage done\n' in output, f'{page}: exit {process.returncode}\n{output}'
    assert not left, f'{page} leaves processes behind: {left}'
    print(f'{page}: {len(lines)} lines, {time.monotonic() - started:.1f} s')
    return output


def protocol_page_quotes_vectors():
    """The frames that native.md shows are the ones that the codec is tested with."""
    folder = os.path.join(ROOT, 'tests/vectors/native')
    vectors = {}
    for name in os.listdir(folder):
        if name.endswith('.hex'):
            with open(os.path.join(folder, name), encoding='utf-8') as f:
                vectors[re.sub(r'#.*|\s', '', f.read())] = name
    with open(os.path.join(ROOT, 'docs/protocols/native.md'), encoding='utf-8') as f:
        shown = re.findall(r'^```\n([0-9a-f\s]+)```$', f.read(), re.M)
    assert len(shown) >= 2, shown
    for frame in shown:
        assert re.sub(r'\s', '', frame) in vectors, frame


def main():
    protocol_page_quotes_vectors()
    outputs = {page: run_page(page) for page in PAGES}
    for page in PAGES:
        assert_traced(outputs[page])
    for page in ('README.md', 'docs/operations.md'):
        assert 'ledger: adds up' in outputs[page], outputs[page]
    assert re.search(r'\+ penstock window list delays.*\n.*\n +1  2012-12-27T00:00:00.000Z .* 1639 ',
                     outputs['docs/getting-started.md']), outputs['docs/getting-started.md']
    assert 'durable 1000, failed 0' in outputs['docs/getting-started.md'], outputs['docs/getting-started.md']


if __name__ == '__main__':
    sys.exit(main())
