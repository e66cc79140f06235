/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka's text files: what a reader accepts, our writer writes so that it reads the same again. */
#include <string.h>
#include "base/ensure.h"
#include "fuzz/fuzz.h"
#include "logstore/checkpoint_file.h"

static void
fuzz_offsets(const uint8_t *bytes, size_t len)
{
	struct checkpoint_file_reader cr;
	struct checkpoint_offset line;
	uint32_t count = 0;
	int rc = checkpoint_file_open(&cr, bytes, len);

	while (rc >= 0 && (rc = checkpoint_file_next_offset(&cr, &line)) == 1) {
		ensure(strlen(line.topic) <= CHECKPOINT_TOPIC_MAX);
		ensure(line.offset >= 0);
		count++;
	}
	ensure(rc < 0 || count == cr.count);
}

static void
fuzz_epochs(const uint8_t *bytes, size_t len)
{
	struct checkpoint_file_reader cr;
	struct checkpoint_epoch line;
	struct checkpoint_epoch last = {.epoch = -1, .start_offset = -1};
	int rc = checkpoint_file_open(&cr, bytes, len);

	while (rc >= 0 && (rc = checkpoint_file_next_epoch(&cr, &line)) == 1) {
		ensure(line.epoch > last.epoch);
		ensure(line.start_offset > last.start_offset);
		last = line;
	}
}

static void
fuzz_keys(const uint8_t *bytes, size_t len)
{
	static uint8_t again[4096];
	struct checkpoint_properties p = {0};
	struct checkpoint_properties q = {0};
	struct writer w = writer_init(again, sizeof(again));
	uint8_t id[16];

	(void)!checkpoint_file_parse_metadata(bytes, len, id);
	if (checkpoint_file_parse_properties(bytes, len, &p) == 0) {
		checkpoint_file_write_properties(&w, &p);
		ensure(!w.failed);
		ensure(checkpoint_file_parse_properties(again, writer_len(&w), &q) == 0);
		ensure(strcmp(p.cluster_id, q.cluster_id) == 0);
		ensure(p.node_id == q.node_id);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	fuzz_offsets(bytes, len);
	fuzz_epochs(bytes, len);
	fuzz_keys(bytes, len);
	return 0;
}
