/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/broker/topic_config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"

struct key_row {
	const char *name;
	int64_t min, max, value; /* value: default */
	const char *words;	 /* space-separated; then min..max are indexes, and those behind are Kafka's only */
	const char *note;	 /* why the range is narrower than Kafka's */
};

#define MS_PER_DAY 86400000ll

static const struct key_row key_rows[TOPIC_CONFIG_COUNT] = {
	[TOPIC_SEGMENT_BYTES] = {"segment.bytes", 1 << 20, INT32_MAX, 1 << 30, NULL, NULL},
	[TOPIC_SEGMENT_MS] = {"segment.ms", 1, INT64_MAX, 7 * MS_PER_DAY, NULL, NULL},
	[TOPIC_SEGMENT_JITTER_MS] = {"segment.jitter.ms", 0, INT64_MAX, 0, NULL, NULL},
	[TOPIC_INDEX_INTERVAL_BYTES] = {"index.interval.bytes", 0, INT32_MAX, 4096, NULL, NULL},
	[TOPIC_SEGMENT_INDEX_BYTES] = {"segment.index.bytes", 4096, INT32_MAX, 10 << 20, NULL,
		NULL},
	[TOPIC_MAX_MESSAGE_BYTES] = {"max.message.bytes", 1024, 16 << 20, 1048588, NULL, NULL},
	[TOPIC_TIMESTAMP_TYPE] = {"message.timestamp.type", 0, 1, 0, "CreateTime LogAppendTime",
		NULL},
	[TOPIC_TIMESTAMP_BEFORE_MAX_MS] = {"message.timestamp.before.max.ms", 0, INT64_MAX,
		INT64_MAX, NULL, NULL},
	[TOPIC_TIMESTAMP_AFTER_MAX_MS] = {"message.timestamp.after.max.ms", 0, INT64_MAX, 3600000,
		NULL, NULL},
	[TOPIC_ACK_RISK] = {"penstock.ack.risk", 0, 2, 0, "none power crash", NULL},
	[TOPIC_FLUSH_MS] = {"penstock.flush.ms", 1, 3600000, 100, NULL, NULL},
	[TOPIC_RETENTION_MS] = {"retention.ms", -1, -1, -1, NULL,
		"retention is not part of this version: everything is kept"},
	[TOPIC_RETENTION_BYTES] = {"retention.bytes", -1, -1, -1, NULL,
		"retention is not part of this version: everything is kept"},
	[TOPIC_CLEANUP_POLICY] = {"cleanup.policy", 0, 0, 0,
		"delete compact compact,delete delete,compact", "compaction is not part of this version"},
};

static const char *const key_names[TOPIC_CONFIG_COUNT + 1] = {
	"segment.bytes",
	"segment.ms",
	"segment.jitter.ms",
	"index.interval.bytes",
	"segment.index.bytes",
	"max.message.bytes",
	"message.timestamp.type",
	"message.timestamp.before.max.ms",
	"message.timestamp.after.max.ms",
	"penstock.ack.risk",
	"penstock.flush.ms",
	"retention.ms",
	"retention.bytes",
	"cleanup.policy",
	NULL,
};

const char *const *
topic_config_names(void)
{
	return key_names;
}

const char *
topic_config_name(enum topic_config_key key)
{
	ensure(key < TOPIC_CONFIG_COUNT);
	return key_rows[key].name;
}

void
topic_config_init(struct topic_config *config, const struct log_topic_config *defaults)
{
	memset(config, 0, sizeof(*config));
	for (int i = 0; i < TOPIC_CONFIG_COUNT; i++) {
		config->values[i] = key_rows[i].value;
	}
	config->values[TOPIC_SEGMENT_BYTES] = (int64_t)defaults->segment_bytes;
	config->values[TOPIC_SEGMENT_MS] = defaults->segment_ms;
	config->values[TOPIC_SEGMENT_JITTER_MS] = defaults->segment_jitter_ms;
	config->values[TOPIC_INDEX_INTERVAL_BYTES] = defaults->index_interval_bytes;
	config->values[TOPIC_SEGMENT_INDEX_BYTES] = defaults->index_bytes_max;
	config->values[TOPIC_MAX_MESSAGE_BYTES] = defaults->max_message_bytes;
	config->values[TOPIC_TIMESTAMP_TYPE] = defaults->log_append_time;
	config->values[TOPIC_ACK_RISK] = defaults->ack_risk;
	config->values[TOPIC_FLUSH_MS] = defaults->flush_ms;
}

