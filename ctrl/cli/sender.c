/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/cli/sender.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include "base/bytes.h"
#include "ctrl/cli/cli.h"

#define SLICE_MS 50 /* between looks at the interrupt descriptor */

/* The library's thread. */
static void
on_delivery(void *user_data, const struct penstock_delivery *delivery)
{
	struct sender *sender = user_data;
	int none = 0;

	if (delivery->durable) {
		histogram_add(&sender->latency, delivery->latency_ns);
		atomic_fetch_add_explicit(&sender->durable, 1, memory_order_relaxed);
		return;
	}
	(void)atomic_compare_exchange_strong(&sender->first_error, &none, delivery->error);
	atomic_fetch_add_explicit(&sender->failed, 1, memory_order_relaxed);
}

int
sender_open(struct sender *sender, const struct sender_options *options, char *text,
	size_t text_bytes)
{
	struct penstock_config *config = penstock_config_create();
	char number[24];
	int err;

	memset(sender, 0, sizeof(*sender));
	histogram_init(&sender->latency);
	sender->interrupt_fd = options->interrupt_fd;
	snprintf(text, text_bytes, "no memory");
	if (!config) {
		return -ENOMEM;
	}
	snprintf(number, sizeof(number), "%" PRIu64, options->delivery_timeout_ms);
	err = penstock_config_set(config, "bootstrap", options->bootstrap, text, text_bytes);
	if (err == 0 && options->client_id) {
		err = penstock_config_set(config, "client.id", options->client_id, text, text_bytes);
	}
	err = err ? err : penstock_config_set(config, "delivery.timeout.ms", number, text, text_bytes);
	/* Whole datagrams; and a short queue, so that latency tells of the way to the disk and back. */
	err = err ? err : penstock_config_set(config, "linger.ms", "2", text, text_bytes);
	err = err ? err : penstock_config_set(config, "buffer.memory", "1048576", text, text_bytes);
	penstock_config_set_delivery(config, on_delivery, sender);
	err = err ? err : penstock_producer_create(config, &sender->producer, text, text_bytes);
	penstock_config_destroy(config);
	return err;
}

static bool
interrupted(const struct sender *sender)
{
	struct pollfd fd = {.fd = sender->interrupt_fd, .events = POLLIN};

	return poll(&fd, 1, 0) > 0;
}

int
sender_send(struct sender *sender, const struct penstock_record_out *record)
{
	int err;

	if (sender->sent == 0) {
		sender->first_ns = cli_now_ns();
	}
	do {
		err = penstock_send_wait(sender->producer, record, SLICE_MS);
	} while ((err == -ETIMEDOUT || err == -EAGAIN) && !interrupted(sender));
	if (err == -ETIMEDOUT || err == -EAGAIN) {
		return -EINTR;
	}
	if (err == 0) {
		sender->sent++;
		sender->sent_bytes += record->key_len + record->value_len;
	}
	return err;
}

int
sender_settle(struct sender *sender, uint32_t wait_ms)
{
	uint64_t until_ns = cli_now_ns() + wait_ms * NS_PER_MS;
	int err;

	do {
		if (interrupted(sender)) {
			return -EINTR;
		}
		err = penstock_flush(sender->producer, wait_ms < SLICE_MS ? wait_ms : SLICE_MS);
	} while (err == -ETIMEDOUT && cli_now_ns() < until_ns);
	if (err == 0) {
		sender->last_ns = cli_now_ns();
	}
	return err;
}

void
sender_close(struct sender *sender)
{
	if (!sender->producer) {
		return;
	}
	if (sender->last_ns == 0) {
		sender->last_ns = cli_now_ns();
	}
	sender->stats.struct_bytes = sizeof(sender->stats);
	penstock_producer_stats(sender->producer, &sender->stats);
	snprintf(sender->status, sizeof(sender->status), "%s", penstock_producer_status(sender->producer));
	(void)penstock_producer_destroy(sender->producer, 0);
	sender->producer = NULL;
}

/* 1234567 -> "1.2 ms" */
static const char *
sender_duration(uint64_t ns, char *text, size_t room)
{
	if (ns < 10 * NS_PER_US) {
		snprintf(text, room, "%.1f us", (double)ns / NS_PER_US);
	} else if (ns < NS_PER_MS) {
		snprintf(text, room, "%.0f us", (double)ns / NS_PER_US);
	} else if (ns < 10 * NS_PER_S) {
		snprintf(text, room, ns < 100 * NS_PER_MS ? "%.1f ms" : "%.0f ms", (double)ns / NS_PER_MS);
	} else {
		snprintf(text, room, "%.1f s", (double)ns / NS_PER_S);
	}
	return text;
}

/* One percentile, or that there are too few samples for it: 100 must lie above. */
static void
print_percentile(const struct sender *sender, FILE *out, const char *name, uint32_t ppm)
{
	char text[32];

	if (sender->latency.count * (1000000 - ppm) / 1000000 < 100) {
		fprintf(out, "  %s -", name);
	} else {
		fprintf(out, "  %s %s", name,
			sender_duration(histogram_percentile(&sender->latency, ppm), text, sizeof(text)));
	}
}

void
sender_print(const struct sender *sender, FILE *out, const char *indent)
{
	double seconds = (double)(sender->last_ns - sender->first_ns) / NS_PER_S;
	uint64_t durable = atomic_load(&sender->durable);
	char count[32];
	char text[32];

	if (sender->sent == 0 || seconds <= 0) {
		return;
	}
	fprintf(out, "%srate         %s records/s, %.1f MB/s of keys and values, in %.2f s\n", indent,
		output_count((uint64_t)((double)durable / seconds), count, sizeof(count)),
		(double)sender->sent_bytes / seconds / 1e6, seconds);
	if (durable == 0) {
		return;
	}
	fprintf(out, "%sack latency", indent);
	print_percentile(sender, out, "p50", 500000);
	print_percentile(sender, out, "p99", 990000);
	print_percentile(sender, out, "p99.9", 999000);
	fprintf(out, "  max %s\n", sender_duration(sender->latency.max, text, sizeof(text)));
}
