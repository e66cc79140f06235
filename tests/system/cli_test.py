#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The CLI as a user meets it: answers, errors in three parts with the fix that fits, exit codes."""
import json
import os
import re
import subprocess
import sys
import time

from penstock_daemon import Daemon, tool

JOB = '''name: count
topics: [lines]
start: earliest
batch_interval: 100ms
time: event
window: {kind: tumbling, size: 1s}
function: {builtin: count}
sinks: [print]
'''


class Cli:
    def __init__(self, daemon):
        self.environment = {**os.environ, 'PENSTOCK_SOCKET': os.path.join(daemon.state, 'ctl.sock')}

    def run(self, *words, stdin=''):
        return subprocess.run([tool('penstock'), *words], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, env=self.environment, timeout=60)

    def good(self, *words, stdin=''):
        result = self.run(*words, stdin=stdin)
        assert result.returncode == 0, (words, result)
        return result.stdout

    def data(self, *words):
        document = json.loads(self.good(*words, '-o', 'json'))
        assert re.fullmatch(r'penstock\.[a-z.]+/1', document['schema']), document
        return document['data']

    def bad(self, code, what, why, fix, *words, stdin=''):
        """Each part of the error is told, and the command leaves with the code of --help."""
        result = self.run(*words, stdin=stdin)
        assert result.returncode == code, (words, result)
        lines = result.stderr.splitlines()
        assert lines[0].startswith('error ') and what in lines[0], (words, result.stderr)
        assert why in ''.join(line for line in lines if not line.startswith(('  fix', '  or '))), (words, result.stderr)
        assert any(line.startswith(('  fix   ', '  or    ')) and fix in line for line in lines), (words, result.stderr)


def wrong_input(cli):
    cli.bad(1, 'already_exists', 'exists already', 'penstock topic list', 'topic', 'create', 'lines')
    cli.bad(64, 'b d', 'INVALID_TOPIC_EXCEPTION', 'penstock topic create --help', 'topic', 'create', 'b d')
    cli.bad(64, '1..1024', 'out of range', 'penstock topic create --help', 'topic', 'create', 'x', '--partitions', '0')
    cli.bad(64, 'no such topic setting; nearest: retention.ms', '', 'penstock topic create --help', 'topic', 'create', 'x',
            '--config', 'retention.msx=1')
    cli.bad(1, 'unsupported: topic "x": retention.ms=5: want -1', 'Not offered', 'leave the setting out', 'topic', 'create', 'x', '--config', 'retention.ms=5')
    cli.bad(64, '--config wants name=value', '', 'penstock topic create --help', 'topic', 'create', 'x', '--config', 'retention.ms')
    cli.bad(64, '"x" is not a number', '', 'penstock partition describe --help', 'partition', 'describe', 'lines', 'x')
    cli.bad(64, 'nearest: --partitions', '', 'penstock topic create --help', 'topic', 'create', 'x', '--partition', '3')
    cli.bad(64, 'one word too many: "b"', '', 'penstock topic create --help', 'topic', 'create', 'a', 'b')
    cli.bad(64, 'which topic?', 'Its name', 'penstock topic describe flights', 'topic', 'describe')
    cli.bad(64, 'wants a verb: list describe', '', 'penstock topic VERB --help', 'topic')
    cli.bad(64, 'no verb "lst"', '', 'penstock topic list --help', 'topic', 'lst')
    cli.bad(64, 'nearest: topic', '', 'penstock help', 'topc', 'list')
    cli.bad(1, 'nearest: lines', 'does not exist', 'penstock topic list', 'topic', 'describe', 'lins')
    cli.bad(1, 'partitions 0..3, not 9', 'does not exist', 'penstock partition list', 'partition', 'describe', 'lines', '9')
    cli.bad(64, 'nearest: limit', 'unknown', 'penstock topic list --help', 'call', 'topic.list', '{"limt":1}')
    cli.bad(64, 'no method "nope"', 'No such method', 'penstock rpc list', 'call', 'nope')
    cli.bad(64, 'not JSON', 'expected', 'penstock call', 'call', 'topic.list', '{bad')
    cli.bad(1, '"tumblin": want', 'window: {kind: tumblin', 'Mend the place', 'job', 'create', '-',
            stdin=JOB.replace('tumbling', 'tumblin'))
    cli.bad(1, 'no builtin function "cuont"', 'count', 'builtin: count', 'job', 'create', '-', stdin=JOB.replace('builtin: count', 'builtin: cuont'))
    cli.bad(1, 'plug-in refused', '/nonexistent.so: No such file', 'batcher.plugin_dirs', 'job', 'create', '-',
            stdin=JOB.replace('builtin: count', 'plugin: /nonexistent.so'))
    cli.bad(64, 'cannot be read', '/nonexistent', 'stdin', 'job', 'create', '/nonexistent')
    cli.bad(64, 'cannot be read', '/tmp: Is a directory', 'stdin', 'job', 'create', '/tmp')
    cli.bad(1, 'no job "nope"', 'does not exist', 'penstock job list', 'window', 'list', 'nope')
    cli.bad(64, 'asks first', 'Deletes', '--yes', 'topic', 'delete', 'lines')
    cli.bad(75, 'still ready', 'time', 'time', 'health', 'wait', '--ready=false', '--timeout', '200ms')
    cli.bad(64, 'which topic?', '', 'penstock produce --help', 'produce')
    cli.bad(64, 'no flag --partitoin; nearest: --partition', '', 'penstock produce --help', 'produce', 'lines', '--partitoin', '1')
    cli.bad(64, '--partition wants a value', '', 'penstock produce --help', 'produce', 'lines', '--partition')
    cli.bad(64, 'topic "b d"', '1 to 249', 'penstock topic list', 'produce', 'b d', stdin='x\n')
    cli.bad(1, '/nonexistent cannot be opened', 'No such file', 'penstock produce lines FILE', '-q', 'produce', 'lines', '/nonexistent')
    cli.bad(1, '/tmp cannot be read', 'Is a directory', 'penstock produce lines FILE', '-q', 'produce', 'lines', '/tmp')
    cli.bad(1, 'not all records are durable', 'no such topic or partition', 'penstock partition list lines', '-q', 'produce', 'lines',
            '--partition', '9', stdin='x\n')
    cli.bad(1, 'not all records are durable', 'larger than', 'shorter', '-q', 'produce', 'lines', stdin='x' * 3000 + '\n')
    cli.bad(1, 'not all records are durable', 'internal topic', 'penstock topic list', '-q', 'produce', '__penstock_metadata', stdin='x\n')
    cli.bad(64, 'no flag --bogus', '', 'penstock demo --help', 'demo', '--bogus')
    cli.bad(64, 'takes no words', '', 'penstock ledger --help', 'ledger', 'x')
    cli.bad(64, 'which method?', '', 'penstock rpc list', 'call')
    cli.bad(3, 'cannot be read', '/nonexistent', 'TOPIC-PARTITION', 'log', 'dump', '/nonexistent')


