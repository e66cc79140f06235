#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The one generator: ctrl/schema/*.yaml and counters.def -> C tables, man pages, reference, OpenRPC.

Usage: gen.py SOURCE_ROOT OUTPUT_DIR. One function an output; outputs are never committed.
"""
import os
import sys

import gen_common
import gen_config


def outputs(root):
    """Yields (file name, text) of everything that is generated."""
    schema = os.path.join(root, 'ctrl', 'schema')
    config = gen_common.load(os.path.join(schema, 'config.yaml'))
    gen_config.check_config(config)
    yield 'config_gen.h', gen_config.config_header(config)
    yield 'config_gen.c', gen_config.config_source(config)


def main(arguments):
    if len(arguments) != 3:
        print(__doc__, file=sys.stderr)
        return 64
    try:
        for name, text in outputs(arguments[1]):
            gen_common.write_changed(os.path.join(arguments[2], name), text)
    except gen_common.SchemaError as error:
        gen_common.complain(error)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