/* Index of a word in a space-separated list, or -1. */
static int64_t
topic_config_word(const char *words, const char *value)
{
	size_t len = strlen(value);
	int64_t index = 0;

	for (const char *at = words; *at; index++) {
		size_t word_len = strcspn(at, " ");

		if (word_len == len && strncmp(at, value, len) == 0) {
			return index;
		}
		at += word_len;
		at += *at == ' ';
	}
	return -1;
}

/* 0; -EINVAL; -ENOTSUP: Kafka's, but outside of what this version acts on. */
static int
topic_config_parse(const struct key_row *row, const char *value, int64_t *ret_value)
{
	char *end;
	int64_t parsed;

	if (row->words) {
		parsed = topic_config_word(row->words, value);
		if (parsed < 0) {
			return -EINVAL;
		}
	} else {
		errno = 0;
		parsed = strtoll(value, &end, 10);
		if (errno || end == value || *end) {
			return -EINVAL;
		}
	}
	if (parsed < row->min || parsed > row->max) {
		return row->note ? -ENOTSUP : -EINVAL;
	}
	*ret_value = parsed;
	return 0;
}

/* Those of the words that this version acts on: the first ones. */
static int
topic_config_words_len(const struct key_row *row)
{
	size_t len = 0;

	for (int64_t i = 0; i <= row->max; i++) {
		len += strcspn(row->words + len + (i > 0), " ") + (i > 0);
	}
	return (int)len;
}

static void
topic_config_want(const struct key_row *row, const char *value, char *text, uint32_t text_bytes)
{
	const char *note = row->note ? row->note : "";
	const char *gap = row->note ? "; " : "";

	if (row->words) {
		snprintf(text, text_bytes, "%s=%s: want one of: %.*s%s%s", row->name, value,
			topic_config_words_len(row), row->words, gap, note);
	} else if (row->min == row->max) {
		snprintf(text, text_bytes, "%s=%s: want %" PRId64 "%s%s", row->name, value, row->min, gap, note);
	} else {
		snprintf(text, text_bytes, "%s=%s: want a number from %" PRId64 " to %" PRId64 "%s%s", row->name,
			value, row->min, row->max, gap, note);
	}
}

int
topic_config_set(struct topic_config *config, const char *name, const char *value, char *text,
	uint32_t text_bytes)
{
	for (int i = 0; i < TOPIC_CONFIG_COUNT; i++) {
		const struct key_row *row = &key_rows[i];
		int rc;

		if (strcmp(row->name, name) != 0) {
			continue;
		}
		rc = topic_config_parse(row, value, &config->values[i]);
		if (rc < 0) {
			topic_config_want(row, value, text, text_bytes);
			return rc;
		}
		config->set[i] = true;
		return 0;
	}
	snprintf(text, text_bytes, "%s: no such topic setting", name);
	return -ENOENT;
}

void
topic_config_to_log(const struct topic_config *config, struct log_topic_config *ret_config)
{
	log_topic_config_init(ret_config);
	ret_config->segment_bytes = (uint64_t)config->values[TOPIC_SEGMENT_BYTES];
	ret_config->segment_ms = config->values[TOPIC_SEGMENT_MS];
	ret_config->segment_jitter_ms = config->values[TOPIC_SEGMENT_JITTER_MS];
	ret_config->index_interval_bytes = (uint32_t)config->values[TOPIC_INDEX_INTERVAL_BYTES];
	ret_config->index_bytes_max = (uint32_t)config->values[TOPIC_SEGMENT_INDEX_BYTES];
	ret_config->max_message_bytes = (uint32_t)config->values[TOPIC_MAX_MESSAGE_BYTES];
	ret_config->ack_risk = (uint8_t)config->values[TOPIC_ACK_RISK];
	ret_config->log_append_time = config->values[TOPIC_TIMESTAMP_TYPE] == 1;
	ret_config->flush_ms = (uint32_t)config->values[TOPIC_FLUSH_MS];
}

void
topic_config_format(const struct topic_config *config, enum topic_config_key key, char *text,
	uint32_t text_bytes)
{
	const struct key_row *row = &key_rows[key];
	const char *at = row->words;

	if (!at) {
		snprintf(text, text_bytes, "%" PRId64, config->values[key]);
		return;
	}
	for (int64_t i = 0; i < config->values[key]; i++) {
		at += strcspn(at, " ") + 1;
	}
	snprintf(text, text_bytes, "%.*s", (int)strcspn(at, " "), at);
}
