# SPDX-License-Identifier: Apache-2.0
"""config.yaml -> config_gen.h (struct config, key numbers) and config_gen.c (key table)."""
from gen_common import DURATIONS, SIZES, banner, c_name, c_string, check, with_unit

TYPES = {'bool', 'u32', 'u64', 'ppm', 'bytes', 'duration', 'enum', 'string', 'path', 'addr', 'cpulist'}
RELOAD = {'restart', 'fixed'}
TEXT_MAX = {'string': 127, 'path': 511, 'addr': 45}
ENTRY_WORDS = {'key', 'c', 'type', 'list', 'min', 'max', 'default', 'dev', 'reload', 'doc', 'values', 'auto',
               'raw', 'power_of_two', 'dev_only', 'step', 'max_is'}


def number(key, value):
    """A limit or default of a numeric key, in the unit that C keeps."""
    if key['type'] == 'duration' and not key.get('raw'):
        return with_unit(value, DURATIONS, key['key'])
    if key['type'] == 'bytes' and not key.get('raw'):
        return with_unit(value, SIZES, key['key'])
    check(isinstance(value, int), f'{key["key"]}: {value!r} is not an integer')
    return value


def unit(key):
    if key['type'] == 'duration':
        return 'ns'
    if key['type'] == 'ppm':
        return 'ppm'
    return 'bytes' if key['type'] == 'bytes' else ''


def stem(key):
    """The key's C name without a unit."""
    return key.get('c', c_name(key['key']))


def member(key):
    """The C member's name, with its unit unless it ends in it."""
    name = stem(key)
    suffix = unit(key)
    return name if not suffix or name.endswith('_' + suffix) else f'{name}_{suffix}'


def check_default(key, value):
    items = value if key.get('list') else [value]
    check(isinstance(items, list), f'{key["key"]}: default of a list is a list')
    for item in items:
        if key.get('auto') and item == 'auto':
            continue
        if key['type'] == 'enum':
            check(item in key['values'], f'{key["key"]}: default {item} is not among the values')
        elif 'min' in key:
            check(number(key, key['min']) <= number(key, item) <= number(key, key['max']),
                  f'{key["key"]}: default {item} is out of range')


def check_keys(keys, where):
    names, members = set(), set()
    for key in keys:
        name = key['key']
        check(not set(key) - ENTRY_WORDS, f'{where} {name}: unknown words {set(key) - ENTRY_WORDS}')
        check(name not in names and member(key) not in members, f'{where} {name}: twice')
        names.add(name)
        members.add(member(key))
        check(key.get('type') in TYPES, f'{where} {name}: type {key.get("type")}')
        check(key.get('reload') in RELOAD, f'{where} {name}: no reload class')
        check(key.get('doc', '').endswith('.'), f'{where} {name}: doc must be a sentence')
        check('default' in key, f'{where} {name}: no default')
        if key['type'] in ('u32', 'u64', 'ppm', 'bytes', 'duration'):
            check('min' in key and 'max' in key, f'{where} {name}: no range')
        check_default(key, key['default'])
        if 'dev' in key:
            check_default(key, key['dev'])


def check_config(config):
    check_keys(config['keys'], 'config key')
    check_keys(config['ports'], 'port key')


def text_max(key):
    return key.get('max', TEXT_MAX[key['type']])


def declaration(key, prefix):
    name, kind = member(key), key['type']
    count = f'[{key["list"]}]' if key.get('list') else ''
    if kind in TEXT_MAX:
        line = f'char {name}{count}[{text_max(key) + 1}];'
    elif kind == 'enum':
        line = f'enum {prefix}_{stem(key)} {name}{count};'
    else:
        c_type = {'bool': 'bool', 'u32': 'uint32_t', 'ppm': 'uint32_t', 'cpulist': 'struct config_cpus'}
        line = f'{c_type.get(kind, "uint64_t")} {name}{count};'
    lines = [f'\t{line} /* {key["key"]}{"; 0: auto" if key.get("auto") and kind not in TEXT_MAX else ""} */']
    if key.get('list'):
        lines.append(f'\tuint32_t {name}_count;')
    return lines


def enums(keys, prefix):
    lines = []
    for key in keys:
        if key['type'] == 'enum':
            lines.append(f'enum {prefix}_{stem(key)} {{')
            lines += [f'\t{prefix.upper()}_{stem(key).upper()}_{c_name(v).upper()},' for v in key['values']]
            lines += ['};', '']
    return lines


