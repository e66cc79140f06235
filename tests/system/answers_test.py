#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the control socket and the CLI answer, judged by content: a ledger that does not add up, what delivery means, and the
methods that other tests call without reading the answer."""
import json
import os
import re
import subprocess
import sys
import time

import yaml

from demo_test import Place, on_terminal
from penstock_daemon import Control, ControlError, Daemon, tool
from spoiling_proxy import Proxy, blind, off_by

HERE = os.path.dirname(os.path.abspath(__file__))


def penstock(socket, *words, stdin=''):
    return subprocess.run([tool('penstock'), '-s', socket, *words], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=60, check=False)


def ledgers(daemon):
    """Exit 0, 2 with the equation named, and words for what a driver does not show."""
    real = os.path.join(daemon.state, 'ctl.sock')
    sound = penstock(real, 'ledger')
    assert sound.returncode == 0 and sound.stdout.endswith('ledger: adds up\n') and 'FAIL' not in sound.stdout, sound
    for name, change in (('off', off_by(-3)), ('blind', blind)):
        Proxy(os.path.join(daemon.state, f'{name}.sock'), real, change)
    off = penstock(os.path.join(daemon.state, 'off.sock'), 'ledger')
    assert off.returncode == 2 and 'ledger: DOES NOT ADD UP' in off.stdout, off
    assert re.findall(r'^  (\S.*?) +FAIL  off by (-?\d+)$', off.stdout, re.M) == [('E2 queue', '-3')], off
    as_json = penstock(os.path.join(daemon.state, 'off.sock'), '-o', 'json', 'ledger')
    assert as_json.returncode == 2 and json.loads(as_json.stdout)['data']['adds_up'] is False, as_json
    unseen = penstock(os.path.join(daemon.state, 'blind.sock'), 'ledger')
    assert unseen.returncode == 0, unseen
    assert re.search(r'^  E2 queue +not visible\n    \S? *rx_packets +not visible$', unseen.stdout, re.M), unseen


def a_demo_that_does_not_add_up():
    with Place() as place:
        tools = os.path.join(place.path, 'build')
        os.makedirs(os.path.join(tools, 'docs'))
        build = os.path.dirname(os.path.abspath(tool('penstock')))
        os.symlink(os.path.join(build, 'docs/examples'), os.path.join(tools, 'docs/examples'))
        os.symlink(os.path.join(HERE, '../../docs'), os.path.join(place.path, 'docs'))
        with open(os.path.join(build, 'penstock'), 'rb') as source, open(os.path.join(tools, 'penstock'), 'wb') as copy:
            copy.write(source.read())
        with open(os.path.join(tools, 'penstockd'), 'w', encoding='utf-8') as file:
            file.write(f'#!/bin/sh\nexec {sys.executable} {HERE}/spoiling_proxy.py {build}/penstockd "$@"\n')
        for name in ('penstock', 'penstockd'):
            os.chmod(os.path.join(tools, name), 0o755)
        done = subprocess.run([os.path.join(tools, 'penstock'), 'demo'], env=place.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=150, check=False)
        assert done.returncode == 2, done
        assert 'it adds up: sent' in done.stdout and 'IT DOES NOT ADD UP' in done.stdout, done.stdout
        assert 'all that is visible adds up' not in done.stdout, done.stdout
        place.assert_clean(but=['build', 'docs'])


def delivery_is_at_least_once(daemon):
    daemon.call('topic.create', topic='words')
    made = daemon.call('job.create', text=json.dumps({
        'name': 'words', 'topics': ['words'], 'start': 'earliest', 'batch_interval': '100ms', 'time': 'ingest',
        'window': {'kind': 'tumbling', 'size': '1s'}, 'function': {'builtin': 'count'}, 'sinks': ['print']}))
    for answer in (made, daemon.call('job.describe', job='words')):
        assert answer['guarantee'].startswith('at least once') and 'again' in answer['guarantee'], answer
        assert 'exactly' not in answer['guarantee'], answer


def methods_are_told(daemon):
    """rpc.list and rpc.describe against the table itself."""
    with open(os.path.join(HERE, '../../ctrl/schema/methods.yaml'), encoding='utf-8') as file:
        table = {row['method']: row for row in yaml.safe_load(file)['methods']}
    listed = {row['name']: row for row in daemon.call('rpc.list')['methods']}
    assert listed.keys() == table.keys(), listed.keys() ^ table.keys()
    control = Control(os.path.join(daemon.state, 'ctl.sock'))
    for name, row in table.items():
        assert all(listed[name][part] == row[part] for part in ('role', 'effect', 'summary')), (listed[name], row)
        told = control.call_with('rpc.describe', {'method': name})['method']
        assert told['method'] == name and told['summary'] == row['summary'], told
        assert [p['name'] for p in told.get('params', [])] == [p['name'] for p in row.get('params', [])], (told, row)
        assert [r['name'] for r in told.get('result', [])] == [r['name'] for r in row.get('result', [])], (told, row)
    control.close()


def settings_are_told(daemon):
    rows = {row['key']: row for row in daemon.call('config.get')['keys']}
    with open(os.path.join(HERE, '../../ctrl/schema/config.yaml'), encoding='utf-8') as file:
        keys = {row['key'] for row in yaml.safe_load(file)['keys']}
    assert keys <= rows.keys(), keys - rows.keys()
    assert rows['mode']['value'] == 'dev' and rows['log.io'] == {**rows['log.io'], 'value': 'sync', 'default': 'auto',
                                                                  'layer': 'set', 'reload': 'restart'}, rows
    assert rows['node.id']['layer'] == 'defaults' and rows['node.id']['value'] == rows['node.id']['default'], rows['node.id']
    assert [row['key'] for row in daemon.call('config.get', keys=['log.io'])['keys']] == ['log.io']
    assert re.search(r'^  log .*, sync, durable by ', daemon.log(), re.M), daemon.log()  # and it does what it says


def an_altered_topic(daemon):
    def value(name):
        return next((c['value'], c['origin']) for c in daemon.call('topic.describe', topic='small')['configs'] if c['name'] == name)

    socket = os.path.join(daemon.state, 'ctl.sock')
    daemon.call('topic.create', topic='small')
    assert value('max.message.bytes') == ('1048588', 'default')
    assert penstock(socket, 'produce', 'small', stdin='x' * 1200 + '\n').returncode == 0
    assert daemon.call('topic.alter', topic='small', configs={'max.message.bytes': '1024'}) == {'topic': 'small'}
    assert value('max.message.bytes')[0] == '1024' and value('max.message.bytes')[1] != 'default'
    refused = penstock(socket, 'produce', 'small', stdin='x' * 1200 + '\n')
    assert refused.returncode == 1, refused
    assert penstock(socket, 'produce', 'small', stdin='x' * 100 + '\n').returncode == 0
    ends = [p['log_end_offset'] for p in daemon.call('partition.list', topic='small')['partitions']]
    assert sum(ends) == 2, ends


def one_producer_one_lcore_one_call(daemon):
    socket = os.path.join(daemon.state, 'ctl.sock')
    process = subprocess.Popen([tool('penstock'), '-s', socket, '-q', 'produce', 'words', '--client-id', 'told'],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    process.stdin.write('a line\n')
    process.stdin.flush()
    deadline = time.monotonic() + 30
    while not (found := daemon.call('producer.list', filter='told')['producers']) or found[0]['records'] < 1:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    told = daemon.call('producer.describe', id=found[0]['producer_id'])
    text = json.dumps(told)
    assert '"told"' in text and found[0]['session'] in text and found[0]['peer'] in text, (told, found)
    process.stdin.close()
    assert process.wait(60) == 0
    lcores = daemon.call('lcore.list')['lcores']
    for row in lcores:
        one = daemon.call('lcore.describe', lcore=row['lcore'])['lcore']
        assert one.keys() == row.keys() and (one['role'], one['cpu']) == (row['role'], row['cpu']), (one, row)
        assert one['turns'] >= row['turns'], (one, row)
    try:
        daemon.call('lcore.describe', lcore=len(lcores))
        raise AssertionError('an lcore that is not there was described')
    except ControlError as error:
        assert error.kind == 'not_found', error
    done = penstock(socket, 'call', 'topic.describe', '{"topic": "words"}')
    assert done.returncode == 0 and json.loads(done.stdout)['topic'] == 'words', done


def bars_are_drawn(daemon):
    """produce with and without a known end; the demo's own is in demo_test."""
    socket = os.path.join(daemon.state, 'ctl.sock')
    with Place() as place:
        path = os.path.join(place.path, 'lines')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('line\n' * 2000)
        code, output = on_terminal(place, 100, '-s', socket, 'produce', 'words', path)
        assert code == 0, output
        assert re.search(r'words \[#{28}\] 100 %  2,000  ', output), output
        assert re.search(r'rate +[\d,]+ records/s, ', output) and re.search(r'ack latency +p50 ', output), output


