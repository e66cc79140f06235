/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka's text files, byte for byte, and every way a line can be wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/rand.h"
#include "logstore/checkpoint_file.h"

static void
written(const struct writer *w, const char *expected)
{
	assert_false(w->failed);
	assert_int_equal(writer_len(w), strlen(expected));
	assert_memory_equal(w->begin, expected, strlen(expected));
}

static void
a_uuid_is_kafkas_base64url(void **state)
{
	static const uint8_t one[16] = {[15] = 1};
	uint8_t all[16];
	uint8_t id[16];
	char text[CHECKPOINT_UUID_CHARS + 1];
	struct rand rand;
	uint32_t i;

	checkpoint_file_uuid_encode(one, text);
	assert_string_equal(text, "AAAAAAAAAAAAAAAAAAAAAQ"); /* Kafka's METADATA_TOPIC_ID */
	memset(all, 0xff, sizeof(all));
	checkpoint_file_uuid_encode(all, text);
	assert_string_equal(text, "_____________________w");
	rand_init(&rand, 3);
	for (i = 0; i < 100; i++) {
		rand_fill(&rand, all, sizeof(all));
		checkpoint_file_uuid_encode(all, text);
		assert_int_equal(checkpoint_file_uuid_decode(text, 22, id), 0);
		assert_memory_equal(all, id, 16);
	}
	assert_int_equal(checkpoint_file_uuid_decode("AAAAAAAAAAAAAAAAAAAAAR", 22, id), -EBADMSG);
	assert_int_equal(checkpoint_file_uuid_decode("AAAAAAAAAAAAAAAAAAAA+Q", 22, id), -EBADMSG);
	assert_int_equal(checkpoint_file_uuid_decode("AAAAAAAAAAAAAAAAAAAAAQ==", 24, id), -EBADMSG);
}

static void
an_offset_checkpoint_round_trips(void **state)
{
	static const char text[] = "0\n2\norders 0 1042\nord.ers-x_1 17 9223372036854775807\n";
	struct checkpoint_file_reader cr;
	struct checkpoint_offset line;
	uint8_t bytes[128];
	struct writer w = writer_init(bytes, sizeof(bytes));

	checkpoint_file_begin(&w, 2);
	checkpoint_file_add_offset(&w, "orders", 0, 1042);
	checkpoint_file_add_offset(&w, "ord.ers-x_1", 17, INT64_MAX);
	written(&w, text);
	assert_int_equal(checkpoint_file_open(&cr, text, strlen(text)), 0);
	assert_int_equal(checkpoint_file_next_offset(&cr, &line), 1);
	assert_string_equal(line.topic, "orders");
	assert_int_equal(line.partition, 0);
	assert_int_equal(line.offset, 1042);
	assert_int_equal(checkpoint_file_next_offset(&cr, &line), 1);
	assert_string_equal(line.topic, "ord.ers-x_1");
	assert_int_equal(line.partition, 17);
	assert_true(line.offset == INT64_MAX);
	assert_int_equal(checkpoint_file_next_offset(&cr, &line), 0);
}

/* Lines read before the end (positive) or the error. */
static int
read_offsets(const char *text)
{
	struct checkpoint_file_reader cr;
	struct checkpoint_offset line;
	int count = 0;
	int rc = checkpoint_file_open(&cr, text, strlen(text));

	while (rc >= 0 && (rc = checkpoint_file_next_offset(&cr, &line)) == 1) {
		count++;
	}
	return rc < 0 ? rc : count;
}

static void
a_malformed_offset_checkpoint_is_refused(void **state)
{
	static const char *const bad[] = {
		"1\n0\n", "0\n", "0", "x\n0\n", "0\n-1\n", "0\n1\n", "0\n1\na 0\n", "0\n1\na 0 1 2\n",
		"0\n1\na 0 1 \n", "0\n1\n 0 1\n", "0\n1\na -1 1\n", "0\n1\na 0 -1\n",
		"0\n1\na 0 9223372036854775808\n", "0\n1\na 0 1\nb 0 1\n", "0\n2\na 0 1\n",
		"0\n4294967297\na 0 1\n", "0\n1\na 0 1x\n", "0\n1\na  0 1\n", "0\n1\n\n", "0\n1\na 0 -\n",
	};
	size_t i;

	for (i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_int_equal(read_offsets(bad[i]), -EBADMSG);
	}
	assert_int_equal(read_offsets(""), 0);
	assert_int_equal(read_offsets("0\n0\n"), 0);
	assert_int_equal(read_offsets("0\n1\na 0 1"), 1);
	assert_int_equal(read_offsets("0\r\n1\r\na 0 1\r\n"), 1);
}

