#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hw-config/setup/hugepages on the real machine: apply, show, undo; hugeadm agrees; everything is put back. A daemon that
misses hugepages names the command of this script that helps it.

Usage: hugepages_setup_test.py SCRIPT PENSTOCKD. Other programs may change the pool at any time: a round during which
somebody did is run again, and only a round that was undisturbed is judged.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

STATE = '/run/penstock-hugepages'
ROUNDS = 10


class Disturbed(Exception):
    """Somebody else changed the pool meanwhile."""


def run(*words, code=0):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert code is None or done.returncode == code, f'{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}'
    return done


def nodes(size_kb):
    found = {}
    for path in glob.glob(f'/sys/devices/system/node/node*/hugepages/hugepages-{size_kb}kB'):
        found[int(re.search(r'/node(\d+)/', path)[1])] = path
    return found or {0: f'/sys/kernel/mm/hugepages/hugepages-{size_kb}kB'}


def read(path):
    with open(path, encoding='ascii') as file:
        return int(file.read())


def totals(size_kb):
    return {node: read(path + '/nr_hugepages') for node, path in nodes(size_kb).items()}


def shown(script):
    """{page size in kB: pages of all nodes} as `show` prints it, and its other lines."""
    pools, rest = {}, []
    for line in run(script, 'show').stdout.splitlines()[1:]:
        row = re.fullmatch(r'\d+ +(\d+) +(\d+) +\d+ +\d+', line)
        if row:
            pools[int(row[1])] = pools.get(int(row[1]), 0) + int(row[2])
        else:
            rest.append(line)
    return pools, rest


