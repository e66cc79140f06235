#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is made from the schema tables is up to date, lints clean and says what the programs say; and the baseline of
the control socket catches every change that would break a client, shown on each method, parameter, result and error.
"""
import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get('PENSTOCK_BUILD', 'build'))
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / 'ctrl/schema'))

import gen  # noqa: E402
import gen_baseline  # noqa: E402
import gen_common  # noqa: E402


def committed_pages_are_what_the_tables_say():
    for name, text in [*gen.reference(str(ROOT)), *gen.baseline(str(ROOT))]:
        path = ROOT / name
        mode = '--baseline' if name.endswith('.json') else '--reference'
        assert path.is_file() and path.read_text(encoding='utf-8') == text, \
            f'{name} is not what the tables say; run: python3 ctrl/schema/gen.py {mode} .'


def nothing_is_undocumented():
    pages = dict(gen.manual(str(ROOT)))
    config, methods, _, _ = gen.tables(str(ROOT))
    for method in methods:
        assert f'.It Cm {method["method"].replace(".", " ")}' in pages['penstock.1'], method['method']
    for key in config['keys'] + config['ports']:
        assert f'.It Ic {key["key"]}\n' in pages['penstock.yaml.5'], key['key']


def no_key_promises_what_no_method_does():
    config, methods, _, _ = gen.tables(str(ROOT))
    if not any(method['method'] == 'config.apply' for method in methods):
        found = [key['key'] for key in config['keys'] + config['ports'] if key['reload'] not in ('restart', 'fixed')]
        assert not found, f'a running daemon takes no change of {found}'


def sources():
    """All C of the program itself, without what is generated."""
    folders = ('dataplane', 'logstore', 'batcher', 'ctrl')
    return '\n'.join(path.read_text(encoding='utf-8') for folder in folders for path in sorted((ROOT / folder).rglob('*.[ch]')))


def every_key_is_read_and_every_event_is_said():
    """A key that nobody reads is a promise that nobody keeps; so is an event that is never said."""
    config, _, _, events = gen.tables(str(ROOT))
    text = sources()
    for key in config['keys'] + config['ports']:
        name = key.get('c', key['key'].replace('.', '_'))
        assert re.search(rf'(->|\.){name}(_[a-z]+)?\b', text), f'{key["key"]}: no code reads {name}'
    for event in events:
        assert re.search(rf'\bevent_{event["name"]}\(', text), f'{event["id"]}: no code says event_{event["name"]}'


def man_pages_lint_clean():
    pages = dict(gen.manual(str(ROOT)))
    ours = {name.rsplit('.', 1)[0] for name in pages}
    for name, text in pages.items():
        done = subprocess.run(['mandoc', '-Tlint'], input=text, stdout=subprocess.PIPE, text=True, check=False)
        left = [line for line in done.stdout.splitlines()
                if not ((found := re.search(r'referenced manual not found: Xr (\S+)', line)) and found[1] in ours)]
        assert not left, f'{name}: ' + '\n'.join(left)


def help_and_manual_have_the_same_words():
    cli = gen_common.load(ROOT / 'ctrl/schema/cli.yaml')
    said = subprocess.run([BUILD / 'penstock', '--help'], stdout=subprocess.PIPE, text=True, check=True).stdout
    words = dict(re.findall(r'^  (\w+) +(\S.*)$', said.split('\n\n')[2], re.M))
    assert words == {c['word']: c['summary'] for c in cli['commands']}, words
    for flag in cli['global_flags']:
        assert all(name in said for name in (flag.get('flag'), flag.get('long')) if name in ('-o', '-s', '-n', '-y', '-q', '--timeout')), flag
    said = subprocess.run([BUILD / 'penstockd', '--help'], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert set(re.findall(r'--[a-z]+', said.split('\n\n')[1])) >= {f['long'] for f in cli['daemon_flags']}, said
    assert {f['long'] for f in cli['daemon_flags']} >= set(re.findall(r'^  (--[a-z]+)', said, re.M)), said


def openrpc_takes_what_the_schema_takes():
    _, methods, _, _ = gen.tables(str(ROOT))
    document = json.loads(dict(gen.tools(str(ROOT), '1'))['openrpc.json'])
    entries = {entry['name']: entry for entry in document['methods']}
    assert list(entries) == [method['method'] for method in methods]
    for method in methods:
        params = {param['name']: param for param in entries[method['method']]['params']}
        for param in params.values():
            jsonschema.Draft7Validator.check_schema(param['schema'])
        jsonschema.Draft7Validator.check_schema(entries[method['method']]['result']['schema'])
        for example in method['examples']:
            assert {name for name, param in params.items() if param['required']} <= set(example['params'])
            for name, value in example['params'].items():
                jsonschema.validate(value, params[name]['schema'])
            jsonschema.validate(example.get('result', {}), entries[method['method']]['result']['schema'])


def completed(script, *words):
    line = '; '.join([f'source {script}', 'COMP_WORDS=(penstock ' + ' '.join(f"'{word}'" for word in words) + ')',
                      f'COMP_CWORD={len(words)}', '_penstock', 'echo "${COMPREPLY[@]}"'])
    return subprocess.run(['bash', '--norc', '-c', line], stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def bash_completes_nouns_verbs_and_flags():
    with tempfile.NamedTemporaryFile('w', suffix='.bash') as script:
        script.write(dict(gen.tools(str(ROOT), '1'))['penstock.bash'])
        script.flush()
        assert completed(script.name, 'to') == ['topic']
        assert completed(script.name, 'topic', 'de') == ['describe', 'delete']
        assert completed(script.name, 'topic', 'create', '--part') == ['--partitions']
        assert completed(script.name, 'topic', 'create', 'flights', '--conf') == ['--configs']
        assert completed(script.name, 'demo', '--no-') == ['--no-progress']
        assert {'demo', 'explain', 'partition'} <= set(completed(script.name, ''))


def changes(old):
    """(what, surface): the present one with one thing taken away or narrowed."""
    for name, method in old['methods'].items():
        for what, change in (('gone', lambda m, n: m['methods'].pop(n)),
                             ('role', lambda m, n: m['methods'][n].update(role='admin')),
                             ('role lowered', lambda m, n: m['methods'][n].update(role='viewer')),
                             ('effect', lambda m, n: m['methods'][n].update(effect='disruptive')),
                             ('states', lambda m, n: m['methods'][n].update(states=m['methods'][n]['states'][1:])),
                             ('errors', lambda m, n: m['methods'][n].update(errors=m['methods'][n]['errors'][1:])),
                             ('new required', lambda m, n: m['methods'][n]['params'].update(
                                 zz={'type': 'string', 'required': True, 'min': 0, 'max': 1}))):
            new = copy.deepcopy(old)
            change(new, name)
            if new != old:
                yield f'{name} {what}', new
        for param, entry in method['params'].items():
            for what, more in (('gone', None), ('type', {'type': 'pci'}), ('required', {'required': True}),
                               ('max', {'max': entry.get('max', 0) - 1}), ('min', {'min': entry.get('min', 0) + 1}),
                               ('values', {'values': entry.get('values', [])[1:]}), ('default', {'default': 'another'})):
                new = copy.deepcopy(old)
                if what in ('max', 'min', 'values') and what not in entry:
                    continue
                if more is None:
                    del new['methods'][name]['params'][param]
                else:
                    new['methods'][name]['params'][param].update(more)
                if new != old:
                    yield f'{name} {param} {what}', new
        for result in method['result']:
            for kind in (None, 'pci'):
                new = copy.deepcopy(old)
                new['methods'][name]['result'][result] = kind
                yield f'{name} result {result}', new
    for kind, entry in old['errors'].items():
        for what, more in (('code', {'code': 9999}), ('data', {'data': entry['data'][1:]}), ('retryable', {'retryable': False})):
            new = copy.deepcopy(old)
            new['errors'][kind].update(more)
            if new != old:
                yield f'{kind} {what}', new
        new = copy.deepcopy(old)
        del new['errors'][kind]
        yield f'{kind} gone', new


def every_breaking_change_is_caught():
    old = json.loads((ROOT / gen.BASELINE).read_text(encoding='utf-8'))
    assert not gen_baseline.broken(old, old)
    count = 0
    for what, new in changes(old):
        found = gen_baseline.broken(old, new)
        assert found and any(what.split(' ')[0] in line for line in found), f'{what}: not caught ({found})'
        count += 1
    assert count > 10 * len(old['methods']), count
    reused = copy.deepcopy(old)
    reused['errors']['newcomer'] = dict(reused['errors']['not_found'])
    assert any('used again' in line for line in gen_baseline.broken(old, reused))
    more = copy.deepcopy(old)
    more['methods']['rpc.ping']['params']['zz'] = {'type': 'string', 'required': False, 'min': 0, 'max': 1}
    more['methods']['zz.get'] = copy.deepcopy(old['methods']['rpc.ping'])
    assert not gen_baseline.broken(old, more)
    print(f'{count} changes that break a client, each caught')


if __name__ == '__main__':
    for check in (committed_pages_are_what_the_tables_say, nothing_is_undocumented, no_key_promises_what_no_method_does, every_key_is_read_and_every_event_is_said,
                  man_pages_lint_clean,
                  help_and_manual_have_the_same_words, openrpc_takes_what_the_schema_takes,
                  bash_completes_nouns_verbs_and_flags, every_breaking_change_is_caught):
        check()
        print(f'ok {check.__name__}')
