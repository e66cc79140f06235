# SPDX-License-Identifier: Apache-2.0
"""hw-config/profile.schema.yaml and the shipped profiles -> profile_gen.h and profile_gen.c.

A word of a profile is a configuration key's row like any other, over a struct that the loader throws away.
"""
import re

from gen_common import SchemaError, banner, c_string, check
from gen_config import check_keys, declaration, enums, table_row

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
    check(set(schema) == {'keys'}, 'profile.schema.yaml: want keys')
    keys = [complete(entry) for entry in schema['keys']]
    check_keys(keys, 'profile.schema.yaml')
    return keys


def check_profile(stem, text, profile):
    """What the loader would refuse at start is refused when it is built."""
    check(isinstance(profile, dict) and profile.get('schema') == 'penstock.profile/1' and profile.get('name') == stem and
          profile.get('summary'), f'profiles/{stem}.yaml: want schema, name: {stem} and summary')
    check('\t' not in text and len(text) < 60000, f'profiles/{stem}.yaml: a tab, or too long to be built in')


def header(schema):
    lines = [banner('Words of hardware profiles, and the profiles that are built in.'), '#ifndef CTRL_PROFILE_GEN_H',
             '#define CTRL_PROFILE_GEN_H', '', '#include "ctrl/schema/config_key.h"', '']
    keys = rows(schema)
    lines += enums(keys, 'profile') + ['struct profile {']
    for key in keys:
        lines += declaration(key, 'profile')
    lines += ['};', '', f'#define PROFILE_KEY_COUNT {len(keys)}',
              'extern const struct config_key profile_keys[PROFILE_KEY_COUNT];']
    return '\n'.join(lines + [
        '', 'struct profile_builtin {', '\tconst char *name;', '\tconst char *summary;', '\tconst char *text;', '};', '',
        'extern const struct profile_builtin profile_builtins[];', 'extern const uint32_t profile_builtin_count;', '',
        '#endif', ''])


def literal(text):
    """Adjacent C literals, a line each."""
    return '\n\t\t'.join(c_string(line) for line in re.findall(r'[^\n]*\n', text if text.endswith('\n') else text + '\n'))


def source(schema, profiles):
    lines = [banner('Words of hardware profiles, and the profiles that are built in.'), '#include "ctrl/schema/profile_gen.h"', '']
    keys = rows(schema)
    for key in keys:
        if key['type'] == 'enum':
            values = ', '.join(c_string(v) for v in key['values'])
            lines.append(f'static const char *const profile_{key["key"].replace(".", "_")}_values[] = {{{values}, NULL}};')
    tables = ['', 'const struct config_key profile_keys[PROFILE_KEY_COUNT] = {']
    tables += [table_row(key, 'profile', 'profile') for key in keys] + ['};']
    tables += ['', 'const struct profile_builtin profile_builtins[] = {']
    for stem, text, profile in profiles:
        check_profile(stem, text, profile)
        tables.append(f'\t{{{c_string(stem)}, {c_string(profile["summary"])},\n\t\t{literal(text)}}},')
    tables += ['};', '', 'const uint32_t profile_builtin_count = sizeof(profile_builtins) / sizeof(profile_builtins[0]);', '']
    if not profiles:
        raise SchemaError('no profile to build in')
    return '\n'.join(lines + tables)