static void
a_leader_epoch_file_round_trips_and_must_rise(void **state)
{
	static const char text[] = "0\n2\n0 0\n3 1500\n";
	static const char *const bad[] = {
		"0\n2\n0 0\n0 5\n", "0\n2\n1 5\n2 5\n", "0\n2\n1 5\n0 6\n", "0\n1\n-1 0\n",
		"0\n1\n1 2 3\n", "0\n1\n2147483648 0\n",
	};
	struct checkpoint_file_reader cr;
	struct checkpoint_epoch line;
	uint8_t bytes[64];
	struct writer w = writer_init(bytes, sizeof(bytes));
	size_t i;

	checkpoint_file_begin(&w, 2);
	checkpoint_file_add_epoch(&w, 0, 0);
	checkpoint_file_add_epoch(&w, 3, 1500);
	written(&w, text);
	assert_int_equal(checkpoint_file_open(&cr, text, strlen(text)), 0);
	assert_int_equal(checkpoint_file_next_epoch(&cr, &line), 1);
	assert_int_equal(checkpoint_file_next_epoch(&cr, &line), 1);
	assert_int_equal(line.epoch, 3);
	assert_int_equal(line.start_offset, 1500);
	assert_int_equal(checkpoint_file_next_epoch(&cr, &line), 0);
	for (i = 0; i < ARRAY_COUNT(bad); i++) {
		int rc = checkpoint_file_open(&cr, bad[i], strlen(bad[i]));

		while (rc >= 0 && (rc = checkpoint_file_next_epoch(&cr, &line)) == 1) {
		}
		assert_int_equal(rc, -EBADMSG);
	}
}

static void
partition_metadata_round_trips(void **state)
{
	static const char text[] = "version: 0\ntopic_id: AAECAwQFBgcICQoLDA0ODw\n";
	static const char *const bad[] = {
		"", "version: 1\ntopic_id: AAECAwQFBgcICQoLDA0ODw\n", "version: 0\n",
		"version: 0\ntopic_id: AAECAwQFBgcICQoLDA0OD\n",
		"version: 0\ntopicid: AAECAwQFBgcICQoLDA0ODw\n",
		"version: 0\ntopic_id: AAECAwQFBgcICQoLDA0ODw\nx\n",
	};
	uint8_t bytes[64];
	uint8_t id[16];
	uint8_t parsed[16];
	struct writer w = writer_init(bytes, sizeof(bytes));
	size_t i;

	for (i = 0; i < 16; i++) {
		id[i] = (uint8_t)i;
	}
	checkpoint_file_write_metadata(&w, id);
	written(&w, text);
	assert_int_equal(checkpoint_file_parse_metadata(text, strlen(text), parsed), 0);
	assert_memory_equal(id, parsed, 16);
	for (i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_int_equal(checkpoint_file_parse_metadata(bad[i], strlen(bad[i]), parsed),
			-EBADMSG);
	}
}

static void
meta_properties_round_trip(void **state)
{
	static const char text[] = "cluster.id=AAECAwQFBgcICQoLDA0ODw\n"
		"directory.id=AAAAAAAAAAAAAAAAAAAAAQ\nnode.id=7\nversion=1\n";
	struct checkpoint_properties p = {.version = 1, .node_id = 7, .has_directory_id = true,
		.cluster_id = "AAECAwQFBgcICQoLDA0ODw", .directory_id = {[15] = 1}};
	struct checkpoint_properties parsed;
	uint8_t bytes[256];
	struct writer w = writer_init(bytes, sizeof(bytes));

	checkpoint_file_write_properties(&w, &p);
	written(&w, text);
	assert_int_equal(checkpoint_file_parse_properties(text, strlen(text), &parsed), 0);
	assert_memory_equal(&p, &parsed, sizeof(p));
}

static void
meta_properties_of_a_broker_are_read(void **state)
{
	static const char text[] = "#\n#Tue Nov 24 17:00:00 UTC 2026\nbroker.rack: a\\ b\n"
		"node.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\nversion=1\ncluster.id=my\\:c\\=l a\n";
	static const char *const bad[] = {
		"version=0\nnode.id=1\ncluster.id=a\n", "version=1\nnode.id=1\n",
		"version=1\ncluster.id=a\n", "version=1\nnode.id=x\ncluster.id=a\n", "garbage\n",
		"version=1\nnode.id=1\ncluster.id=a\ndirectory.id=short\n",
		"version=1\nnode.id=1\ncluster.id=\n",
	};
	struct checkpoint_properties p;
	size_t i;

	assert_int_equal(checkpoint_file_parse_properties(text, strlen(text), &p), 0);
	assert_string_equal(p.cluster_id, "my:c=l a");
	assert_int_equal(p.node_id, 1);
	assert_int_equal(p.directory_id[15], 1);
	for (i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_int_equal(checkpoint_file_parse_properties(bad[i], strlen(bad[i]), &p),
			-EBADMSG);
	}
}

static void
the_clean_shutdown_file_is_kafkas(void **state)
{
	uint8_t bytes[64];
	struct writer w = writer_init(bytes, sizeof(bytes));

	checkpoint_file_write_clean(&w, -1);
	written(&w, "{\"version\":0,\"brokerEpoch\":-1}");
}

static void
a_text_that_does_not_fit_fails(void **state)
{
	uint8_t bytes[8];
	struct writer w = writer_init(bytes, sizeof(bytes));

	checkpoint_file_begin(&w, 1);
	checkpoint_file_add_offset(&w, "orders", 0, 1);
	assert_true(w.failed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_uuid_is_kafkas_base64url),
		cmocka_unit_test(an_offset_checkpoint_round_trips),
		cmocka_unit_test(a_malformed_offset_checkpoint_is_refused),
		cmocka_unit_test(a_leader_epoch_file_round_trips_and_must_rise),
		cmocka_unit_test(partition_metadata_round_trips),
		cmocka_unit_test(meta_properties_round_trip),
		cmocka_unit_test(meta_properties_of_a_broker_are_read),
		cmocka_unit_test(the_clean_shutdown_file_is_kafkas),
		cmocka_unit_test(a_text_that_does_not_fit_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
