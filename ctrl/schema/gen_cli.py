# SPDX-License-Identifier: Apache-2.0
"""methods.yaml, errors.yaml -> cli_gen.c: the grammar `penstock NOUN VERB` with flags and examples."""
from gen_common import banner, c_name, c_string
from gen_methods import EFFECTS, kind_of, limits


def flag_name(param):
    """deadline_ms is --deadline 30s on the command line."""
    name = param['name']
    if param['type'] == 'duration_ms' and name.endswith('_ms'):
        name = name[:-3]
    return name.replace('_', '-')


def duration_text(ms):
    return f'{ms // 1000}s' if ms % 1000 == 0 else f'{ms}ms'


def range_text(param):
    """Only what the schema bounds by name; the type's own bounds tell people nothing."""
    if kind_of(param) not in ('u32', 'u64', 'i64') or 'max' not in param or param['max'] >= 2**31:
        return None
    low, high = limits(param)
    return ' to '.join(duration_text(n) if param['type'] == 'duration_ms' else str(n) for n in (low, high))


def cli_source(methods):
    lines = [banner('The grammar of the command line.'), '#include "ctrl/cli/command.h"', '']
    for method in methods:
        name = c_name(method['method'])
        for param in method.get('params', []):
            if param['type'] == 'enum':
                values = ', '.join(c_string(v) for v in param['values'])
                lines.append(f'static const char *const {name}_{param["name"]}_values[] = {{{values}, NULL}};')
        if method.get('params'):
            lines.append(f'static const struct command_param {name}_params[] = {{')
            for param in method['params']:
                values = f'{name}_{param["name"]}_values' if param['type'] == 'enum' else 'NULL'
                default = param.get('default')
                if isinstance(default, bool):
                    default = 'true' if default else 'false'
                if default is not None and param['type'] == 'duration_ms':
                    default = duration_text(default)
                lines.append(f'\t{{{c_string(param["name"])}, {c_string(flag_name(param))}, '
                             f'{c_string(param.get("alias"))}, COMMAND_{kind_of(param).upper()}, '
                             f'{c_string(param["type"])}, {"true" if param.get("arg") else "false"}, '
                             f'{"true" if param.get("required") else "false"}, {values}, {c_string(default)}, {c_string(range_text(param))}, '
                             f'{c_string(param["doc"])}}},')
            lines.append('};')
        if 'table' in method:
            columns = ', '.join(c_string(c) for c in method['table']['columns'])
            lines.append(f'static const char *const {name}_columns[] = {{{columns}, NULL}};')
    lines += ['', 'const struct command commands[] = {']
    for method in methods:
        name, params = c_name(method['method']), method.get('params', [])
        noun, verb = method['method'].split('.')
        table = method.get('table')
        lines.append('\t{' + ', '.join([
            c_string(noun), c_string(verb), c_string(method['method']), c_string(method['summary']),
            str(EFFECTS.index(method['effect'])), c_string(method['role']), name + '_params' if params else 'NULL',
            str(len(params)), c_string(table['list']) if table else 'NULL', name + '_columns' if table else 'NULL',
            c_string(method['examples'][0]['cli'])]) + '},')
    return '\n'.join(lines + ['};', '', 'const uint32_t command_count = sizeof(commands) / sizeof(commands[0]);', ''])
