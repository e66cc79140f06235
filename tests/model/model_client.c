/* SPDX-License-Identifier: Apache-2.0 */
/* One producer of the model (model_client.h). */
#include "model_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "model_server.h"
#include "support/client_peek.h"

#define MODEL_RETRY_NS (5 * NS_PER_MS)

static void
client_send(void *user_data, const struct client_datagram *d)
{
	struct model_client *c = user_data;

	c->options.send(c->options.user_data, c->options.index * CLIENT_LANES_MAX + d->lane, d->port,
		d->head, d->head_len, d->body, d->body_len);
}

static void
client_delivered(void *user_data, const struct client_delivery *delivery)
{
	struct model_client *c = user_data;
	struct model_record *record = delivery->record_data;

	if (record->fate != MODEL_PENDING) {
		snprintf(c->broken, sizeof(c->broken), "client %u: record %u of %u told twice",
			c->options.index, record->number, record->partition);
	}
	if (delivery->partition != record->partition) {
		snprintf(c->broken, sizeof(c->broken), "client %u: delivery for the wrong partition",
			c->options.index);
	}
	record->fate = delivery->error == 0 ? MODEL_DURABLE : MODEL_FAILED;
	record->error = delivery->error;
	record->offset = delivery->offset;
	c->pending--;
	c->durable += delivery->error == 0;
	c->failed += delivery->error != 0;
}

static const struct client_core_ops client_ops = {
	.send = client_send,
	.delivered = client_delivered,
};

void
model_client_value(uint32_t client, uint32_t partition, uint32_t number, uint8_t *value,
	uint32_t value_bytes)
{
	store_le32(value, client);
	store_le32(value + 4, partition);
	store_le32(value + 8, number);
	for (uint32_t i = 12; i < value_bytes; i++) {
		value[i] = (uint8_t)(client * 31 + partition * 17 + number * 7 + i);
	}
}

static void
client_workload(struct model_client *c, uint64_t now_ns)
{
	uint32_t *numbers = calloc(c->options.partition_count, sizeof(*numbers));
	uint64_t at_ns = now_ns;

	ensure(numbers);
	c->records = calloc(c->options.record_count, sizeof(*c->records));
	ensure(c->records);
	for (uint32_t i = 0; i < c->options.record_count; i++) {
		uint32_t partition = (uint32_t)rand_below(&c->rand, c->options.partition_count);

		/* Bursts and pauses. */
		if (rand_below(&c->rand, 4) == 0) {
			at_ns += rand_below(&c->rand, 8 * c->options.interval_ns + 1);
		}
		c->records[i] = (struct model_record){
			.partition = partition,
			.number = numbers[partition]++,
			.value_bytes = 12 + (uint32_t)rand_below(&c->rand,
						    c->options.value_bytes_max - 11),
			.offset = -1,
			.found_offset = -1,
			.at_ns = at_ns,
		};
	}
	free(numbers);
}

void
model_client_init(struct model_client *client, const struct model_client_options *options,
	uint64_t now_ns)
{
	struct client_core_options core;

	*client = (struct model_client){.options = *options};
	rand_init(&client->rand, options->seed);
	client_workload(client, now_ns);
	client_core_options_init(&core);
	core.ops = &client_ops;
	core.user_data = client;
	core.rand = &client->rand;
	core.buffer_bytes = 256 * KIB;
	core.linger_ns = options->linger_ns;
	core.delivery_timeout_ns = options->delivery_timeout_ns;
	core.retry_backoff_ns = 20 * NS_PER_MS;
	core.topics_max = 2;
	core.partitions_max = 64;
	core.port = MODEL_PORT;
	if (options->named) {
		snprintf(core.name, sizeof(core.name), "client-%u", options->index);
	}
	ensure(client_core_create(&core, &client->core) == 0);
	client->topic = client_core_topic(client->core, MODEL_TOPIC);
	ensure(client->topic >= 0);
}

void
model_client_fini(struct model_client *client)
{
	client_core_destroy(client->core);
	free(client->records);
}

static void
client_fail(struct model_client *c, struct model_record *record)
{
	record->fate = MODEL_FAILED;
	c->failed++;
	c->next++;
}

static void
client_submit(struct model_client *c, uint64_t now_ns)
{
	uint8_t value[MODEL_VALUE_MAX];

	c->blocked = false;
	while (c->next < c->options.record_count && c->records[c->next].at_ns <= now_ns) {
		struct model_record *record = &c->records[c->next];
		struct client_record out = {
			.value = value,
			.value_len = record->value_bytes,
			.timestamp_ms = 1700000000000 + c->next,
			.sent_ns = now_ns,
			.record_data = record,
		};

		model_client_value(c->options.index, record->partition, record->number, value,
			record->value_bytes);
		record->fate = MODEL_PENDING;
		c->pending++;
		int rc = client_core_send(c->core, c->topic, (int32_t)record->partition, &out, now_ns);

		if (rc == 0) {
			c->next++;
			continue;
		}
		record->fate = MODEL_UNSENT;
		c->pending--;
		if (rc == -EAGAIN) {
			c->blocked = true;
			return;
		}
		if (rc != -EMSGSIZE) {
			snprintf(c->broken, sizeof(c->broken), "client %u: send says %d",
				c->options.index, rc);
		}
		client_fail(c, record);
	}
}

static void
client_check_credit(struct model_client *c)
{
	for (uint16_t lane = 0; lane < CLIENT_LANES_MAX; lane++) {
		const struct client_credit *credit = client_peek_credit(c->core, lane);

		if (credit && (credit->used_bytes > credit->limit_bytes ||
				      credit->used_packets > credit->limit_packets)) {
			snprintf(c->broken, sizeof(c->broken), "client %u: credit exceeded on lane %u",
				c->options.index, lane);
		}
	}
}

uint64_t
model_client_poll(struct model_client *client, uint64_t now_ns)
{
	client_submit(client, now_ns);
	uint64_t deadline_ns = client_core_poll(client->core, now_ns);

	client_check_credit(client);
	if (client->blocked) {
		return now_ns + MODEL_RETRY_NS < deadline_ns ? now_ns + MODEL_RETRY_NS : deadline_ns;
	}
	if (client->next < client->options.record_count &&
		client->records[client->next].at_ns < deadline_ns) {
		deadline_ns = client->records[client->next].at_ns;
	}
	return deadline_ns;
}

bool
model_client_done(const struct model_client *client)
{
	return client->next == client->options.record_count && client_peek_idle(client->core);
}

void
model_client_input(struct model_client *client, uint16_t lane, const uint8_t *bytes, uint32_t len,
	uint64_t now_ns)
{
	client_core_input(client->core, lane, bytes, len, now_ns);
}
