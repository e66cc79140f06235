#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of style (CONTRIBUTING.md) that a machine can hold, run by `meson test --suite tidy`.

Each check yields findings (rule, where, how much, why). A finding is an error unless ratchet.txt
tolerates it: a line `rule where n` there admits present offenders up to n, and may only shrink.
`tidy.py --shrink` lowers and removes lines to what is left; nothing raises one.
"""
import argparse
import collections
import concurrent.futures
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIDY = ROOT / "tests" / "tidy"
STAGES = ("dataplane", "logstore", "batcher", "ctrl")
CODE_TOPS = STAGES + ("docs/examples", "tests")
DOC_TOPS = STAGES + ("docs", "tests", "hw-config")
FUNCTION_LINES_MAX = 70
FILE_LINES_WARN, HEADER_LINES_WARN, FILE_LINES_MAX = 400, 150, 800
BANNED_STEMS = {"util", "utils", "helper", "helpers", "common", "misc"}
CLOCK_CALLS = ("sleep", "usleep", "nanosleep", "clock_nanosleep", "clock_gettime", "gettimeofday",
               "time")
UNSAFE_CALLS = ("strcpy", "strcat", "sprintf", "vsprintf", "gets", "strtok", "atoi", "atol", "alloca")
HOT_CALLS = ("malloc", "calloc", "realloc", "free", "aligned_alloc", "strdup", "log_line", "log_at", "log_error",
             "log_warning", "log_info", "log_debug", "printf", "fprintf", "clock_now_ns", "clock_wall_ns",
             "clock_sleep_ns", "pthread_mutex_lock", "pthread_rwlock_rdlock", "pthread_rwlock_wrlock",
             "pthread_cond_wait", "sem_wait", "open", "close", "read", "write", "poll", "epoll_wait", "ioctl", "syscall",
             "rand_os_fill")
# Functions of start and end.
COLD_NAME = re.compile(r"(^|_)(create|destroy|init|fini|open|close|allocate|setup|start)(_|$)")
LCORE_TOPS = ("dataplane/", "logstore/", "batcher/")
PACKAGES = ("libdpdk", "libisal", "liburing", "jansson", "libfyaml", "libcrypto")

Finding = collections.namedtuple("Finding", "rule where count why")


def shown(path):
    return path.relative_to(ROOT).as_posix()


def tree_files(tops, endings):
    out = []
    for top in tops:
        for path in (ROOT / top).rglob("*"):
            if path.suffix in endings and path.is_file():
                out.append(path)
    return sorted(out)


class Source:
    """A C file: its text, and the same text with comments and literals blanked, lines kept."""

    LITERALS = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)

    def __init__(self, path):
        self.path = path
        self.name = shown(path)
        self.text = path.read_text()
        self.lines = self.text.splitlines()
        self.code = self.LITERALS.sub(self.blank, self.text)

    @staticmethod
    def blank(match):
        text = match.group(0)
        if text[0] in "\"'":
            return text[0] + " " * (len(text) - 2) + text[0]
        return re.sub(r"[^\n]", " ", text)

    def without_preprocessor(self):
        return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda m: "\n" * m.group(0).count("\n"), self.code,
                      flags=re.M)

    def in_tests(self):
        return self.name.startswith("tests/")

    def line_of(self, position):
        return self.code.count("\n", 0, position) + 1


# --- includes -------------------------------------------------------------------------------------


def read_layers():
    layers = {}
    for line in (TIDY / "layers.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            folder, allowed = line.split(":")
            layers[folder] = set(allowed.split())
    return layers


def read_libraries():
    """libraries.txt: [(beginning of a header's name, folders or files that may include it)]."""
    path = TIDY / "libraries.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [line.split(":") for line in lines if line.strip() and not line.startswith("#")]
    return [(name.strip(), set(allowed.split())) for name, allowed in rows]


def check_libraries(sources):
    libraries = read_libraries()
    used = set()
    for source in sources:
        if source.in_tests() or source.name.startswith("docs/"):
            continue
        folder = pathlib.PurePosixPath(source.name).parent.as_posix()
        for header in re.findall(r"^[ \t]*#[ \t]*include[ \t]+<([^>]+)>", source.text, re.M):
            found = [(name, allowed) for name, allowed in libraries if header.startswith(name)]
            for name, allowed in sorted(found, key=lambda row: -len(row[0]))[:1]:
                used.add(name)
                if not {folder, source.name} & allowed:
                    yield Finding("library", f"{source.name}><{header}>", 1,
                                  f"<{header}> belongs to {', '.join(sorted(allowed))} (libraries.txt)")
    for name in sorted({name for name, _ in libraries} - used):
        yield Finding("library", name, 1, "libraries.txt names what nobody includes")


def includes_of(source):
    return re.findall(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', source.text, re.M)


def resolve(name):
    """Include text -> path from the root; generated headers keep their own text."""
    for base in ("", "dataplane/", "tests/"):
        if (ROOT / (base + name)).is_file():
            return base + name
    return name


def check_layers(sources):
    """Who includes whom, by layers.txt; and what it allows is needed, so that it shows the faces as they are."""
    layers = read_layers()
    used = set()
    for source in sources:
        folder = pathlib.PurePosixPath(source.name).parent.as_posix()
        for name in includes_of(source):
            where = f"{source.name}>{name}"
            if ".." in name.split("/"):
                yield Finding("include", where, 1, 'an include path with ".."')
                continue
            if source.in_tests():
                continue
            target = resolve(name)
            home = pathlib.PurePosixPath(target).parent.as_posix()
            if folder not in layers:
                yield Finding("layer", source.name, 1, f"{folder} has no line in layers.txt")
                break
            if home == "." and (source.path.parent / name).is_file():
                if folder != "docs/examples":
                    yield Finding("include", where, 1, "include not written from the root")
                continue
            used.update((folder, allowed) for allowed in (home, target))
            if home != folder and not {home, target} & layers[folder] and folder != "docs/examples":
                yield Finding("layer", where, 1, f"{folder} may not include {target}")
    for folder, allowed in sorted((f, a) for f in layers for a in layers[f]):
        if (folder, allowed) not in used and folder != "docs/examples":  # which includes as if installed
            yield Finding("layer", f"layers.txt:{folder}>{allowed}", 1, "allowed, and nobody needs it")


# --- sizes and names ------------------------------------------------------------------------------


def functions_of(source):
    """(name, first line, body lines) by the house layout: `{` and `}` of a function in column 0."""
    for name, line, body in bodies_of(source):
        yield name, line, len(body)


def bodies_of(source):
    """(name, first line, lines of the body)."""
    lines = source.code.splitlines()
    start = None
    for i, line in enumerate(lines):
        if line.rstrip() == "{":
            start = i
        elif line.startswith("}") and start is not None:
            head = start - 1
            while head > 0 and not re.match(r"\w+\(", lines[head]) and start - head < 8:
                head -= 1
            name = re.match(r"\w+", lines[head])
            yield (name.group(0) if name else "?"), start + 1, lines[start + 1:i]
            start = None


def check_lengths(sources, warnings):
    for source in sources:
        count = len(source.lines)
        limit = HEADER_LINES_WARN if source.path.suffix == ".h" else FILE_LINES_WARN
        if count > FILE_LINES_MAX:
            yield Finding("file", source.name, count, f"{count} lines; at most {FILE_LINES_MAX}")
        elif count > limit:
            warnings.append(f"{source.name}: {count} lines; usual are {limit}")
        for name, line, body in functions_of(source):
            if body > FUNCTION_LINES_MAX:
                yield Finding("function", f"{source.name}:{name}", body,
                              f"{body} lines (line {line}); at most {FUNCTION_LINES_MAX}")


def check_names():
    for path in tree_files(CODE_TOPS, {".c", ".h", ".py", ".sh"}):
        if BANNED_STEMS & {path.stem, path.stem.split("_")[-1]}:
            yield Finding("name", shown(path), 1, "say what is in it: no such file name")


def check_prefixes(sources):
    """What a file shows to others begins with the file's name, or is of the installed interface."""
    for source in sources:
        if not source.name.startswith(STAGES) or source.path.suffix != ".c":
            continue
        shows = re.findall(r"^(?!static)[a-z_][\w \*]*\n([a-z]\w+)\(", source.code, re.M)
        other = [n for n in shows if not f"{n}_".startswith((source.path.stem + "_", "penstock_"))]
        if other:
            yield Finding("prefix", source.name, len(other), f"{', '.join(other)}: not named by the file")


def check_stems(sources):
    """One noun a file, and no other file of its name."""
    homes = collections.defaultdict(list)
    for source in sources:
        if source.name.startswith(STAGES):
            homes[source.path.name].append(source.path.parent.relative_to(ROOT).as_posix())
    for name, folders in sorted(homes.items()):
        if len(folders) > 1:
            yield Finding("stem", name, len(folders), f"in {' and '.join(folders)}")


def check_states(sources):
    """A state machine has one function that moves it along its edges: x_set_state() or x_set_phase()."""
    for source in sources:
        if not source.name.startswith(STAGES) or source.path.suffix != ".c":
            continue
        bare = [name for name, _, body in bodies_of(source) if not re.search(r"set_(state|phase)$", name)
                for _ in re.findall(r"[\w\])](?:->|\.)(?:state|phase)\s*=(?!=)", "\n".join(body))]
        if bare:
            yield Finding("state", source.name, len(bare), f"set bare in {', '.join(sorted(set(bare)))}")


# --- what code may call, hold and leave behind ----------------------------------------------------


def calls(code, names):
    found = collections.Counter()
    for match in re.finditer(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(", code):
        found[match.group(1)] += 1
    return found


def read_hot():
    """hot.txt: (patterns of files, {file:function that is let off})."""
    patterns, excused = [], set()
    path = TIDY / "hot.txt"
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.strip() and not line.startswith("#"):
            parts = line.split(":", 2)
            if len(parts) == 1:
                patterns.append(line.strip())
            elif len(parts) == 3 and parts[2].strip():
                excused.add(f"{parts[0]}:{parts[1]}")
            else:
                raise SystemExit(f"hot.txt: {line}: want file, or file:function: reason")
    return patterns, excused


def read_cold():
    """cold.txt: {pattern of files: reason}."""
    path = TIDY / "cold.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [line.split(":", 1) for line in lines if line.strip() and not line.startswith("#")]
    for row in rows:
        if len(row) != 2 or not row[1].strip():
            raise SystemExit(f"cold.txt: {row[0]}: want file: who runs it")
    return {name.strip(): why.strip() for name, why in rows}


def matching(patterns, name):
    return [p for p in patterns if pathlib.PurePath(name).match(p) and p.count("/") == name.count("/")]


def check_hot_or_cold(sources):
    """Each source of a stage is one or the other, so that a new file of an lcore cannot be forgotten."""
    hot, cold = read_hot()[0], read_cold()
    used = set()
    for source in sources:
        if source.path.suffix != ".c" or not source.name.startswith(LCORE_TOPS):
            continue
        kinds = matching(hot, source.name), matching(cold, source.name)
        used.update(kinds[1])
        if not kinds[0] and not kinds[1]:
            yield Finding("hot", source.name, 1, "neither in hot.txt nor in cold.txt: which lcore or thread runs it?")
        elif kinds[0] and kinds[1]:
            yield Finding("hot", source.name, 1, "in hot.txt and in cold.txt")
    for idle in sorted(set(cold) - used):
        yield Finding("hot", idle, 1, "cold.txt names what is not there")


def check_hot(sources):
    patterns, excused = read_hot()
    matched, used = set(), set()
    for source in sources:
        files = matching(patterns, source.name)
        matched.update(files)
        for name, _, body in bodies_of(source) if files else ():
            for call, count in calls("\n".join(body), HOT_CALLS).items():
                where = f"{source.name}:{name}"
                if where in excused:
                    used.add(where)
                elif not COLD_NAME.search(name):
                    yield Finding("hot", f"{where}:{call}", count, f"{call}(): not on an lcore's way (hot.txt)")
    for idle in sorted({p for p in patterns if p not in matched} | (excused - used)):
        yield Finding("hot", idle, 1, "hot.txt names what is not there")


def check_calls(sources):
    for source in sources:
        groups = []
        if not source.in_tests():
            groups.append((UNSAFE_CALLS, "unbounded or deprecated"))
        if not source.in_tests() and source.name != "dataplane/base/clock.c":
            groups.append((CLOCK_CALLS, "time comes from base/clock.h"))
        for names, why in groups:
            for name, count in calls(source.code, names).items():
                yield Finding("call", f"{source.name}:{name}", count, f"{name}(): {why}")


def top_level_statements(code):
    """Statements at file scope with the contents of their braces left out; (position, text)."""
    depth, start, text = 0, 0, ""
    for i, c in enumerate(code):
        if c == "{":
            if depth == 0:
                text += "{"
            depth += 1
        elif c == "}":
            depth -= 1
            if depth == 0:
                text += "}"
                # A function's body ends its statement; an initialiser or a type goes on to `;`.
                if re.search(r"\)\s*\{\}$", text) and "=" not in text:
                    start, text = i + 1, ""
        elif depth == 0:
            if c == ";":
                yield start, text
                start, text = i + 1, ""
            else:
                if not text.strip():
                    start, text = i, ""
                text += c


def check_globals(sources):
    for source in sources:
        if source.in_tests() or source.name.startswith(("ctrl/daemon/", "docs/")):
            continue
        code = source.without_preprocessor()
        for position, text in top_level_statements(code):
            plain = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", text, flags=re.S).strip()
            if re.match(r"(typedef|extern|_Static_assert)\b", plain) or not plain:
                continue
            head = plain.split("=")[0]
            if "=" not in plain and ("(" in head or re.fullmatch(
                    r"(struct|union|enum)(\s+\w+)?\s*(\{\})?\s*(\w+\s*)?", plain)):
                continue
            if not re.search(r"\bconst\b", head):
                name = re.findall(r"\w+", re.sub(r"\[.*", "", head))[-1]
                yield Finding("global", f"{source.name}:{name}", 1,
                              f"file-scope data that is not const (line {code.count(chr(10), 0, position) + 1})")
        for match in re.finditer(r"^[ \t]+static (?!const\b|inline\b)[^\n(]*?(\w+)(\[[^\n]*)?\s*[;=]", code,
                                 re.M):
            if not re.search(r"\bconst\b", match.group(0)):
                yield Finding("global", f"{source.name}:{match.group(1)}", 1, "static data in a function")


def check_debts():
    word = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b(?!\s*\(?#?\d)")
    for path in tree_files(CODE_TOPS, {".c", ".h", ".def", ".py", ".sh"}):
        count = len(word.findall(path.read_text()))
        if count:
            yield Finding("debt", shown(path), count, "an open end needs the number of a decision or issue")


# --- counters -------------------------------------------------------------------------------------


def check_counters(sources):
    """Every counter is counted somewhere, a drop, discard or reject reason at one place of the code that counts.

    Tables, ledgers and tests may name it again. The fates of batches (x, x_records, x_bytes) are counted
    by one function that is given x, from wherever a batch meets that fate: x must be named at all.
    """
    table = (ROOT / "dataplane/base/counters.def").read_text()
    rows = re.findall(r"^(LANE|SHARD|JOB|CLIENT)_COUNTER\((\w+), (\w+),", table, re.M)
    names = {f"{scope}_{name}" for scope, name, _ in rows}
    lost = {f"{scope}_{name}" for scope, name, kind in rows if kind in ("DROP", "DISCARD", "REJECT")}
    fates = {n for n in names if n + "_records" in names}
    names = {n for n in names if re.sub(r"_(records|bytes)$", "", n) not in names - {n}}
    sites = collections.defaultdict(list)
    for source in sources:
        if source.in_tests() or not source.name.endswith(".c") or re.search(r"(^|_)ledger$", source.path.stem) or \
                source.name.startswith("ctrl/"):  # ctrl counts nothing: it shows
            continue
        for match in re.finditer(r"\b(?:LANE|SHARD|JOB|CLIENT)_[a-z]\w*", source.code):
            if match.group(0) in names:
                sites[match.group(0)].append(f"{source.name}:{source.line_of(match.start())}")
    for name in sorted(names):
        found = sites[name]
        if len(found) > 1 and name in lost - fates:
            yield Finding("counter", name, len(found), "counted at more than one site: " + ", ".join(found))
        if not found:
            yield Finding("counter", name, 0, "counted nowhere")


# --- rows of the schema tables --------------------------------------------------------------------


SENT_TABLES = (("event", "ctrl/schema/events.yaml", r"^- \{name: (\w+),", "event_{}", "no code says it"),)


def check_tables(sources):
    """Who reads the reference waits for every row: each is said by code of ctrl/."""
    code = "\n".join(s.code for s in sources if s.name.startswith("ctrl/") and s.name.endswith(".c"))
    for rule, table, row, symbol, why in SENT_TABLES:
        path = ROOT / table
        for name in re.findall(row, path.read_text(), re.M) if path.is_file() else ():
            if not re.search(rf"\b{symbol.format(name)}\b", code):
                yield Finding(rule, f"{table}:{name}", 1, why)


# --- lists that must not lie ----------------------------------------------------------------------


def check_meson():
    """Every .c file and every test script is named by the meson.build of its folder or one above."""
    for path in tree_files(STAGES + ("tests", "docs/examples"), {".c"}) + [
            p for p in tree_files(("tests",), {".py", ".sh"}) if re.search(r"test", p.stem)]:
        folder, listed = path.parent, False
        while not listed and folder != ROOT.parent:
            build = folder / "meson.build"
            if build.is_file():
                text = build.read_text()
                stem = re.sub(r"_fuzz$", "", path.stem) if "fuzz" in path.parts else path.stem
                listed = re.search(r"['/]" + re.escape(stem) + r"(\.\w+)?'", text) is not None
            folder = folder.parent
        if not listed:
            yield Finding("unlisted", shown(path), 1, "in no meson.build: never built or run")


def check_docs():
    tops = "|".join(STAGES + ("hw-config", "tests", "docs"))
    quoted = re.compile(r"`((?:" + tops + r")/[\w./-]*[\w/])(?::\d+)?`")
    link = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
    pages = [p for p in ROOT.glob("*.md")] + tree_files(DOC_TOPS, {".md"})
    for page in pages:
        text = page.read_text()
        for name in sorted(set(quoted.findall(text))):
            if not (ROOT / name).exists() and not list(ROOT.glob(name + ".[ch]")):
                yield Finding("doc", f"{shown(page)}>{name}", 1, "names a path that is not there")
        for name in sorted(set(link.findall(text))):
            if not (page.parent / name).exists():
                yield Finding("doc", f"{shown(page)}>{name}", 1, "links to a page that is not there")


def check_decisions():
    """Code and pages name a decision by its number: each has one of its own, the same in its name and its title."""
    taken = {}
    for page in sorted((ROOT / "docs/decisions").glob("*.md")):
        number = page.name[:4]
        if number in taken:
            yield Finding("decision", shown(page), 1, f"has the number of {shown(taken[number])}")
        elif not page.read_text().startswith(f"# {number}: "):
            yield Finding("decision", shown(page), 1, f"its title does not begin with {number}")
        taken.setdefault(number, page)


def test_names(path):
    """Functions of a test file that it also registers (a macro's argument, or a Python test's own name)."""
    text = path.read_text()
    defined = set(re.findall(r"^(?:static )?(?:int |void )?(\w+)\(|^\s*def (\w+)\(", text, re.M))
    defined = {a or b for a, b in defined}
    if path.suffix != ".c" or path.parent.name == "fuzz":
        return defined
    return {name for name in defined if re.search(rf"\w\({name}[,)]", text)}


def first_cells(text, heading):
    """The first cells of the table rows below a heading, without the title row."""
    part = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return set(re.findall(r"^\| (.*?) \|", part.group(1) if part else "", re.M)) - {"input"}


def check_test_table():
    """tests/README.md: each test that it names is there and runs, each row names one, and the rows of malformed input are the
    protocol's."""
    page, protocol = ROOT / "tests/README.md", ROOT / "docs/protocols/native.md"
    if not page.is_file():
        return
    text = page.read_text()
    for place, names in re.findall(r"`((?:unit|system|model|fuzz)/[\w/]+\.\w+)`:\s((?:`\w+`(?:, )?)+)", text):
        path = ROOT / "tests" / place
        there = test_names(path) if path.is_file() else set()
        for name in re.findall(r"\w+", names):
            if name not in there:
                yield Finding("test", f"tests/README.md>{place}:{name}", 1, "names a test that is not there or does not run")
    told, shown_rows = (first_cells(t, "Malformed input") for t in (protocol.read_text(), text))
    for row in sorted(told ^ shown_rows):
        yield Finding("test", f"tests/README.md>{row[:40]}", 1, "not in both tables of malformed input, the protocol's and ours")
    for row in re.findall(r"^\| (.*) \|$", text, re.M):
        if "`: `" not in row and not row.endswith("shown by"):
            yield Finding("test", f"tests/README.md>{row[:40]}", 1, "a row without a test")


# --- headers compile alone ------------------------------------------------------------------------


class Headers:
    """Compiles each header by itself; results are kept by a hash of all that it includes of ours."""

    def __init__(self, build, cache):
        self.build = build
        self.cache_path = cache
        self.cache = json.loads(cache.read_text()) if cache and cache.is_file() else {}
        self.closures = {}
        self.left = 0  # not compiled for want of time

    def closure(self, path):
        name = shown(path)
        if name in self.closures:
            return self.closures[name]
        seen = self.closures[name] = {name: path.read_text()}
        for inc in re.findall(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', seen[name], re.M):
            target = ROOT / resolve(inc)
            if target.is_file():
                seen.update(self.closure(target))
            else:
                seen["generated " + inc] = ""
        return seen

    def flags(self):
        known = [p for p in PACKAGES
                 if subprocess.run(["pkg-config", "--exists", p], check=False).returncode == 0]
        flags = subprocess.run(["pkg-config", "--cflags", *known], capture_output=True, text=True,
                               check=False).stdout.split()
        flags = [re.sub("^-I", "-isystem", f) for f in flags]
        includes = [ROOT, ROOT / "dataplane", ROOT / "tests"] + ([self.build] if self.build else [])
        return ["-D_GNU_SOURCE", "-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-parameter",
                "-DRTE_USE_C11_MEM_MODEL", "-Werror", *(f"-I{i}" for i in includes), *flags]

    def compile(self, path, flags):
        # As an include of an empty file: a main file that is a header warns about its own statics.
        done = subprocess.run(["gcc", "-fsyntax-only", "-x", "c", *flags, "-include", str(path),
                               "/dev/null"], capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stderr

    def check(self, deadline):
        flags, todo, results = self.flags(), {}, {}
        for path in tree_files(STAGES + ("tests/support",), {".h"}):
            closure = self.closure(path)
            generated = [k.split()[1] for k in closure if k.startswith("generated ")]
            if generated and not (self.build and all((self.build / g).is_file() for g in generated)):
                continue
            key = hashlib.sha256(json.dumps([sorted(closure.items()), flags]).encode()).hexdigest()
            if self.cache.get(shown(path)) == key:
                results[shown(path)] = key
            else:
                todo[path] = key
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            jobs = {pool.submit(self.timed, path, flags, deadline): path for path in todo}
            for job in concurrent.futures.as_completed(jobs):
                path, (good, why) = jobs[job], job.result()
                if good:
                    results[shown(path)] = todo[path]
                elif good is None:
                    self.left += 1
                else:
                    first = next((l for l in why.splitlines() if "error" in l), why.strip()[:200])
                    yield Finding("header", shown(path), 1, "does not compile alone: " + first)
        if self.cache_path:
            self.cache_path.write_text(json.dumps(results))

    def timed(self, path, flags, deadline):
        # Out of time: unknown, so neither good nor bad; the next run goes on where this one stopped.
        return (None, "") if time.monotonic() > deadline else self.compile(path, flags)


# --- verdict --------------------------------------------------------------------------------------


def read_ratchet(path):
    out = {}
    for line in path.read_text().splitlines() if path.is_file() else []:
        if line.strip() and not line.startswith("#"):
            rule, where, count = line.split()
            out[(rule, where)] = int(count)
    return out


def write_ratchet(path, entries):
    head = ("# Present offenders that tidy.py tolerates: `rule where n`. This file may only shrink.\n")
    path.write_text(head + "".join(f"{r} {w} {n}\n" for (r, w), n in sorted(entries.items())))


def judge(findings, ratchet):
    """Errors, and the ratchet as it could be: lowered to what was found."""
    errors, left = [], {}
    for f in findings:
        key = (f.rule, f.where)
        if key in ratchet and f.count <= ratchet[key]:
            left[key] = max(f.count, left.get(key, 0))
        else:
            errors.append(f)
    return errors, left


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, help="build directory, for generated headers")
    parser.add_argument("--shrink", action="store_true", help="lower ratchet.txt to what is left")
    parser.add_argument("-v", "--verbose", action="store_true", help="also print warnings")
    args = parser.parse_args()
    # By hand in a few seconds; as a test, which has a build directory, all of them.
    deadline = time.monotonic() + (12 if not args.build else float("inf"))
    warnings = []
    sources = [Source(p) for p in tree_files(CODE_TOPS, {".c", ".h"})]
    findings = [*check_layers(sources), *check_lengths(sources, warnings), *check_names(),
                *check_prefixes(sources), *check_stems(sources), *check_states(sources),
                *check_libraries(sources), *check_calls(sources), *check_hot(sources), *check_hot_or_cold(sources),
                *check_globals(sources), *check_debts(), *check_counters(sources), *check_tables(sources),
                *check_meson(), *check_docs(), *check_decisions(), *check_test_table()]
    cache = args.build / "tidy_headers.json" if args.build else None
    headers = Headers(args.build, cache)
    findings += headers.check(deadline)
    ratchet_path = TIDY / "ratchet.txt"
    fresh = not ratchet_path.is_file()
    ratchet = read_ratchet(ratchet_path)
    if args.shrink and fresh:
        ratchet = {(f.rule, f.where): f.count for f in findings}
    errors, left = judge(findings, ratchet)
    if args.shrink:
        write_ratchet(ratchet_path, left)
    for f in errors:
        print(f"{f.where}: [{f.rule}] {f.why}")
    for key in sorted(set(ratchet) - set(left)):
        print("note: ratchet line no longer needed: {} {} (tidy.py --shrink)".format(*key))
    if args.verbose:
        print("\n".join(warnings))
    if headers.left > 0:
        print(f"{headers.left} headers were not compiled: the test does it (--build)")
    print(f"{len(sources)} files, {len(errors)} errors, {len(left)} tolerated, {len(warnings)} long files")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
