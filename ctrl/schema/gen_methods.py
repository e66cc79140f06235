# SPDX-License-Identifier: Apache-2.0
"""methods.yaml, errors.yaml, events.yaml -> registry, parameter structs, error and event tables."""
import json

from gen_common import banner, c_name, c_string, check

VERBS = set('get list describe create alter delete start stop wait cancel ping plan verify validate diff dump apply '
            'confirm revert explain subscribe unsubscribe generate roll repair pause resume drain rewind peek '
            'explain_restore state_dump'.split())
TYPES = set('bool u32 u64 i64 ratio string name path bytes duration_ms duration_us time_ms enum list map object pci mac '
            'ifname cpulist addr hostport topic partition offset group operation_id cursor text'.split())
SIGNED = {'i64', 'time_ms', 'offset'}
UNSIGNED = {'u64', 'bytes', 'duration_ms', 'duration_us'}
TEXT_MAX = {'string': 256, 'name': 64, 'topic': 249, 'cursor': 256, 'text': 65536, 'path': 511}
ROLES = ['viewer', 'operator', 'admin']
EFFECTS = ['ro', 'rw', 'disruptive']
STATES = ['starting', 'recovering', 'running', 'draining', 'stopping', 'failed']
METHOD_WORDS = {'method', 'summary', 'role', 'effect', 'states', 'params', 'result', 'table', 'errors', 'examples'}
PARAM_WORDS = {'name', 'type', 'doc', 'required', 'default', 'min', 'max', 'values', 'arg', 'alias'}


def kind_of(param):
    """How the decoder keeps it: bool, u32, u64, i64, enum, string, list or map."""
    kind = param['type']
    if kind in SIGNED:
        return 'i64'
    if kind in UNSIGNED:
        return 'u64'
    if kind == 'partition':
        return 'u32'
    return kind if kind in ('bool', 'u32', 'enum', 'list', 'map') else 'string'


def limits(param):
    """Least and greatest value, of texts the greatest length, of lists and maps the greatest count."""
    kind = kind_of(param)
    if kind == 'string':
        return (0 if param['type'] in ('string', 'text', 'cursor') else 1), param.get('max', TEXT_MAX[param['type']])
    if kind == 'u32':
        return param.get('min', 0), param.get('max', 2**31 - 1)
    return param.get('min', 0), param.get('max', 2**63 - 1 if kind in ('u64', 'i64') else 0)


def check_value(method, param, value):
    kind = kind_of(param)
    wanted = {'bool': bool, 'u32': int, 'u64': int, 'i64': int, 'enum': str, 'string': str, 'list': list, 'map': dict}
    where = f'{method["method"]} {param["name"]}'
    check(isinstance(value, wanted[kind]) and not (kind in ('u32', 'u64', 'i64') and isinstance(value, bool)),
          f'{where}: {value!r} is no {kind}')
    if kind == 'enum':
        check(value in param['values'], f'{where}: {value} is not among the values')
    if kind in ('u32', 'u64', 'i64'):
        low, high = limits(param)
        check(low <= value <= high, f'{where}: {value} is out of range')


def check_method(method, error_kinds):
    name = method['method']
    check(not set(method) - METHOD_WORDS, f'{name}: unknown words {set(method) - METHOD_WORDS}')
    check(name.count('.') == 1 and name.split('.')[1] in VERBS, f'{name}: verb is not of the list')
    check(method['role'] in ROLES and method['effect'] in EFFECTS, f'{name}: role or effect')
    check(method['summary'].endswith('.') and method.get('result'), f'{name}: summary or result')
    check(method.get('examples'), f'{name}: no example')
    params = {p['name']: p for p in method.get('params', [])}
    for param in params.values():
        check(not set(param) - PARAM_WORDS, f'{name} {param["name"]}: unknown words {set(param) - PARAM_WORDS}')
        check(param['type'] in TYPES, f'{name} {param["name"]}: type {param["type"]}')
        check(param['doc'], f'{name} {param["name"]}: no doc')
        if 'default' in param:
            check_value(method, param, param['default'])
    for result in method['result']:
        check(result['type'] in TYPES, f'{name} result {result["name"]}: type')
    for state in method.get('states', []):
        check(state in STATES, f'{name}: state {state}')
    for kind in method.get('errors', []):
        check(kind in error_kinds, f'{name}: error kind {kind} is not in errors.yaml')
    for example in method['examples']:
        for key, value in example['params'].items():
            check(key in params, f'{name} example: parameter {key}')
            check_value(method, params[key], value)
        for param in params.values():
            check(not param.get('required') or param['name'] in example['params'], f'{name} example: {param["name"]} missing')


