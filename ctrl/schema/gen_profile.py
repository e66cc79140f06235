# SPDX-License-Identifier: Apache-2.0
"""hw-config/profile.schema.yaml and the shipped profiles -> profile_gen.h and profile_gen.c.

A word of a profile is a configuration key's row like any other, over a struct that the loader throws away.
"""
import re

from gen_common import SchemaError, banner, c_string, check
from gen_config import check_keys, declaration, enums, table_row

LISTS = (('keys', 'profile'), ('ports', 'profile_port'), ('storage', 'profile_storage'))
NUMBERS = {'u32', 'u64', 'ppm', 'bytes', 'duration'}


def complete(entry):
    """A row of config.yaml from one of profile.schema.yaml: a profile has no defaults of its own."""
    row = dict(entry, reload='restart')
    check('default' not in entry, f'profile.schema.yaml {entry["key"]}: a profile word has no default')
    if entry.get('list'):
        row['default'] = []
    elif entry['type'] in NUMBERS or entry['type'] == 'path':
        row.update(auto=True, default='auto')
    else:
        row['default'] = {'bool': False, 'enum': entry.get('values', [''])[0]}.get(entry['type'], '')
    return row


def rows(schema):
    check(set(schema) == {name for name, _ in LISTS}, 'profile.schema.yaml: want keys, ports and storage')
    for name, _ in LISTS:
        keys = [complete(entry) for entry in schema[name]]
        check_keys([key for key in keys if key['type'] != 'map'], f'profile.schema.yaml {name}')
        yield name, keys


def check_profile(stem, text, profile):
    """What the loader would refuse at start is refused when it is built."""
    check(isinstance(profile, dict) and profile.get('schema') == 'penstock.profile/1' and profile.get('name') == stem and
          profile.get('summary'), f'profiles/{stem}.yaml: want schema, name: {stem} and summary')
    check('\t' not in text and len(text) < 60000, f'profiles/{stem}.yaml: a tab, or too long to be built in')


def header(schema):
    lines = [banner('Words of hardware profiles, and the profiles that are built in.'), '#ifndef CTRL_PROFILE_GEN_H',
             '#define CTRL_PROFILE_GEN_H', '', '#include "ctrl/schema/config_key.h"', '']
    tables = []
    for (name, keys), (_, struct) in zip(rows(schema), LISTS):
        lines += enums(keys, struct) + [f'struct {struct} {{']
        for key in keys:
            lines += declaration(key, struct) if key['type'] != 'map' else []
        lines += ['};', '']
        tables += [f'#define {struct.upper()}_KEY_COUNT {len(keys)}',
                   f'extern const struct config_key {struct}_keys[{struct.upper()}_KEY_COUNT];']
    return '\n'.join(lines + tables + [
        '', 'struct profile_builtin {', '\tconst char *name;', '\tconst char *summary;', '\tconst char *text;', '};', '',
        'extern const struct profile_builtin profile_builtins[];', 'extern const uint32_t profile_builtin_count;', '',
        '#endif', ''])


def map_row(key):
    return '\t{' + ', '.join([f'.name = {c_string(key["key"])}', '.type = CONFIG_MAP', '.default_text = ""',
                              '.unit = ""', '.reload = "restart"', f'.doc = {c_string(key["doc"])}']) + '},'


def literal(text):
    """Adjacent C literals, a line each."""
    return '\n\t\t'.join(c_string(line) for line in re.findall(r'[^\n]*\n', text if text.endswith('\n') else text + '\n'))


def source(schema, profiles):
    lines = [banner('Words of hardware profiles, and the profiles that are built in.'), '#include "ctrl/schema/profile_gen.h"', '']
    tables = []
    for (name, keys), (_, struct) in zip(rows(schema), LISTS):
        for key in keys:
            if key['type'] == 'enum':
                values = ', '.join(c_string(v) for v in key['values'])
                lines.append(f'static const char *const {struct}_{key["key"].replace(".", "_")}_values[] = {{{values}, NULL}};')
        tables += ['', f'const struct config_key {struct}_keys[{struct.upper()}_KEY_COUNT] = {{']
        tables += [map_row(key) if key['type'] == 'map' else table_row(key, struct, struct) for key in keys] + ['};']
    tables += ['', 'const struct profile_builtin profile_builtins[] = {']
    for stem, text, profile in profiles:
        check_profile(stem, text, profile)
        tables.append(f'\t{{{c_string(stem)}, {c_string(profile["summary"])},\n\t\t{literal(text)}}},')
    tables += ['};', '', 'const uint32_t profile_builtin_count = sizeof(profile_builtins) / sizeof(profile_builtins[0]);', '']
    if not profiles:
        raise SchemaError('no profile to build in')
    return '\n'.join(lines + tables)
