#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The one generator: ctrl/schema/*.yaml and counters.def -> C tables, man pages, reference, OpenRPC.

Usage: gen.py SOURCE_ROOT OUTPUT_DIR DATA_DIR PLUGIN_DIR. One function an output; outputs are never committed.
"""
import os
import sys

import gen_cli
import gen_common
import gen_config
import gen_methods
import gen_profile


def paths_header(root, data_dir, plugin_dir):
    """Where profiles, the demo's data and its plug-in are looked for."""
    dirs = ['/etc/penstock/profiles', os.path.join(data_dir, 'profiles')]
    data = [os.path.join(root, 'docs', 'examples', 'data'), os.path.join(data_dir, 'examples')]
    return (gen_common.banner('Places that the build decides.') + '#ifndef CTRL_PATHS_GEN_H\n#define CTRL_PATHS_GEN_H\n\n'
            '#define CONFIG_PROFILE_DIRS ' + ', '.join(gen_common.c_string(d) for d in dirs) + '\n'
            '#define DEMO_DATA_DIRS ' + ', '.join(gen_common.c_string(d) for d in data) + '\n'
            '#define DEMO_PLUGINS ' + gen_common.c_string(os.path.join(plugin_dir, 'delays.so')) + '\n\n#endif\n')


def shipped_profiles(root):
    """(name, text, content) of every profile in hw-config/profiles, by name."""
    folder = os.path.join(root, 'hw-config', 'profiles')
    for name in sorted(os.listdir(folder)):
        if name.endswith('.yaml'):
            path = os.path.join(folder, name)
            with open(path, encoding='utf-8') as file:
                yield name[:-len('.yaml')], file.read(), gen_common.load(path)


def outputs(root, data_dir, plugin_dir):
    """Yields (file name, text) of everything that is generated."""
    schema = os.path.join(root, 'ctrl', 'schema')
    config = gen_common.load(os.path.join(schema, 'config.yaml'))
    methods = gen_common.load(os.path.join(schema, 'methods.yaml'))['methods']
    errors = gen_common.load(os.path.join(schema, 'errors.yaml'))['errors']
    events = gen_common.load(os.path.join(schema, 'events.yaml'))['events']
    profile = gen_common.load(os.path.join(root, 'hw-config', 'profile.schema.yaml'))
    gen_config.check_config(config)
    gen_methods.check_methods(methods, errors)
    yield 'config_gen.h', gen_config.config_header(config)
    yield 'paths_gen.h', paths_header(root, data_dir, plugin_dir)
    yield 'errors_gen.h', gen_methods.errors_header(errors)
    yield 'events_gen.h', gen_methods.events_header(events)
    yield 'methods_gen.h', gen_methods.methods_header(methods)
    yield 'errors_gen.c', gen_methods.errors_source(errors)
    yield 'methods_gen.c', gen_methods.methods_source(methods)
    yield 'cli_gen.c', gen_cli.cli_source(methods)
    yield 'config_gen.c', gen_config.config_source(config)
    yield 'profile_gen.h', gen_profile.header(profile)
    yield 'profile_gen.c', gen_profile.source(profile, list(shipped_profiles(root)))


def main(arguments):
    if len(arguments) != 5:
        print(__doc__, file=sys.stderr)
        return 64
    try:
        for name, text in outputs(arguments[1], arguments[3], arguments[4]):
            gen_common.write_changed(os.path.join(arguments[2], name), text)
    except gen_common.SchemaError as error:
        gen_common.complain(error)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
