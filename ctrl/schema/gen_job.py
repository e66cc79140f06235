# SPDX-License-Identifier: Apache-2.0
"""job.yaml -> job_gen.h (struct job_text) and job_gen.c (its key table, rows as those of the configuration)."""
from gen_common import banner, c_string, check
from gen_config import check_keys, declaration, enums, stem, table_row


def plain(job):
    """The keys that keep a value, as rows of config.yaml."""
    return [dict({word: value for word, value in key.items() if word != 'required'}, reload='fixed')
            for key in job['keys'] if key['type'] != 'map']


def map_row(key):
    return '\t{' + ', '.join([f'.name = {c_string(key["key"])}', '.type = CONFIG_MAP', '.default_text = ""',
                              '.unit = ""', '.reload = "fixed"', f'.doc = {c_string(key["doc"])}']) + '},'


def check_job(job):
    check(set(job) == {'keys'}, 'job.yaml: want keys')
    check_keys(plain(job), 'job key')
    for key in job['keys']:
        check('reload' not in key and isinstance(key.get('required', False), bool), f'job key {key["key"]}: reload or required')
        check(key['type'] != 'map' or set(key) == {'key', 'type', 'max', 'doc'}, f'job key {key["key"]}: want max and doc of a map')


def header(job):
    lines = [banner('The text of a job as a struct.'), '#ifndef CTRL_JOB_GEN_H', '#define CTRL_JOB_GEN_H', '',
             '#include "ctrl/schema/config_key.h"', '']
    lines += [f'#define JOB_TEXT_{stem(key).upper()}_MAX {key["max"]}' for key in job['keys'] if key['type'] == 'map']
    lines += ['', 'enum job_text_key {']
    lines += [f'\tJOB_TEXT_KEY_{stem(key).upper()},' for key in job['keys']] + ['\tJOB_TEXT_KEY_COUNT,', '};', '']
    lines += enums(plain(job), 'job_text') + ['struct job_text {']
    for key in plain(job):
        lines += declaration(key, 'job_text')
    return '\n'.join(lines + ['};', '', 'extern const struct config_key job_text_keys[JOB_TEXT_KEY_COUNT];',
                              'extern const bool job_text_required[JOB_TEXT_KEY_COUNT];', '', '#endif', ''])


def source(job):
    lines = [banner("The key table of a job's text."), '#include "ctrl/schema/job_gen.h"', '']
    rows = {key['key']: key for key in plain(job)}
    for key in rows.values():
        if key['type'] == 'enum':
            values = ', '.join(c_string(value) for value in key['values'])
            lines.append(f'static const char *const job_text_{stem(key)}_values[] = {{{values}, NULL}};')
    lines += ['', 'const struct config_key job_text_keys[JOB_TEXT_KEY_COUNT] = {']
    lines += [table_row(rows[key['key']], 'job_text', 'job_text') if key['key'] in rows else map_row(key) for key in job['keys']]
    lines += ['};', '', 'const bool job_text_required[JOB_TEXT_KEY_COUNT] = {']
    lines += [f'\t[JOB_TEXT_KEY_{stem(key).upper()}] = true,' for key in job['keys'] if key.get('required')]
    return '\n'.join(lines + ['};', ''])
