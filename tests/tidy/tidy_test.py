#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one offence of each kind in a small tree and asks that tidy.py finds it, and only it."""
import pathlib
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import tidy  # noqa: E402

GOOD = '''/* SPDX-License-Identifier: Apache-2.0 */
#include "base/word.h"

static const int word_table[2] = {1, 2};

int
word_count(void)
{
\tstatic const char text[] = "malloc(1); time(0)";

\treturn word_table[0] + (int)sizeof(text); /* strcpy(a, b) */
}
'''
TABLE = 'LANE_COUNTER(eth_short, DROP, "x")\nLANE_COUNTER(refused, REJECT, "x")\n' \
        'LANE_COUNTER(refused_records, REJECT, "x")\n'
COUNTING = "void\ncount(void)\n{\n\tcounters[LANE_eth_short]++;\n\tfate(LANE_refused);\n\tfate(LANE_refused);\n}\n"


class Tidy(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name).resolve()
        tidy.ROOT, tidy.TIDY = self.root, self.root / "tests/tidy"
        self.put("tests/tidy/layers.txt", "dataplane/base:\nlogstore:\ndataplane/ingest:\n")
        self.put("tests/tidy/cold.txt", "dataplane/*/*.c: nobody\n")
        self.put("dataplane/base/counters.def", TABLE)
        self.put("dataplane/base/word.h", "int word_count(void);\n")
        self.put("dataplane/base/word.c", GOOD)
        self.put("dataplane/base/meson.build", "sources = files('word.c')\n")
        self.put("dataplane/ingest/count.c", COUNTING)
        self.put("dataplane/ingest/meson.build", "sources = files('count.c')\n")

    def tearDown(self):
        self.folder.cleanup()

    def put(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def found(self):
        sources = [tidy.Source(p) for p in tidy.tree_files(tidy.CODE_TOPS, {".c", ".h"})]
        return [(f.rule, f.where) for f in (
            *tidy.check_layers(sources), *tidy.check_lengths(sources, []), *tidy.check_names(),
            *tidy.check_prefixes(sources), *tidy.check_stems(sources), *tidy.check_states(sources),
            *tidy.check_libraries(sources), *tidy.check_calls(sources), *tidy.check_hot(sources),
            *tidy.check_hot_or_cold(sources), *tidy.check_globals(sources), *tidy.check_debts(),
            *tidy.check_counters(sources), *tidy.check_tables(sources), *tidy.check_meson(), *tidy.check_docs(),
            *tidy.check_decisions(), *tidy.check_test_table(),
            *tidy.Headers(None, None).check(time.monotonic() + 30))]

    def test_clean_tree(self):
        self.assertEqual(self.found(), [])

    def offence(self, extra, rule, where, name="dataplane/base/word.c"):
        text = GOOD if name.endswith("word.c") else ""
        self.put(name, text + extra)
        self.assertEqual(self.found(), [(rule, where)])

    def test_layer(self):
        self.put("logstore/log.h", "int log_count(void);\n")
        self.offence('#include "logstore/log.h"\n', "layer", "dataplane/base/word.c>logstore/log.h")

    def test_layer_that_nobody_needs(self):
        self.put("tests/tidy/layers.txt", "dataplane/base:\nlogstore:\ndataplane/ingest: dataplane/base\n")
        self.assertEqual(self.found(), [("layer", "layers.txt:dataplane/ingest>dataplane/base")])
        self.put("dataplane/ingest/count.c", '#include "base/word.h"\n' + COUNTING)
        self.assertEqual(self.found(), [])

    def test_dotted_include(self):
        self.offence('#include "../base/word.h"\n', "include", "dataplane/base/word.c>../base/word.h")

    def test_long_function(self):
        body = "\tword_count();\n" * 71
        self.offence("\nint\nword_long(void)\n{\n" + body + "}\n", "function", "dataplane/base/word.c:word_long")

    def test_function_of_the_limit(self):
        self.put("dataplane/base/word.c", GOOD + "\nint\nword_long(void)\n{\n" + "\tword_count();\n" * 70 + "}\n")
        self.assertEqual(self.found(), [])

    def test_long_file(self):
        self.offence("\n" * 800, "file", "dataplane/base/word.c")

    def test_name(self):
        self.offence("", "name", "dataplane/base/word_utils.h", "dataplane/base/word_utils.h")

    def test_prefix(self):
        self.offence("\nint\nletter_count(void)\n{\n\treturn 1;\n}\n\nstatic int\nletter(void)\n{\n\treturn 1;\n}\n", "prefix",
                     "dataplane/base/word.c")

    def test_prefix_of_the_installed_interface(self):
        self.put("dataplane/base/word.c", GOOD + "\nint\npenstock_word(void)\n{\n\treturn 1;\n}\n")
        self.assertEqual(self.found(), [])

    def test_stem_twice(self):
        self.put("dataplane/ingest/meson.build", "sources = files('count.c', 'word.c')\n")
        self.put("dataplane/ingest/word.c", "static const int words = 1;\n")
        self.assertEqual(self.found(), [("stem", "word.c")])

    def test_state_set_bare(self):
        self.offence("\nvoid\nword_set_state(struct word *w, int state)\n{\n\tw->state = state;\n}\n\nvoid\nword_end(struct word *w)\n"
                     "{\n\tif (w->state == 1) {\n\t\tw->state = 2;\n\t}\n\t*w = (struct word){.state = 0};\n}\n", "state",
                     "dataplane/base/word.c")

    def test_clock(self):
        self.offence("int\nword_nap(void)\n{\n\treturn usleep(1);\n}\n", "call", "dataplane/base/word.c:usleep")

    def test_unsafe(self):
        self.offence("int\nword_cp(void)\n{\n\tstrcpy(a, b);\n}\n", "call", "dataplane/base/word.c:strcpy")

    def test_hot(self):
        self.put("tests/tidy/cold.txt", "dataplane/ingest/*.c: nobody\n")
        self.put("tests/tidy/hot.txt", "dataplane/base/word.c\ndataplane/base/*.h\n")
        self.offence("#include <stdlib.h>\nstatic inline int\nhot_create(void)\n{\n\treturn malloc(1) != 0;\n}\n"
                     "static inline int\nhot_get(void)\n{\n\treturn malloc(1) != 0;\n}\n", "hot",
                     "dataplane/base/hot.h:hot_get:malloc", "dataplane/base/hot.h")

    def test_hot_excuse_without_cause(self):
        self.put("tests/tidy/cold.txt", "dataplane/ingest/*.c: nobody\n")
        self.put("tests/tidy/hot.txt", "dataplane/base/word.c\ndataplane/base/word.c:word_count: it does nothing\n")
        self.assertEqual(self.found(), [("hot", "dataplane/base/word.c:word_count")])

    def test_hot_or_cold(self):
        self.put("tests/tidy/cold.txt", "dataplane/base/*.c: nobody\nlogstore/*.c: nobody\n")
        self.assertEqual(self.found(), [("hot", "dataplane/ingest/count.c"), ("hot", "logstore/*.c")])

    def test_hot_and_cold(self):
        self.put("tests/tidy/hot.txt", "dataplane/base/word.c\n")
        self.assertEqual(self.found(), [("hot", "dataplane/base/word.c")])

    def test_library(self):
        self.put("tests/tidy/libraries.txt", "rte_: dataplane/ingest\n")
        self.offence("#include <rte_ethdev.h>\n", "library", "dataplane/base/word.c><rte_ethdev.h>")

    def test_library_that_nobody_includes(self):
        self.put("tests/tidy/libraries.txt", "rte_: dataplane/base\n")
        self.assertEqual(self.found(), [("library", "rte_")])

    def test_global(self):
        self.offence("static int word_last;\n", "global", "dataplane/base/word.c:word_last")

    def test_global_with_initialiser(self):
        self.offence("struct pair word_pair = {.a = 1};\n", "global", "dataplane/base/word.c:word_pair")

    def test_static_in_function(self):
        self.offence("int\nword_once(void)\n{\n\tstatic int calls = 0;\n\n\treturn calls++;\n}\n", "global",
                     "dataplane/base/word.c:calls")

    def test_debt(self):
        self.offence("/* TO" + "DO: later */\n", "debt", "dataplane/base/word.c")

    def test_debt_with_number(self):
        self.put("dataplane/base/word.c", GOOD + "/* TO" + "DO(#12): later */\n")
        self.assertEqual(self.found(), [])

    def test_decisions_of_one_number(self):
        self.put("docs/decisions/0001-first.md", "# 0001: first\n")
        self.put("docs/decisions/0002-second.md", "# 0002: second\n")
        self.assertEqual(self.found(), [])
        self.put("docs/decisions/0002-twice.md", "# 0002: twice\n")
        self.assertEqual(self.found(), [("decision", "docs/decisions/0002-twice.md")])

    def test_decision_whose_title_has_another_number(self):
        self.put("docs/decisions/0001-first.md", "# 0002: first\n")
        self.assertEqual(self.found(), [("decision", "docs/decisions/0001-first.md")])

    def test_counter_twice(self):
        self.put("dataplane/ingest/count.c", COUNTING + "void\ncount_again(void)\n{\n\tdrop(LANE_eth_short);\n}\n")
        self.assertEqual(self.found(), [("counter", "LANE_eth_short")])

    def test_counter_nowhere(self):
        self.put("dataplane/base/counters.def", TABLE + 'LANE_COUNTER(lost, DROP, "x")\n')
        self.assertEqual(self.found(), [("counter", "LANE_lost")])

    def test_counter_that_never_moves(self):
        self.put("dataplane/base/counters.def", TABLE + 'LANE_COUNTER(kept, RECEIVE, "x")\n')
        self.assertEqual(self.found(), [("counter", "LANE_kept")])
        self.put("dataplane/ingest/count.c", COUNTING + "void\ncount_more(void)\n{\n\tcounters[LANE_kept]++;\n\tcounters[LANE_kept]++;\n}\n")
        self.assertEqual(self.found(), [])

    def test_event_that_nobody_says(self):
        self.put("ctrl/schema/events.yaml", "# events\n- {name: ctl_full, id: PEN-1, level: info}\n- {name: ctl_gone, id: PEN-2}\n")
        self.put("ctrl/meson.build", "sources = files('say.c')\n")
        self.put("ctrl/say.c", 'void\nsay(void)\n{\n\tevent_ctl_full("event_ctl_gone()");\n}\n')
        self.put("tests/tidy/layers.txt", "dataplane/base:\nlogstore:\ndataplane/ingest:\nctrl:\n")
        self.assertEqual(self.found(), [("event", "ctrl/schema/events.yaml:ctl_gone")])

    def test_unlisted(self):
        self.offence("int more;\n", "unlisted", "tests/unit/base/more_test.c", "tests/unit/base/more_test.c")

    def test_docs(self):
        self.put("docs/page.md", "See `dataplane/base/word.c`, `dataplane/base/gone.c`, [x](gone.md).\n")
        self.assertEqual(self.found(), [("doc", "docs/page.md>dataplane/base/gone.c"),
                                        ("doc", "docs/page.md>gone.md")])

    def test_named_tests(self):
        self.put("docs/protocols/native.md", "# P\n\n## Malformed input\n\n| input | does |\n|---|---|\n| short | drop |\n| odd | drop |\n")
        self.put("tests/unit/meson.build", "x = ['a_test']\n")
        self.put("tests/unit/a_test.c", "static void\nit_works(void **state)\n{\n}\n\nstatic void\nidle(void **state)\n{\n}\n\n"
                 "int\nmain(void)\n{\n\tcmocka_unit_test(it_works);\n}\n")
        rows = "# T\n\n## Malformed input\n\n| input | shown by |\n|---|---|\n| short | `unit/a_test.c`: `it_works` |\n"
        self.put("tests/README.md", rows + "| odd | `unit/a_test.c`: `it_works` |\n")
        self.assertEqual(self.found(), [])
        self.put("tests/README.md", rows + "| bad | `unit/a_test.c`: `idle`, `gone` |\n\n## Limits\n\n| a limit | nobody |\n")
        self.assertEqual(self.found(), [("test", "tests/README.md>unit/a_test.c:idle"), ("test", "tests/README.md>unit/a_test.c:gone"),
                                        ("test", "tests/README.md>bad"), ("test", "tests/README.md>odd"),
                                        ("test", "tests/README.md>a limit | nobody")])

    def test_header_alone(self):
        self.offence("struct need {\n\tuint32_t x;\n};\n", "header", "dataplane/base/need.h",
                     "dataplane/base/need.h")

    def test_ratchet_only_shrinks(self):
        f = [tidy.Finding("file", "a", 900, ""), tidy.Finding("file", "b", 850, "")]
        errors, left = tidy.judge(f, {("file", "a"): 890, ("file", "b"): 860, ("file", "c"): 1})
        self.assertEqual([e.where for e in errors], ["a"])
        self.assertEqual(left, {("file", "b"): 850})


if __name__ == "__main__":
    unittest.main()