def right_input(cli, daemon):
    lines = ''.join(f'{i}\n' for i in range(5000))
    document = json.loads(cli.good('-o', 'json', 'produce', 'lines', stdin=lines))
    assert document['data']['sent'] == document['data']['durable'] == 5000, document
    csv = 'when,who,what\n' + ''.join(f'{1700000000000 + i * 10},k{i % 7},"a, b"\n' for i in range(1000))
    document = json.loads(cli.good('-o', 'json', 'produce', 'lines', '--csv', '--header', '--key-column', 'who',
                                   '--timestamp-column', 'when', stdin=csv))
    assert document['data']['durable'] == 1000, document
    rows = cli.data('partition', 'list', 'lines')['partitions']
    assert sum(row['durable_offset'] for row in rows) == 6000, rows
    assert 'error' not in cli.run('-q', 'produce', 'lines', stdin='one more\n').stderr
    cli.good('job', 'create', '-', stdin=JOB)
    cli.good('job', 'drain', 'count', '--yes')
    job = cli.data('job', 'describe', 'count')
    assert job['counters']['window_records'] + job['counters']['late_records'] == 6001, job
    table = cli.good('window', 'list', 'count')
    assert re.search(r'^SEQUENCE +START +END +RECORDS', table, re.M) and '2023-11-14T22:13:20.000Z' in table, table
    assert 'ledger: adds up' in cli.good('ledger'), cli.run('ledger')
    assert cli.data('ledger')['adds_up'] is True
    assert cli.data('topic', 'delete', 'lines', '--validate-only', '--yes') == {'topic': 'lines'}
    assert cli.data('topic', 'alter', 'lines', '--config', 'segment.ms=1', '--validate-only') == {'topic': 'lines'}
    assert ('segment.ms', 'default') in [(row['name'], row['origin']) for row in cli.data('topic', 'describe', 'lines')['configs']]
    assert re.search(r'^TOPIC +PARTITIONS', cli.good('topic', 'list'), re.M)
    assert 'topics:' in cli.good('topic', 'list', '-o', 'yaml')
    dump = cli.good('log', 'dump', '--deep', '--max-bytes', '1KiB', f'{daemon.data_dir()}/lines-0')
    assert 'offset' in dump, dump
    cli.good('topic', 'delete', 'lines', '--yes')
    assert cli.data('topic', 'list')['topics'] == []


