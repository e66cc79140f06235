/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A producer: sends so many records, one a number, and tells how many are durable.
 *   ./producer 127.0.0.1:9292 numbers 1000
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "penstock.h"

struct tally {
	_Atomic unsigned long durable, failed;
};

/* On the library's own thread, once a record: it is on disk at the server, or has failed for good. */
static void
on_delivery(void *user_data, const struct penstock_delivery *delivery)
{
	struct tally *tally = user_data;

	if (delivery->durable) {
		atomic_fetch_add(&tally->durable, 1);
	} else {
		atomic_fetch_add(&tally->failed, 1);
	}
}

static int
send_number(struct penstock_producer *producer, const char *topic, long number)
{
	char key[16], value[32];
	struct penstock_record_out record = {.struct_bytes = sizeof(record),
		.partition = PENSTOCK_PARTITION_ANY, .topic = topic, .key = key, .value = value,
		.timestamp_ms = -1};

	record.key_len = (size_t)snprintf(key, sizeof(key), "key-%ld", number % 10);
	record.value_len = (size_t)snprintf(value, sizeof(value), "number %ld", number);
	return penstock_send_wait(producer, &record, 10000); /* waits when the buffer is full */
}

int
main(int argc, char **argv)
{
	long count = argc == 4 ? strtol(argv[3], NULL, 10) : -1;
	struct penstock_config *config = penstock_config_create();
	struct penstock_producer *producer;
	struct tally tally = {0};
	char text[256] = "no memory";
	int err = 0;

	if (count < 0 || !config) {
		fprintf(stderr, "usage: %s HOST:PORT TOPIC COUNT\n", argv[0]);
		return 64;
	}
	penstock_config_set_delivery(config, on_delivery, &tally);
	if (penstock_config_set(config, "bootstrap", argv[1], text, sizeof(text)) < 0 ||
		penstock_producer_create(config, &producer, text, sizeof(text)) < 0) {
		fprintf(stderr, "error: %s\n", text);
		return 1;
	}
	penstock_config_destroy(config);
	for (long i = 0; i < count && err == 0; i++) {
		err = send_number(producer, argv[2], i);
	}
	if (penstock_flush(producer, 30000) < 0 || err < 0) {
		fprintf(stderr, "error: not all were taken: %s\n", penstock_producer_status(producer));
	}
	(void)penstock_producer_destroy(producer, 0);
	printf("durable %lu, failed %lu\n", tally.durable, tally.failed);
	return tally.durable == (unsigned long)count ? 0 : 1;
}