def check_methods(methods, errors):
    kinds = [e['kind'] for e in errors]
    check(len(kinds) == len(set(kinds)), 'errors.yaml: a kind stands twice')
    for error in errors:
        check(error['summary'].endswith('.') and error['fix'], f'errors.yaml {error["kind"]}: summary or fix')
    codes = [code for e in errors for code in e.get('kafka', [])]
    check(len(codes) == len(set(codes)), 'errors.yaml: a Kafka code stands twice')
    names = [m['method'] for m in methods]
    check(len(names) == len(set(names)), 'methods.yaml: a method stands twice')
    for method in methods:
        check_method(method, set(kinds))


def enum_type(method, param):
    return f'{c_name(method["method"])}_{param["name"]}'


def c_type(method, param):
    kind = kind_of(param)
    if kind == 'enum':
        return f'enum {enum_type(method, param)} '
    return {'bool': 'bool ', 'u32': 'uint32_t ', 'u64': 'uint64_t ', 'i64': 'int64_t ', 'string': 'const char *',
            'list': 'const json_t *', 'map': 'const json_t *'}[kind]


def methods_header(methods):
    lines = [banner('Parameters and bodies of the control methods.'), '#ifndef CTRL_METHODS_GEN_H',
             '#define CTRL_METHODS_GEN_H', '', '#include <jansson.h>', '#include "ctrl/rpc/registry.h"', '',
             'struct rpc_call;', '', f'#define METHOD_COUNT {len(methods)}', '',
             'extern const struct rpc_method method_rows[METHOD_COUNT];', '']
    for method in methods:
        params, name = method.get('params', []), c_name(method['method'])
        for param in params:
            if param['type'] == 'enum':
                prefix = enum_type(method, param).upper()
                lines += [f'enum {enum_type(method, param)} {{']
                lines += [f'\t{prefix}_{c_name(v).upper()},' for v in param['values']] + ['};', '']
        for index, param in enumerate(params):
            lines.append(f'#define {name.upper()}_GIVEN_{param["name"].upper()} {1 << index}u')
        lines += [f'/* {method["summary"]} */', f'struct {name}_params {{',
                  '\tuint32_t given; /* which parameters the caller sent: bits *_GIVEN_* */']
        lines += [f'\t{c_type(method, p)}{p["name"]}; /* {p["doc"]} */' for p in params]
        lines += ['};', '', f'void method_{name}(struct rpc_call *call, const struct {name}_params *params);', '']
    return '\n'.join(lines + ['#endif', ''])


def default_literal(param):
    value = param.get('default')
    if value is None or kind_of(param) in ('list', 'map', 'string'):
        return '0'
    if kind_of(param) == 'enum':
        return str(param['values'].index(value))
    return str(int(value))


def param_row(method, param):
    low, high = limits(param)
    name = c_name(method['method'])
    fields = [f'.name = {c_string(param["name"])}', f'.kind = RPC_{kind_of(param).upper()}',
              f'.type = {c_string(param["type"])}', f'.offset = offsetof(struct {name}_params, {param["name"]})',
              f'.required = {"true" if param.get("required") else "false"}', f'.min = {low}', f'.max = {high}',
              f'.initial = {default_literal(param)}']
    if param['type'] == 'enum':
        fields.append(f'.values = {enum_type(method, param)}_values')
    return '\t{' + ', '.join(fields) + '},'


def methods_source(methods):
    lines = [banner('Registry rows of the control methods.'), '#include "ctrl/schema/methods_gen.h"', '',
             '#include <stddef.h>', '']
    for method in methods:
        name, params = c_name(method['method']), method.get('params', [])
        for param in params:
            if param['type'] == 'enum':
                values = ', '.join(c_string(v) for v in param['values'])
                lines.append(f'static const char *const {enum_type(method, param)}_values[] = {{{values}, NULL}};')
        if params:
            lines += [f'static const struct rpc_param {name}_rows[] = {{'] + [param_row(method, p) for p in params] + ['};']
        lines += [f'static void run_{name}(struct rpc_call *call, const void *params)', '{',
                  f'\tmethod_{name}(call, params);', '}', '']
    lines += ['const struct rpc_method method_rows[METHOD_COUNT] = {']
    for method in methods:
        name, params = c_name(method['method']), method.get('params', [])
        mask = sum(1 << STATES.index(s) for s in method.get('states', STATES))
        lines.append('\t{' + ',\n\t\t'.join([
            f'.name = {c_string(method["method"])}', f'.summary = {c_string(method["summary"])}',
            f'.role = RPC_ROLE_{method["role"].upper()}', f'.effect = RPC_{method["effect"].upper()}',
            f'.states = {mask}', f'.params = {name + "_rows" if params else "NULL"}', f'.param_count = {len(params)}',
            f'.params_bytes = sizeof(struct {name}_params)', f'.run = run_{name}',
            f'.entry = {c_string(json.dumps(method))}']) + '},')
    return '\n'.join(lines + ['};', ''])


