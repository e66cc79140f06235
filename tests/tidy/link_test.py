#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A folder's objects call their own folder and folders below it that it names, no other.

Includes alone do not show it: a prototype may stand in a lower folder's header and its function in a
higher folder. A static library is content with that, because the program brings both. So this test
reads the objects of the build: each undefined symbol that is one of ours must be defined in the
folder itself, in the closure of the `uses` of its meson.build, or in a folder whose face layers.txt
lets it include (so the broker's log may be the real one or a test's); below is what comes earlier
in `folders` of the top meson.build.

And each symbol that an object shows is used by another object, if only a test's: else it is `static`, or dead.

  link_test.py --build DIRECTORY    of the whole stages; DIRECTORY is a build
"""
import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import tidy  # noqa: E402

ROOT = tidy.ROOT


def folders_of(text):
    """The folders of the top meson.build, bottom first."""
    return re.findall(r"'([\w/]+)'", re.search(r"^folders = \[(.*?)\]", text, re.M | re.S).group(1))


def uses_of(text):
    found = re.search(r"^uses = \[(.*?)\]", text, re.M | re.S)
    return re.findall(r"'([\w/]+)'", found.group(1)) if found else []


def closures(folders, uses, layers):
    """{folder: all that it may call}; a use that does not stand below is meson's to refuse."""
    out = {}
    for folder in folders:
        faces = {pathlib.PurePath(name).parent.as_posix() for name in layers.get(folder, ()) if name.endswith(".h")}
        out[folder] = {folder}.union(faces & set(out), *(out.get(use, ()) for use in uses[folder]))
    return out


def offences(objects, reach):
    """objects: [(folder, name, defined, undefined)] -> [(name, symbol, folders that define it)]."""
    homes = collections.defaultdict(set)
    for folder, _, defined, _ in objects:
        for symbol in defined:
            homes[symbol].add(folder)
    return sorted({(name, symbol, ", ".join(sorted(homes[symbol])))
                   for folder, name, _, undefined in objects for symbol in undefined
                   if symbol in homes and not homes[symbol] & reach[folder]})


def idle(objects, users):
    """[(name, symbol)] that no object but its own uses; users: the undefined symbols of all other objects."""
    used = set().union(*(undefined for _, _, _, undefined in objects), *users)
    return sorted({(name, symbol) for _, name, defined, _ in objects for symbol in defined - used})


def symbols(paths):
    """{path: (defined, undefined)} of external symbols, by nm."""
    out = {path: (set(), set()) for path in paths}
    if not paths:
        return out
    run = subprocess.run(["nm", "--extern-only", "--print-file-name", "--format=posix", *paths], capture_output=True,
                         text=True, check=True)
    for line in run.stdout.splitlines():
        path, rest = line.split(": ", 1)
        name, kind = rest.split()[:2]
        # What a sanitizer or coverage adds to every object is nobody's.
        if not name.startswith("__"):
            out[path][kind == "U"].add(name)
    return out


def folder_of(output, folders):
    """Of an object by its place in the build: a folder's library is made by the top meson.build, one of
    its side libraries in the folder itself. None: of a program, a test or a shared library."""
    match = re.fullmatch(r"(?:(.*)/)?libps_(\w+)\.a\.p/[^/]+", output)
    if match and match.group(1) is None:
        return {f.replace("/", "_"): f for f in folders}.get(match.group(2))
    return match.group(1) if match and match.group(1) in folders else None


def objects_of(build, folders):
    """[(folder, name, defined, undefined)], the undefined symbols of other objects, and what is not there."""
    listed = {}
    for row in json.loads((build / "compile_commands.json").read_text()):
        listed[str(build / row["output"])] = (folder_of(row["output"], folders), pathlib.PurePath(row["file"]).name)
    missing = [path for path in listed if not pathlib.Path(path).is_file()]
    found = symbols([path for path in listed if path not in missing])
    return ([(*listed[path], *found[path]) for path in found if listed[path][0]],
            [found[path][1] for path in found if not listed[path][0]], missing)