def pages_of_producers(cli, daemon):
    """Every session stands on exactly one page, and only the last page has no next."""
    cli.good('topic', 'create', 'paged')
    running = [subprocess.Popen([tool('penstock'), '-q', 'produce', 'paged', '--client-id', f'paged-{i}'], stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL, text=True, env=cli.environment) for i in range(5)]
    try:
        for process in running:
            process.stdin.write('a line\n')
            process.stdin.flush()
        deadline = time.monotonic() + 60
        while len(daemon.call('producer.list', filter='paged-')['producers']) < 5:
            assert time.monotonic() < deadline, daemon.call('producer.list')
            time.sleep(0.05)
        for limit, sizes in ((1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (500, [5])):
            names, pages, cursor = [], [], {}
            while True:
                page = daemon.call('producer.list', filter='paged-', limit=limit, **cursor)
                pages.append(len(page['producers']))
                names += [row['name'] for row in page['producers']]
                if 'next' not in page:
                    break
                cursor = {'cursor': page['next']}
            assert pages == sizes and sorted(names) == [f'paged-{i}' for i in range(5)], (limit, pages, names)
        said = cli.run('producer', 'list', '--limit', '2').stderr
        assert 'there is more: --cursor' in said, said
        for cursor in ('', '7', 'x.1', '99.0', '0.1x', '-1.0', '0.-1', '0.99999999999'):
            cli.bad(1, 'no page begins at cursor', 'does not exist', 'penstock producer list', 'producer', 'list', '--cursor', cursor)
    finally:
        for process in running:
            process.stdin.close()
            assert process.wait(60) == 0
    cli.good('topic', 'delete', 'paged', '--yes')


def offline(daemon):
    cli = Cli(daemon)
    cli.bad(69, 'not running', 'no such file', 'penstockd --dev', 'topic', 'list')
    start = time.monotonic()
    cli.bad(69, 'not running', 'no such file', 'penstockd --dev', 'health', 'wait', '--timeout', '300ms')
    assert time.monotonic() - start >= 0.3
    for word in ('1003', 'not_found', '69', 'usage', '-32602', 'PEN-2003'):
        assert 'fix' in cli.good('explain', word), word
    assert 'default auto' in cli.good('explain', 'log.io') and 'at the next start' in cli.good('explain', 'log.io')
    assert 'datagrams to the native protocol' in cli.good('explain', 'penstock_lane_native_total')
    assert 'reason' in cli.good('explain', 'penstock_drops_total')
    cli.bad(64, 'nearest: PEN-2003', '', 'penstock help', 'explain', 'PEN2003')
    cli.bad(64, 'nearest: not_found', '', 'penstock help', 'explain', 'not_foun')
    cli.bad(64, 'nearest: log.io', '', 'penstock help', 'explain', 'log.oi')
    assert '130 interrupted' in cli.good('--help')


def every_command_has_help(cli):
    nouns = re.findall(r'^  ([a-z]+) +((?:[a-z]+ ?)+)$', cli.good('help').split('this text')[1], re.M)
    assert len(nouns) >= 10, nouns
    for noun, verbs in nouns:
        for verb in verbs.split():
            text = cli.good(noun, verb, '--help')
            assert f'usage: penstock {noun} {verb}' in text and 'example: penstock' in text, text
            assert text == cli.good('help', noun, verb), text
        listed = cli.good('help', noun)
        assert listed == cli.good(noun, '--help') and all(f'penstock {noun} {verb}' in listed for verb in verbs.split()), listed
    for word in ('demo', 'produce', 'ledger', 'log', 'call', 'explain', 'version'):
        assert f'usage: penstock {word}' in cli.good(word, '--help') == cli.good('help', word), word
    text = cli.good('topic', 'create', '--help')
    for part in ('create TOPIC [--flag', '--partitions N', '1 to 1024', '--config NAME=VALUE'):
        assert part in text, (part, text)
    assert 'asks first' in cli.good('topic', 'delete', '--help')


def main():
    with Daemon() as daemon:
        cli = Cli(daemon)
        health = cli.data('health', 'wait')
        assert health['ready'] is True and (health['profile'], health['profile_reason']) == ('laptop', 'auto: dev mode'), health
        assert 'profile   laptop (auto: dev mode)' in daemon.log(), daemon.log()
        cli.good('topic', 'create', 'lines', '--partitions', '4')
        wrong_input(cli)
        pages_of_producers(cli, daemon)
        right_input(cli, daemon)
        every_command_has_help(cli)
        cli.good('sys', 'stop', '--yes')
        assert daemon.process.wait(30) == 0
        offline(daemon)


if __name__ == '__main__':
    sys.exit(main())