def errors_header(errors):
    lines = [banner('Error kinds of the control socket.'), '#ifndef CTRL_ERRORS_GEN_H', '#define CTRL_ERRORS_GEN_H', '',
             '#include <stdbool.h>', '#include <stdint.h>', '', 'enum error_kind {']
    lines += [f'\tERROR_{e["kind"].upper()}, /* {e["code"]}: {e["summary"]} */' for e in errors]
    lines += ['\tERROR_KIND_COUNT,', '};', '', 'struct error_row {', '\tconst char *kind;', '\tint32_t code;',
              '\tbool retryable;', '\tconst char *summary;', '\tconst char *fix;',
              f'\tconst char *data[{max(len(e["data"]) for e in errors) + 1}]; /* what error.data always has; "x?": x may be null */', '};', '',
              'extern const struct error_row error_rows[ERROR_KIND_COUNT];', '',
              '/* What a Kafka code of the broker or the log is on the control socket; internal if the table has it not. */',
              'enum error_kind error_kind_of_kafka(int16_t code);', '', '#endif', '']
    return '\n'.join(lines)


def errors_source(errors):
    lines = [banner('Error kinds of the control socket.'), '#include <stddef.h>', '#include "base/errcode.h"',
             '#include "ctrl/schema/errors_gen.h"', '', 'const struct error_row error_rows[ERROR_KIND_COUNT] = {']
    lines += [f'\t{{{c_string(e["kind"])}, {e["code"]}, {"true" if e.get("retryable") else "false"}, '
              f'{c_string(e["summary"])}, {c_string(e["fix"])}, {{{", ".join([*(c_string(d) for d in e["data"]), "NULL"])}}}}},' for e in errors]
    lines += ['};', '', 'enum error_kind', 'error_kind_of_kafka(int16_t code)', '{', '\tswitch (code) {']
    for error in errors:
        if error.get('kafka'):
            lines += [f'\tcase KAFKA_{code}:' for code in error['kafka']] + [f'\t\treturn ERROR_{error["kind"].upper()};']
    return '\n'.join(lines + ['\tdefault:', '\t\treturn ERROR_INTERNAL;', '\t}', '}', ''])


def check_events(events):
    for word in ('name', 'id'):
        check(len({e[word] for e in events}) == len(events), f'events.yaml: a {word} stands twice')
    for event in events:
        check(event['cause'].endswith('.') and event['fix'].endswith('.'), f'events.yaml {event["name"]}: cause or fix is no sentence')


def events_header(events):
    """Each event is a log line `event=PEN-n text`: what the caller adds follows. EVENT_NAME_CAUSE and _FIX are for reasons of health."""
    lines = [banner('Events that the log names.'), '#ifndef CTRL_EVENTS_GEN_H', '#define CTRL_EVENTS_GEN_H', '',
             '#include "base/log.h"', '', f'#define EVENT_COUNT {len(events)}', '', 'struct event_row {',
             '\tconst char *id; /* PEN-nnnn */', '\tconst char *level;', '\tconst char *text;', '\tconst char *cause;',
             '\tconst char *fix;', '};', '', 'extern const struct event_row event_rows[EVENT_COUNT];', '']
    for event in events:
        lines += [f'#define EVENT_{event["name"].upper()}_CAUSE {c_string(event["cause"])}',
                  f'#define EVENT_{event["name"].upper()}_FIX {c_string(event["fix"])}',
                  f'#define event_{event["name"]}(format, ...) \\',
                  f'\tlog_at(LOG_{event["level"].upper()}, "ctrl", "event={event["id"]} {event["text"]}: " format, ##__VA_ARGS__)', '']
    return '\n'.join(lines + ['#endif', ''])


def events_source(events):
    lines = [banner('Events that the log names.'), '#include "ctrl/schema/events_gen.h"', '',
             'const struct event_row event_rows[EVENT_COUNT] = {']
    lines += ['\t{' + ', '.join(c_string(e[word]) for word in ('id', 'level', 'text', 'cause', 'fix')) + '},' for e in events]
    return '\n'.join(lines + ['};', ''])