class Rule(unittest.TestCase):
    """The rule itself, on a house of three folders."""

    REACH = closures(["base", "ingest", "face"], {"base": [], "ingest": ["base"], "face": ["ingest"]},
                     {"ingest": {"base", "face/face.h"}})

    def found(self, *objects):
        return offences(objects, self.REACH)

    def test_downwards_at_any_depth(self):
        self.assertEqual(self.found(("base", "a.c", {"clock"}, {"memcpy"}), ("ingest", "b.c", {"ack"}, {"clock"}),
                                    ("face", "c.c", {"poll"}, {"ack", "clock"})), [])

    def test_upwards(self):
        self.assertEqual(self.found(("ingest", "b.c", {"ack"}, {"flush"}), ("face", "c.c", {"flush"}, {"ack"})),
                         [("b.c", "flush", "face")])

    def test_sideways(self):
        objects = [("ingest", "b.c", {"ack"}, set()), ("log", "l.c", set(), {"ack"})]
        order, uses = ["ingest", "log"], {"ingest": [], "log": []}
        self.assertEqual(offences(objects, closures(order, uses, {})), [("l.c", "ack", "ingest")])
        self.assertEqual(offences(objects, closures(order, uses, {"log": {"ingest/face.h"}})), [])

    def test_what_nobody_else_uses(self):
        objects = [("base", "a.c", {"clock", "tick", "seed"}, {"memcpy"}), ("ingest", "b.c", {"ack"}, {"clock"})]
        self.assertEqual(idle(objects, [{"ack"}, {"seed"}]), [("a.c", "tick")])

    def test_an_object_is_of_the_folder_that_builds_it(self):
        folders = ["dataplane/base", "ctrl/schema", "ctrl/methods"]
        for output, folder in (("libps_dataplane_base.a.p/dataplane_base_clock.c.o", "dataplane/base"),
                               ("libps_ctrl_methods.a.p/meson-generated_.._ctrl_schema_methods_gen.c.o", "ctrl/methods"),
                               ("dataplane/base/libps_base_ring.a.p/ring.c.o", "dataplane/base"),
                               ("tests/support/libps_support.a.p/records.c.o", None),
                               ("penstockd.p/ctrl_daemon_main.c.o", None)):
            self.assertEqual(folder_of(output, folders), folder)

    def test_order_is_read_from_meson(self):
        self.assertEqual(folders_of("folders = [\n  'a/b',\n  'a',\n]\n"), ["a/b", "a"])
        self.assertEqual(uses_of("sources = files('x.c')\nuses = ['a/b',\n  'c']\n"), ["a/b", "c"])
        self.assertEqual(uses_of("sources = files('x.c')\n"), [])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    args = parser.parse_args()
    rule = unittest.TextTestRunner(verbosity=0).run(unittest.defaultTestLoader.loadTestsFromTestCase(Rule))
    folders = folders_of((ROOT / "meson.build").read_text())
    reach = closures(folders, {f: uses_of((ROOT / f / "meson.build").read_text()) for f in folders}, tidy.read_layers())
    objects, users, missing = objects_of(args.build.resolve(), folders)
    empty = [f for f in folders if not any(o[0] == f for o in objects)]
    found = offences(objects, reach)
    for name, symbol, home in found:
        print(f"{name} calls {symbol} of {home}, which its folder may not call")
    alone = [] if missing else idle(objects, users)
    for name, symbol in alone:
        print(f"{name} shows {symbol}, which no other object uses: static, or dead")
    for path in missing:
        print(f"not built: {path}")
    for folder in empty:
        print(f"no object of {folder}")
    print(f"{len(objects)} objects, {len(found)} calls that go up or sideways, {len(alone)} symbols for nobody")
    return 0 if rule.wasSuccessful() and not found and not alone and not missing and not empty else 1


if __name__ == "__main__":
    sys.exit(main())
