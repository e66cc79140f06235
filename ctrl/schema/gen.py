#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The one generator: ctrl/schema/*.yaml and counters.def -> C tables, man pages, reference, OpenRPC.

Usage: gen.py --manual SOURCE_ROOT OUTPUT_DIR    man pages
       gen.py --tools SOURCE_ROOT OUTPUT_DIR VERSION    openrpc.json, completion for bash
       gen.py --reference SOURCE_ROOT            docs/reference/*.md, which are committed
       gen.py --baseline SOURCE_ROOT             api_baseline.json, after a change that breaks nobody
       gen.py SOURCE_ROOT OUTPUT_DIR DATA_DIR PLUGIN_DIR BIN_DIR. One function an output; outputs are never committed.
The directories are the installed ones: what the demo needs is found from the program's own place, so a tree may be moved.
"""
import json
import os
import sys

import gen_baseline
import gen_cli
import gen_common
import gen_config
import gen_job
import gen_manual
import gen_methods
import gen_openrpc
import gen_profile
import gen_reference


def paths_header(root, data_dir, plugin_dir, bin_dir):
    """Where profiles, the demo's data and its plug-in are looked for."""
    dirs = ['/etc/penstock/profiles', os.path.join(data_dir, 'profiles')]
    beside = os.path.relpath(os.path.join(data_dir, 'examples'), bin_dir)
    data = [os.path.join(data_dir, 'examples'), os.path.join(root, 'docs', 'examples', 'data')]
    return (gen_common.banner('Places that the build decides.') + '#ifndef CTRL_PATHS_GEN_H\n#define CTRL_PATHS_GEN_H\n\n'
            '#define CONFIG_PROFILE_DIRS ' + ', '.join(gen_common.c_string(d) for d in dirs) + '\n'
            '#define DEMO_DATA_DIRS ' + ', '.join(gen_common.c_string(d) for d in data) + '\n'
            '#define DEMO_DATA_BESIDE ' + gen_common.c_string(beside) + '\n'
            '#define DEMO_PLUGIN_BESIDE ' +
            gen_common.c_string(os.path.relpath(os.path.join(plugin_dir, 'delays.so'), bin_dir)) + '\n'
            '#define DEMO_PLUGINS ' + gen_common.c_string(os.path.join(plugin_dir, 'delays.so')) + '\n\n#endif\n')


def shipped_profiles(root):
    """(name, text, content) of every profile in hw-config/profiles, by name."""
    folder = os.path.join(root, 'hw-config', 'profiles')
    for name in sorted(os.listdir(folder)):
        if name.endswith('.yaml'):
            path = os.path.join(folder, name)
            with open(path, encoding='utf-8') as file:
                yield name[:-len('.yaml')], file.read(), gen_common.load(path)


BASELINE = 'ctrl/schema/api_baseline.json'


def tables(root):
    """The checked content of config.yaml, methods.yaml, errors.yaml and events.yaml."""
    config, methods, errors, events = (gen_common.load(os.path.join(root, 'ctrl', 'schema', f'{name}.yaml'))
                                       for name in ('config', 'methods', 'errors', 'events'))
    gen_config.check_config(config)
    gen_methods.check_methods(methods['methods'], errors['errors'])
    gen_methods.check_events(events['events'])
    return config, methods['methods'], errors['errors'], events['events']


def job_table(root):
    job = gen_common.load(os.path.join(root, 'ctrl', 'schema', 'job.yaml'))
    gen_job.check_job(job)
    return job


def check_baseline(root, methods, errors):
    with open(os.path.join(root, BASELINE), encoding='utf-8') as file:
        broken = gen_baseline.broken(json.load(file), gen_baseline.surface(methods, errors))
    gen_common.check(not broken, f'{BASELINE}: clients would break: ' + '; '.join(broken))


def outputs(root, *places):
    """Yields (file name, text) of everything that is compiled."""
    config, methods, errors, events = tables(root)
    profile = gen_common.load(os.path.join(root, 'hw-config', 'profile.schema.yaml'))
    job = job_table(root)
    check_baseline(root, methods, errors)
    yield 'config_gen.h', gen_config.config_header(config)
    yield 'paths_gen.h', paths_header(root, *places)
    yield 'errors_gen.h', gen_methods.errors_header(errors)
    yield 'events_gen.h', gen_methods.events_header(events)
    yield 'methods_gen.h', gen_methods.methods_header(methods)
    yield 'events_gen.c', gen_methods.events_source(events)
    yield 'errors_gen.c', gen_methods.errors_source(errors)
    yield 'methods_gen.c', gen_methods.methods_source(methods)
    yield 'cli_gen.c', gen_cli.cli_source(methods)
    yield 'config_gen.c', gen_config.config_source(config)
    yield 'job_gen.h', gen_job.header(job)
    yield 'job_gen.c', gen_job.source(job)
    yield 'profile_gen.h', gen_profile.header(profile)
    yield 'profile_gen.c', gen_profile.source(profile, list(shipped_profiles(root)))


def manual(root):
    config, methods, _, _ = tables(root)
    return gen_manual.pages(gen_common.load(os.path.join(root, 'ctrl', 'schema', 'cli.yaml')), methods, config, job_table(root))


def tools(root, version):
    _, methods, errors, _ = tables(root)
    yield 'openrpc.json', gen_openrpc.openrpc(methods, errors, version)
    yield 'penstock.bash', gen_openrpc.bash(methods, gen_common.load(os.path.join(root, 'ctrl', 'schema', 'cli.yaml')))


def reference(root):
    """(path beneath the root, text) of the committed pages."""
    config, methods, errors, events = tables(root)
    with open(os.path.join(root, 'dataplane', 'base', 'counters.def'), encoding='utf-8') as file:
        counters = file.read()
    return (('docs/reference/' + name, text) for name, text in gen_reference.pages(config, methods, errors, events, counters, job_table(root)))


def baseline(root):
    _, methods, errors, _ = tables(root)
    check_baseline(root, methods, errors)
    return [(BASELINE, json.dumps(gen_baseline.surface(methods, errors), indent=1, sort_keys=True) + '\n')]


def main(arguments):
    words = arguments[1:]
    try:
        if words[:1] == ['--manual'] and len(words) == 3:
            written, folder = manual(words[1]), words[2]
        elif words[:1] == ['--tools'] and len(words) == 4:
            written, folder = tools(words[1], words[3]), words[2]
        elif words[:1] == ['--reference'] and len(words) == 2:
            written, folder = reference(words[1]), words[1]
        elif words[:1] == ['--baseline'] and len(words) == 2:
            written, folder = baseline(words[1]), words[1]
        elif len(words) == 5:
            written, folder = outputs(words[0], *words[2:]), words[1]
        else:
            print(__doc__, file=sys.stderr)
            return 64
        for name, text in written:
            gen_common.write_changed(os.path.join(folder, name), text)
    except gen_common.SchemaError as error:
        gen_common.complain(error)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
