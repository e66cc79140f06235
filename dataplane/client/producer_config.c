/* SPDX-License-Identifier: Apache-2.0 */
/* The library's settings: Kafka's names, one table (penstock.h). Not for several threads at once. */
#include "client/producer_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/utf8.h"

/* Settings that are a number within limits. */
static const struct config_number {
	const char *name;
	uint64_t min, max;
	size_t offset;
} config_numbers[] = {
	{"linger.ms", 0, 900000, offsetof(struct penstock_config, linger_ms)},
	{"batch.size", 0, INT32_MAX, offsetof(struct penstock_config, batch_bytes)},
	{"buffer.memory", 256 * KIB, 64 * GIB, offsetof(struct penstock_config, buffer_bytes)},
	{"delivery.timeout.ms", 1, INT32_MAX, offsetof(struct penstock_config, delivery_timeout_ms)},
	{"retry.backoff.ms", 1, 60000, offsetof(struct penstock_config, retry_backoff_ms)},
	{"max.datagram", 0, CLIENT_DATAGRAM_MAX, offsetof(struct penstock_config, max_datagram)},
};

PUBLIC_API struct penstock_config *
penstock_config_create(void)
{
	struct penstock_config *config = calloc(1, sizeof(*config));

	if (config) {
		strcpy(config->bootstrap, "127.0.0.1:9292");
		config->buffer_bytes = 32 * MIB;
		config->delivery_timeout_ms = 120000;
		config->retry_backoff_ms = 100;
	}
	return config;
}

PUBLIC_API void
penstock_config_destroy(struct penstock_config *config)
{
	free(config);
}

static int
config_text(char *target, size_t room, const char *name, const char *value, char *text,
	size_t text_bytes)
{
	if (strlen(value) >= room) {
		snprintf(text, text_bytes, "%s is longer than %zu bytes", name, room - 1);
		return -EINVAL;
	}
	strcpy(target, value);
	return 0;
}

static int
config_acks(struct penstock_config *config, const char *value, char *text, size_t text_bytes)
{
	if (strcmp(value, "0") == 0) {
		config->acks_received = true;
	} else if (strcmp(value, "all") == 0 || strcmp(value, "1") == 0 || strcmp(value, "-1") == 0) {
		config->acks_received = false;
	} else {
		snprintf(text, text_bytes, "acks is '%s', not all, 1 or 0", value);
		return -EINVAL;
	}
	return 0;
}

static int
config_number(struct penstock_config *config, const struct config_number *row, const char *value,
	char *text, size_t text_bytes)
{
	char *end;

	errno = 0;
	unsigned long long number = strtoull(value, &end, 10);

	if (errno != 0 || value[0] < '0' || value[0] > '9' || *end != '\0' || number < row->min ||
		number > row->max) {
		snprintf(text, text_bytes, "%s is '%s', not a number from %llu to %llu", row->name,
			value, (unsigned long long)row->min, (unsigned long long)row->max);
		return -EINVAL;
	}
	uint64_t parsed = number;

	memcpy((uint8_t *)config + row->offset, &parsed, sizeof(parsed));
	return 0;
}

PUBLIC_API int
penstock_config_set(struct penstock_config *config, const char *name, const char *value, char *text,
	size_t text_bytes)
{
	char nowhere[1];

	if (!text) {
		text = nowhere;
		text_bytes = sizeof(nowhere);
	}
	if (strcmp(name, "bootstrap") == 0 || strcmp(name, "bootstrap.servers") == 0) {
		return config_text(config->bootstrap, sizeof(config->bootstrap), name, value, text,
			text_bytes);
	}
	if (strcmp(name, "client.id") == 0) {
		if (!utf8_valid((const uint8_t *)value, strlen(value))) {
			/* A server drops such a HELLO without an answer. */
			snprintf(text, text_bytes, "client.id is not UTF-8");
			return -EINVAL;
		}
		return config_text(config->client_id, sizeof(config->client_id), name, value, text,
			text_bytes);
	}
	if (strcmp(name, "acks") == 0) {
		return config_acks(config, value, text, text_bytes);
	}
	for (uint32_t i = 0; i < ARRAY_COUNT(config_numbers); i++) {
		if (strcmp(name, config_numbers[i].name) != 0) {
			continue;
		}
		if (strcmp(name, "max.datagram") == 0 && strcmp(value, "0") != 0 &&
			strtoul(value, NULL, 10) < CLIENT_DATAGRAM_MIN) {
			snprintf(text, text_bytes, "max.datagram is '%s', below %u", value,
				CLIENT_DATAGRAM_MIN);
			return -EINVAL;
		}
		return config_number(config, &config_numbers[i], value, text, text_bytes);
	}
	snprintf(text, text_bytes, "unknown setting '%s'", name);
	return -EINVAL;
}

PUBLIC_API void
penstock_config_set_delivery(struct penstock_config *config, penstock_delivery_fn fn,
	void *user_data)
{
	config->delivery_fn = fn;
	config->delivery_data = user_data;
}

PUBLIC_API void
penstock_config_set_partitioner(struct penstock_config *config, penstock_partitioner_fn fn,
	void *user_data)
{
	config->partitioner_fn = fn;
	config->partitioner_data = user_data;
}
