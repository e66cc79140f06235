/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of the producer library as text: [setting][value]. What is refused says why; a number that is
 * taken is in its range and reads the same without the library; a name that is taken is one that a
 * server takes in HELLO.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "client/producer_config.h"
#include "fuzz/fuzz.h"
#include "wire/native/session_msg.h"

static const char *const names[] = {"bootstrap", "client.id", "acks", "linger.ms", "batch.size",
	"buffer.memory", "delivery.timeout.ms", "retry.backoff.ms", "max.datagram", "no.such.setting"};

static void
check_client_id(const struct penstock_config *config)
{
	struct session_msg_hello hello = {.ver_min = 1, .ver_max = 1, .client_nonce = {1},
		.producer_id = -1, .producer_epoch = -1, .max_datagram = 1472,
		.name_len = (uint8_t)strlen(config->client_id)};
	uint8_t room[1500];
	struct writer w = writer_init(room, sizeof(room));

	memcpy(hello.name, config->client_id, hello.name_len);
	session_msg_hello_encode(&w, &hello);
	ensure(session_msg_hello_decode(room, writer_len(&w), &hello) == 0);
}

static void
check_number(const struct penstock_config *config, const char *name, const char *value)
{
	uint64_t number = strcmp(name, "linger.ms") == 0 ? config->linger_ms
		: strcmp(name, "batch.size") == 0 ? config->batch_bytes
		: strcmp(name, "buffer.memory") == 0 ? config->buffer_bytes
		: strcmp(name, "delivery.timeout.ms") == 0 ? config->delivery_timeout_ms
		: strcmp(name, "retry.backoff.ms") == 0 ? config->retry_backoff_ms : config->max_datagram;
	char again[32];

	ensure(value[strspn(value, "0123456789")] == '\0');
	value += strspn(value, "0");
	(void)snprintf(again, sizeof(again), "%" PRIu64, number);
	ensure(strcmp(again, *value ? value : "0") == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct penstock_config *config = penstock_config_create();
	char *value = len > 0 ? calloc(1, len) : NULL;
	char text[128] = "";
	size_t which;

	ensure(config != NULL);
	if (value) {
		which = bytes[0] % (sizeof(names) / sizeof(names[0]));
		memcpy(value, bytes + 1, len - 1);
		if (penstock_config_set(config, names[which], value, text, sizeof(text)) != 0) {
			ensure(text[0] != '\0');
			ensure(penstock_config_set(config, names[which], value, NULL, 0) != 0);
		} else if (which == 1) {
			check_client_id(config);
		} else if (which >= 3) {
			check_number(config, names[which], value);
		}
	}
	free(value);
	penstock_config_destroy(config);
	return 0;
}
