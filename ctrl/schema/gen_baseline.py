# SPDX-License-Identifier: Apache-2.0
"""What clients of the control socket rely on, as data, and what a change of it would break, or open to whom it was closed.

api_baseline.json is committed. A change that only adds is written into it with `gen.py --baseline ROOT`; one that
breaks a client is an error of the build.
"""
from gen_methods import EFFECTS, STATES, limits

RANGED = {'u32', 'u64', 'i64', 'bytes', 'duration_ms', 'duration_us', 'time_ms', 'offset', 'partition', 'list', 'map', 'string',
          'text', 'name', 'topic', 'cursor', 'path'}


def parameter(param):
    entry = {'type': param['type'], 'required': bool(param.get('required'))}
    if param['type'] == 'enum':
        entry['values'] = param['values']
    if param['type'] in RANGED:
        entry['min'], entry['max'] = limits(param)
    if 'default' in param:
        entry['default'] = param['default']
    return entry


def surface(methods, errors):
    return {
        'methods': {m['method']: {
            'role': m['role'], 'effect': m['effect'], 'states': m.get('states', STATES),
            'params': {p['name']: parameter(p) for p in m.get('params', [])},
            'result': {r['name']: r['type'] for r in m['result']},
            'errors': sorted(m.get('errors', []))} for m in methods},
        'errors': {e['kind']: {'code': e['code'], 'data': [d.rstrip('?') for d in e['data']], 'retryable': bool(e.get('retryable'))} for e in errors}}


def broken_parameter(where, old, new):
    if new is None:
        yield f'{where} is gone'
        return
    if new['type'] != old['type']:
        yield f'{where} was {old["type"]} and is {new["type"]}'
    if new['required'] and not old['required']:
        yield f'{where} was optional and is required'
    for value in set(old.get('values', [])) - set(new.get('values', [])):
        yield f'{where} takes "{value}" no more'
    if 'min' in old and new['type'] == old['type'] and (new['min'] > old['min'] or new['max'] < old['max']):
        yield f'{where} took {old["min"]}..{old["max"]} and takes {new["min"]}..{new["max"]}'
    if old.get('default') != new.get('default'):
        yield f'{where} had default {old.get("default")} and has {new.get("default")}'


def broken_method(name, old, new):
    if new is None:
        yield f'{name} is gone'
        return
    if new['role'] != old['role']:  # raised: callers are refused; lowered: who may not may
        yield f'{name} needed role {old["role"]} and needs {new["role"]}'
    if EFFECTS.index(new['effect']) > EFFECTS.index(old['effect']):
        yield f'{name} was {old["effect"]} and is {new["effect"]}'
    for state in set(old['states']) - set(new['states']):
        yield f'{name} runs no more while {state}'
    for param, entry in old['params'].items():
        yield from broken_parameter(f'{name} parameter {param}', entry, new['params'].get(param))
    for param, entry in new['params'].items():
        if param not in old['params'] and entry['required']:
            yield f'{name} parameter {param} is new and required'
    for result, kind in old['result'].items():
        if new['result'].get(result) != kind:
            yield f'{name} result {result} was {kind} and is {new["result"].get(result, "gone")}'
    for kind in set(old['errors']) - set(new['errors']):
        yield f'{name} does not name error {kind} any more'


def broken(old, new):
    """Sentences: what a client that was written against old would miss."""
    found = []
    for name, entry in old['methods'].items():
        found += broken_method(name, entry, new['methods'].get(name))
    for kind, entry in old['errors'].items():
        other = new['errors'].get(kind)
        if other is None or other['code'] != entry['code']:
            found.append(f'error {kind} had code {entry["code"]} and has {other["code"] if other else "none"}')
            continue
        found += [f'error {kind} carries no {data} any more' for data in set(entry['data']) - set(other['data'])]
        if entry['retryable'] and not other['retryable']:
            found.append(f'error {kind} was retryable and is not')
    codes = {}
    for source in (old, new):
        for kind, entry in source['errors'].items():
            codes.setdefault(entry['code'], set()).add(kind)
    reused = {code for code, kinds in codes.items() if code > 0 and len(kinds) > 1}
    return sorted(found + [f'code {code} is used again: {", ".join(sorted(codes[code]))}' for code in reused])
