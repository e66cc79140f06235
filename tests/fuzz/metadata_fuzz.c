/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker's start over any contents of __penstock_metadata. The input: [flags][lines], each line one
 * record's value; with INPUT_RAW the lines are the log's bytes themselves. The log beside it is a fake
 * that has a few partition directories. Whatever the records are: the start ends, running or failed
 * with a reason; and a broker that runs creates a topic and still answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "support/broker_rig.h"
#include "wire/record_batch.h"

#define POLLS_MAX      3000
#define LOG_BYTES      65536
#define FOUND_FLAGS    3

enum input_flag {
	/* The low two bits: how many partition directories of topic "t" there are. */
	INPUT_RAW = 4,
	INPUT_OTHER_ID = 8, /* their topic id is not the one that the seeds name */
};

static const uint8_t topic_id[16] = {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
	0x11, 0x11, 0x11, 0x11, 0x11};

/* --- the input -------------------------------------------------------------------------------------- */

/* One batch, one record a line; lines that do not fit are left out. */
static void
build_log(struct broker_rig *rig, const uint8_t *bytes, size_t len)
{
	uint8_t *room = malloc(LOG_BYTES);
	struct record_builder builder;
	int64_t count = 0;

	ensure(room != NULL);
	record_builder_init(&builder, room, LOG_BYTES);
	while (len > 0) {
		const uint8_t *end = memchr(bytes, '\n', len);
		size_t line = end ? (size_t)(end - bytes) : len;

		count += record_builder_add(&builder, 1000, "k", 1, bytes, (int32_t)line) == 0;
		bytes += line + (end ? 1 : 0);
		len -= line + (end ? 1 : 0);
	}
	broker_rig_set_log(rig, 0, room,
		count > 0 ? record_builder_finish(&builder, -1, -1, -1) : 0, count);
	free(room);
}

static void
load(struct broker_rig *rig, uint8_t flags, const uint8_t *bytes, size_t len)
{
	uint8_t id[16];

	broker_rig_found(rig, BROKER_METADATA_TOPIC, 0, (const uint8_t[16]){9});
	if (!(flags & INPUT_RAW)) {
		build_log(rig, bytes, len);
	} else if (len > 0) {
		broker_rig_set_log(rig, 0, bytes, len, 2);
	}
	memcpy(id, topic_id, sizeof(id));
	id[0] ^= flags & INPUT_OTHER_ID ? 1 : 0;
	for (uint32_t i = 0; i < (flags & FOUND_FLAGS); i++) {
		broker_rig_found(rig, "t", i, id);
	}
}

static void
no_log(void *user_data, enum log_level level, const char *line)
{
}

static void
on_created(void *user_data, int16_t error, const char *text)
{
	(*(uint32_t *)user_data)++;
	ensure(error == 0 || text[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct broker_rig rig;
	uint32_t answers = 0;
	int polls = 0;

	if (len == 0) {
		return 0;
	}
	log_set_sink(no_log, NULL);
	broker_rig_init(&rig);
	load(&rig, bytes[0], bytes + 1, len - 1);
	while (broker_state(rig.broker) == BROKER_LOADING) {
		ensure(polls++ < POLLS_MAX);
		(void)broker_rig_poll(&rig);
	}
	if (broker_state(rig.broker) == BROKER_FAILED) {
		ensure(broker_failure(rig.broker)[0] != '\0');
	} else {
		broker_topic_create(rig.broker,
			&(struct broker_topic_create){.name = "new", .partitions = 2}, on_created, &answers);
		polls = 0;
		while (answers == 0) {
			ensure(polls++ < POLLS_MAX);
			(void)broker_rig_poll(&rig);
		}
	}
	broker_rig_free(&rig);
	return 0;
}
