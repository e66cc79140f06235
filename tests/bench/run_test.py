#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The bench runner itself, quick: it measures, says that two rounds are no claim, and leaves JSON and a plot that parse.

  run_test.py BUILD_DIR
"""
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    done = subprocess.run([os.path.join(HERE, 'run'), '--quick', '--build', sys.argv[1], 'quiet'], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=200, check=False)
    if done.returncode == 77:
        print(f'skipped: {done.stdout}{done.stderr}')
        return 77
    assert done.returncode == 0, done
    stem = re.search(r'^results: (\S+)\.json \.svg$', done.stdout, re.M).group(1)
    try:
        with open(stem + '.json', encoding='utf-8') as file:
            result = json.load(file)
        parts = [part for part in result['parts'] if 'ratio' in part]
        assert parts, result
        for part in parts:
            values = part['ratio']['values']
            assert len(values) == 2 and min(values) <= part['ratio']['median'] <= max(values), part
            assert 'fewer than 5 rounds' in part['void'] and f'not a claim: {part["name"]}' in done.stdout, (part, done.stdout)
        picture = ElementTree.parse(stem + '.svg').getroot()
        drawn = ' '.join(picture.itertext())
        assert picture.tag.endswith('svg') and all(part['name'] in drawn for part in parts), drawn
    finally:
        for end in ('.json', '.svg'):
            if os.path.exists(stem + end):
                os.remove(stem + end)
    return 0


if __name__ == '__main__':
    sys.exit(main())
