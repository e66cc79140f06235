/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topic settings by Kafka's names: one table of name, range and default. What this version does not
 * act on is refused, unless its only allowed value says so (cleanup.policy=delete, retention.ms=-1).
 */
#ifndef CTRL_TOPIC_CONFIG_H
#define CTRL_TOPIC_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include "logstore/logstore.h"

enum topic_config_key {
	TOPIC_SEGMENT_BYTES,
	TOPIC_SEGMENT_MS,
	TOPIC_SEGMENT_JITTER_MS,
	TOPIC_INDEX_INTERVAL_BYTES,
	TOPIC_SEGMENT_INDEX_BYTES,
	TOPIC_MAX_MESSAGE_BYTES,
	TOPIC_TIMESTAMP_TYPE,
	TOPIC_TIMESTAMP_BEFORE_MAX_MS,
	TOPIC_TIMESTAMP_AFTER_MAX_MS,
	TOPIC_ACK_RISK,
	TOPIC_FLUSH_MS,
	TOPIC_RETENTION_MS,
	TOPIC_RETENTION_BYTES,
	TOPIC_CLEANUP_POLICY,
	TOPIC_CONFIG_COUNT,
};

/* Every value as a number; words are indexes into their list. Unset ones hold the default. */
struct topic_config {
	int64_t values[TOPIC_CONFIG_COUNT];
	bool set[TOPIC_CONFIG_COUNT];
};

void topic_config_init(struct topic_config *config, const struct log_topic_config *defaults);
/*
 * 0; -ENOENT unknown name; -EINVAL no value for it; -ENOTSUP a value that Kafka has and this version has not. Both
 * of a value are told in text with the range.
 */
int topic_config_set(struct topic_config *config, const char *name, const char *value, char *text,
	uint32_t text_bytes);
void topic_config_to_log(const struct topic_config *config, struct log_topic_config *ret_config);
const char *topic_config_name(enum topic_config_key key);
/* Formats a value as Kafka prints it. */
void topic_config_format(const struct topic_config *config, enum topic_config_key key, char *text,
	uint32_t text_bytes);
const char *const *topic_config_names(void);

#endif