def config_header(config):
    lines = [banner('The configuration as a struct.'), '#ifndef CTRL_CONFIG_GEN_H', '#define CTRL_CONFIG_GEN_H', '',
             '#include "ctrl/schema/config_key.h"', '', f'#define CONFIG_PORTS_MAX {config["ports_max"]}', '']
    lines += ['enum config_key_index {']
    lines += [f'\tCONFIG_KEY_{stem(key).upper()},' for key in config['keys']]
    lines += ['\tCONFIG_KEY_COUNT,', '};', '', f'#define CONFIG_PORT_KEY_COUNT {len(config["ports"])}', '']
    lines += enums(config['keys'], 'config') + enums(config['ports'], 'config_port')
    lines += ['struct config_port {']
    for key in config['ports']:
        lines += declaration(key, 'config_port')
    lines += ['};', '', 'struct config {']
    for key in config['keys']:
        lines += declaration(key, 'config')
    lines += ['\tstruct config_port ports[CONFIG_PORTS_MAX];', '\tuint32_t port_count;', '',
              '\t/* Where every value came from; file 0 is "". */',
              '\tstruct config_origin origins[CONFIG_KEY_COUNT];', '\tstruct config_origin ports_origin;',
              '\tchar files[CONFIG_FILES_MAX][256];', '\tuint32_t file_count;', '',
              '\t/* How `profile` was chosen; fallback: nothing that there is fits the machine. */',
              '\tchar profile_reason[CONFIG_REASON_BYTES];', '\tchar profile_summary[256]; /* its own line */', '\tbool profile_fallback;', '};', '',
              'extern const struct config_key config_keys[CONFIG_KEY_COUNT];',
              'extern const struct config_key config_port_keys[CONFIG_PORT_KEY_COUNT];', '', '#endif', '']
    return '\n'.join(lines)


def default_text(key, value):
    if value is None:
        return None
    items = value if key.get('list') else [value]
    words = {True: 'true', False: 'false'}
    return ','.join(words[i] if isinstance(i, bool) else
                    (f'{i}ppm' if key['type'] == 'ppm' and isinstance(i, int) else str(i)) for i in items)


def table_row(key, prefix, struct):
    name = member(key)
    element = f'sizeof(((struct {struct} *)0)->{name}{"[0]" if key.get("list") else ""})'
    low, high = 0, 0
    if key['type'] in TEXT_MAX:
        high = text_max(key)
    elif 'min' in key:
        low, high = number(key, key['min']), number(key, key['max'])
    fields = [f'.name = {c_string(key["key"])}', f'.type = CONFIG_{key["type"].upper()}',
              f'.offset = offsetof(struct {struct}, {name})', f'.element_bytes = {element}',
              f'.min = {low}u', f'.max = {high}ull', f'.default_text = {c_string(default_text(key, key["default"]))}',
              f'.dev_text = {c_string(default_text(key, key.get("dev")))}', f'.unit = {c_string(unit(key))}',
              f'.reload = {c_string(key["reload"])}', f'.doc = {c_string(key["doc"])}']
    if key.get('list'):
        fields += [f'.list_max = {key["list"]}', f'.count_offset = offsetof(struct {struct}, {name}_count)']
    if key['type'] == 'enum':
        fields.append(f'.values = {prefix}_{stem(key)}_values')
    if 'step' in key:
        fields.append(f'.step = {number(key, key["step"])}u')
    for word, flag in (('auto', 'has_auto'), ('raw', 'raw'), ('power_of_two', 'power_of_two'),
                       ('dev_only', 'dev_only')):
        if key.get(word):
            fields.append(f'.{flag} = true')
    return '\t{' + ',\n\t\t'.join(fields) + '},'


def config_source(config):
    lines = [banner('The key table of the configuration.'), '#include "base/handoff.h"', '#include "ctrl/schema/config_gen.h"', '']
    for key in config['keys'] + config['ports']:
        if 'max_is' in key:
            lines.append(f'_Static_assert({key["max"]} == {key["max_is"]}, "config.yaml, max of {key["key"]}");')
    lines.append('')
    for keys, prefix in ((config['keys'], 'config'), (config['ports'], 'config_port')):
        for key in keys:
            if key['type'] == 'enum':
                values = ', '.join(c_string(v) for v in key['values'])
                lines.append(f'static const char *const {prefix}_{stem(key)}_values[] = {{{values}, NULL}};')
    lines += ['', 'const struct config_key config_keys[CONFIG_KEY_COUNT] = {']
    lines += [table_row(key, 'config', 'config') for key in config['keys']]
    lines += ['};', '', 'const struct config_key config_port_keys[CONFIG_PORT_KEY_COUNT] = {']
    lines += [table_row(key, 'config_port', 'config_port') for key in config['ports']]
    lines += ['};', '']
    return '\n'.join(lines)
