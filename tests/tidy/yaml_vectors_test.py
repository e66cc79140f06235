#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The generator's YAML loader over tests/vectors/yaml: a schema file reads as the daemon would read it (yaml_doc_test.c
judges the daemon's reader by the same table)."""
import json
import os
import sys

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'ctrl', 'schema'))

import gen_common  # noqa: E402


def plain(value):
    """Every scalar as its text, which is all that the daemon's reader has; null stays null."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, bool):
        return 'true' if value else 'false'
    return None if value is None else str(value)


def verdict(text):
    try:
        return 'reads', plain(gen_common.loads(text))
    except (gen_common.SchemaError, yaml.YAMLError) as error:
        return 'refused', str(error)


def main():
    with open(os.path.join(ROOT, 'tests/vectors/yaml/documents.json'), encoding='utf-8') as file:
        rows = json.load(file)
    wrong = 0
    for row in rows:
        got, value = verdict(row['yaml'])
        if got != ('refused' if row.get('refused') else 'reads') or (got == 'reads' and value != row['want']):
            print(f'{row["name"]}: {got}: {value!r}')
            wrong += 1
    print(f'{len(rows)} documents, {wrong} read otherwise')
    return 1 if wrong or len(rows) < 40 else 0


if __name__ == '__main__':
    sys.exit(main())