def hugeadm_pools():
    rows = re.findall(r'^ *(\d+) +\d+ +(\d+) +\d+', run('hugeadm', '--pool-list').stdout, re.M)
    return {int(size) // 1024: int(current) for size, current in rows}


def agrees_with_hugeadm(script):
    before, _ = shown(script)
    theirs = hugeadm_pools()
    after, _ = shown(script)
    if before != after:
        raise Disturbed
    assert theirs == before, f'hugeadm says {theirs}, show says {before}'


def raised_for(size_kb, pages):
    """MiB that make `apply` add exactly this many pages, where all nodes have the same number free."""
    free = max(read(path + '/free_hugepages') for path in nodes(size_kb).values())
    return (free + pages) * size_kb // 1024


def round_trip(script, size_kb):
    first = totals(size_kb)
    mounted = 'hugetlbfs' in run('hugeadm', '--list-all-mounts', code=None).stdout
    said = run(script, 'apply', str(raised_for(size_kb, 4))).stdout
    after = totals(size_kb)
    steps = {int(n): (int(a), int(b)) for n, a, b in re.findall(r'node (\d+): (\d+) -> (\d+) pages', said)}
    if steps != {node: (first[node], after[node]) for node in first}:
        raise Disturbed
    assert all(after[node] >= first[node] + 4 for node in first), (first, after)
    agrees_with_hugeadm(script)
    _, rest = shown(script)
    for node, pages in first.items():
        assert f'undo  node {node}, {size_kb} kB: we wrote {after[node]}, before {pages}' in rest, rest
    paths = [line.split()[1] for line in rest if line.startswith('mount ')]
    assert paths, rest
    table = run('hugeadm', '--list-all-mounts').stdout
    assert all(path in table for path in paths), (paths, table)
    run(script, 'apply', str(raised_for(size_kb, 2)))
    again = totals(size_kb)
    back = run(script, 'undo', code=None)
    if totals(size_kb) != first or back.returncode != 0:
        raise Disturbed
    assert again != first
    pools, rest = shown(script)
    assert not [line for line in rest if line.startswith('undo')], rest
    assert mounted or not [line for line in rest if line.startswith('mount')], rest
    assert not os.path.exists(STATE)


def changed_since(script, size_kb):
    """What somebody else wrote after us stays, until --force."""
    first = totals(size_kb)
    run(script, 'apply', str(raised_for(size_kb, 2)))
    ours = totals(size_kb)
    path = nodes(size_kb)[min(ours)] + '/nr_hugepages'
    with open(path, 'w', encoding='ascii') as file:
        file.write(str(ours[min(ours)] + 1))
    refused = run(script, 'undo', code=1)
    if read(path) != ours[min(ours)] + 1:
        raise Disturbed
    assert 'changed since' in refused.stderr and 'undo --force' in refused.stderr, refused.stderr
    run(script, 'undo', '--force')
    if totals(size_kb) != first:
        raise Disturbed


def helps_the_daemon(script, size_kb):
    """The error's own command, as it stands, lets the daemon start."""
    free_mib = min(read(path + '/free_hugepages') for path in nodes(size_kb).values()) * size_kb // 1024
    folder = f'/tmp/penstock-hugepages-daemon-{os.getpid()}'
    words = [sys.argv[2], '--dev', '--check', '--state', folder, '--set', 'native.port=9292',
             '--set', 'ports=[{driver: vdev, devargs: "net_ring0", address: [192.0.2.2]}]',
             '--set', 'memory.hugepage_size=2MiB', '--set', f'memory.per_node={free_mib + 64}MiB']
    try:
        refused = run(*words, code=None)
        if refused.returncode == 0:
            raise Disturbed
        fix = re.search(r'fix +hw-config/setup/hugepages (apply \d+)', refused.stderr)
        assert refused.returncode == 2 and fix, refused.stderr
        run(script, *fix[1].split())
        started = run(*words, code=None)
        run(script, 'undo', '--force')
        if started.returncode != 0:
            raise Disturbed(started.stderr)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def undisturbed(what, script, size_kb):
    for number in range(ROUNDS):
        first = totals(size_kb)
        try:
            what(script, size_kb)
            return
        except Disturbed as why:
            run(script, 'undo', '--force', code=None)
            print(f'{what.__name__}: round {number + 1} was disturbed (pool {first} -> {totals(size_kb)}) {why}')
    raise AssertionError(f'{what.__name__}: somebody changed the pool in each of {ROUNDS} rounds')


def refusals(script, copy):
    """copy: the script where user nobody can read it."""
    for words in (['apply', '1x'], ['apply', '0'], ['apply', '--size', '4MiB'], ['undo', 'now'], ['show', 'all'], ['burn'], []):
        assert run(script, *words, code=64).stderr, words
    huge = run(script, 'apply', '9999999', code=1).stderr
    assert 'do not fit' in huge and 'MiB of memory are available' in huge, huge
    nowhere = run(script, 'apply', '--profile', 'labtop', code=1).stderr
    assert 'no profile "labtop"' in nowhere, nowhere
    nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
    refused = run(*nobody, copy, 'apply', '4', code=77).stderr
    assert 'cannot be changed by user' in refused and f'sudo {copy} apply 4' in refused, refused
    assert 'SIZE_KB' in run(*nobody, copy, 'show').stdout
    assert not os.path.exists(STATE)


def main():
    script = os.path.abspath(sys.argv[1])
    if os.geteuid() != 0:
        print('needs root: hugepages are the machine\'s')
        return 77
    if os.path.exists(STATE):
        print(f'{STATE} holds the state of a real apply: run `{script} undo` first')
        return 77
    size_kb = int(re.search(r'Hugepagesize: +(\d+) kB', open('/proc/meminfo', encoding='ascii').read())[1])
    folder = f'/tmp/penstock-hugepages-{os.getpid()}'
    os.mkdir(folder, 0o755)
    try:
        copy = shutil.copy(script, folder)
        refusals(script, copy)
        undisturbed(lambda s, _: agrees_with_hugeadm(s), script, size_kb)
        undisturbed(round_trip, script, size_kb)
        undisturbed(changed_since, script, size_kb)
        if size_kb == 2048:
            undisturbed(helps_the_daemon, script, size_kb)
    finally:
        shutil.rmtree(folder)
        if os.path.exists(STATE):
            run(script, 'undo', '--force', code=None)
    return 0


if __name__ == '__main__':
    sys.exit(main())
