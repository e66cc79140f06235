/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's YAML reader over tests/vectors/yaml: what it refuses, and what it reads. The generator's loader, which
 * is another library, is judged by the same table (tests/tidy/yaml_vectors_test.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <string.h>
#include "ctrl/schema/yaml_doc.h"

static const char *table_path; /* documents.json: first argument */

static json_t *value_of(struct yaml_doc *doc, struct fy_node *node);

/* Plain words of null are null, as for who asks of a key whether it has a value; all else is its text. */
static json_t *
scalar_of(struct yaml_doc *doc, struct fy_node *node)
{
	char text[YAML_SCALAR_BYTES_MAX];

	assert_int_equal(yaml_doc_scalar(doc, node, text, sizeof(text)), 0);
	if (fy_node_get_style(node) == FYNS_PLAIN &&
		(!text[0] || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)) {
		return json_null();
	}
	return json_string(text);
}

static json_t *
map_of(struct yaml_doc *doc, struct fy_node *node)
{
	json_t *map = json_object();
	struct fy_node_pair *pair;
	char key[YAML_SCALAR_BYTES_MAX];
	void *at = NULL;

	while ((pair = fy_node_mapping_iterate(node, &at)) != NULL) {
		assert_int_equal(yaml_doc_scalar(doc, fy_node_pair_key(pair), key, sizeof(key)), 0);
		json_object_set_new(map, key, value_of(doc, fy_node_pair_value(pair)));
	}
	return map;
}

static json_t *
value_of(struct yaml_doc *doc, struct fy_node *node)
{
	json_t *list;
	struct fy_node *item;
	void *at = NULL;

	if (!node) {
		return json_null();
	}
	if (fy_node_is_scalar(node)) {
		return scalar_of(doc, node);
	}
	if (fy_node_is_mapping(node)) {
		return map_of(doc, node);
	}
	list = json_array();
	while ((item = fy_node_sequence_iterate(node, &at)) != NULL) {
		json_array_append_new(list, value_of(doc, item));
	}
	return list;
}

/* False after having said what is wrong. */
static bool
reads_as_the_table_says(const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "name"));
	bool refused = json_is_true(json_object_get(row, "refused"));
	char report[1024] = "";
	struct yaml_doc doc;
	json_t *got;
	char *text;
	bool same;

	if (yaml_doc_open(&doc, "t.yaml", json_string_value(json_object_get(row, "yaml")), report,
		    sizeof(report)) != 0) {
		if (!refused || strncmp(report, "t.yaml:", 7) != 0) {
			print_error("%s: refused: %s\n", name, report);
		}
		return refused && strncmp(report, "t.yaml:", 7) == 0;
	}
	got = value_of(&doc, yaml_doc_root(&doc));
	same = !refused && json_equal(got, json_object_get(row, "want"));
	if (!same) {
		text = json_dumps(got, JSON_ENCODE_ANY);
		print_error("%s: reads %s\n", name, text);
		free(text);
	}
	json_decref(got);
	yaml_doc_close(&doc);
	return same;
}

static void
every_document_of_the_table_reads_as_it_says(void **state)
{
	json_t *rows = json_load_file(table_path, 0, NULL);
	uint32_t wrong = 0;
	size_t i;
	json_t *row;

	assert_non_null(rows);
	assert_true(json_array_size(rows) >= 40);
	json_array_foreach(rows, i, row) {
		wrong += !reads_as_the_table_says(row);
	}
	json_decref(rows);
	assert_int_equal(wrong, 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_document_of_the_table_reads_as_it_says),
	};

	if (argc != 2) {
		print_error("usage: yaml_doc_test DOCUMENTS.json\n");
		return 64;
	}
	table_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