def memory_of_the_control_socket():
    """ctl.memory_max is kept: who finds no room is told so and hung up on, and the others go on."""
    with Daemon('ctl.memory_max=8MiB') as daemon:
        daemon.call('rpc.ping')
        told, clients = [], []
        for _ in range(16):  # 900 KB each without an end of line
            client = Control(os.path.join(daemon.state, 'ctl.sock'), seconds=10)
            clients.append(client)
            try:
                client.socket.sendall(b'[' + b' ' * 900_000)
            except (BrokenPipeError, ConnectionResetError):
                pass
            daemon.call('rpc.ping')
            used = daemon.call('metric.get', names=['penstock_ctl_memory_bytes'])['series'][0]['value']
            assert used <= 8 << 20, used
            if daemon.call('metric.get', names=['penstock_ctl_memory_refusals_total'])['series'][0]['value'] > len(told):
                told.append(client)
        assert 1 <= len(told) < 16, len(told)
        data = json.loads(told[0].file.readline())['error']['data']
        assert (data['kind'], data['limit'], data['value'], data['config_key']) == ('limit', 'memory', 8 << 20, 'ctl.memory_max'), data
        health = daemon.call('health.get')
        assert health['ready'] and health['reasons'][0].startswith('ctl_memory: '), health
        for client in clients:
            client.close()
        assert daemon.stop() == 0, daemon.log()


def main():
    memory_of_the_control_socket()
    with Daemon('log.io=sync') as daemon:
        daemon.call('rpc.ping')
        methods_are_told(daemon)
        settings_are_told(daemon)
        delivery_is_at_least_once(daemon)
        an_altered_topic(daemon)
        one_producer_one_lcore_one_call(daemon)
        bars_are_drawn(daemon)
        ledgers(daemon)
        assert daemon.stop() == 0, daemon.log()
    a_demo_that_does_not_add_up()


if __name__ == '__main__':
    sys.exit(main())
