/* SPDX-License-Identifier: Apache-2.0 */
/* The reference server as the model's server. */
#include <stdio.h>
#include <stdlib.h>
#include "base/compiler.h"
#include "base/bytes.h"
#include "base/ensure.h"
#include "model_server.h"
#include "native_server.h"

#define REFERENCE_DRAIN_MS 400

struct server_reference {
	struct model_server server;
	struct model_server_options options;
	struct native_server *native;
	uint64_t stop_ns; /* draining: when it stops; 0: it does not */
	char text[128];
};

static void
reference_send(void *user_data, uint32_t address, uint16_t lane, const uint8_t *bytes, uint32_t len)
{
	struct server_reference *r = user_data;

	r->options.send(r->options.user_data, address, (uint16_t)(MODEL_PORT + lane), bytes, len);
}

static void
reference_input(struct model_server *server, uint32_t address, uint16_t port, const uint8_t *bytes,
	uint32_t len, uint64_t now_ns)
{
	struct server_reference *r = CONTAINER_OF(server, struct server_reference, server);

	native_server_input(r->native, address, port, bytes, len, now_ns);
}

static void
reference_crash(struct model_server *server, uint64_t now_ns)
{
	struct server_reference *r = CONTAINER_OF(server, struct server_reference, server);

	native_server_crash(r->native);
	r->stop_ns = 0;
}

static uint64_t
reference_poll(struct model_server *server, uint64_t now_ns)
{
	struct server_reference *r = CONTAINER_OF(server, struct server_reference, server);

	if (r->stop_ns != 0 && r->stop_ns <= now_ns) {
		reference_crash(server, now_ns);
	}
	uint64_t deadline_ns = native_server_poll(r->native, now_ns);

	return r->stop_ns != 0 && r->stop_ns < deadline_ns ? r->stop_ns : deadline_ns;
}

static void
reference_drain(struct model_server *server, uint64_t now_ns)
{
	struct server_reference *r = CONTAINER_OF(server, struct server_reference, server);

	native_server_drain(r->native, REFERENCE_DRAIN_MS);
	r->stop_ns = now_ns + REFERENCE_DRAIN_MS * NS_PER_MS;
}

static void
reference_disk(struct model_server *server, bool running)
{
	struct server_reference *r = CONTAINER_OF(server, struct server_reference, server);

	native_server_disk(r->native, running);
}

static bool
reference_quiet(struct model_server *server)
{
	return true;
}

static void
reference_visit(struct model_server *server, uint32_t partition, model_visit_fn fn, void *user_data)
{
	struct server_reference *r = CONTAINER_OF(server, struct server_reference, server);

	for (uint32_t i = 0; i < native_server_stored_count(r->native, partition); i++) {
		struct native_server_stored stored;

		native_server_stored(r->native, partition, i, &stored);
		fn(user_data, stored.batch, stored.len);
	}
}

static const char *
reference_broken(struct model_server *server, bool at_end)
{
	struct server_reference *r = CONTAINER_OF(server, struct server_reference, server);
	struct native_server_counts counts;

	native_server_counts(r->native, &counts);
	if (counts.credit_exceeded > 0 || counts.violations > 0) {
		snprintf(r->text, sizeof(r->text), "credit exceeded %llu times, %llu violations",
			(unsigned long long)counts.credit_exceeded,
			(unsigned long long)counts.violations);
		return r->text;
	}
	return NULL;
}

static void
reference_destroy(struct model_server *server)
{
	struct server_reference *r = CONTAINER_OF(server, struct server_reference, server);

	native_server_destroy(r->native);
	free(r);
}

static const struct model_server_ops reference_ops = {
	.name = "reference",
	.input = reference_input,
	.poll = reference_poll,
	.crash = reference_crash,
	.drain = reference_drain,
	.disk = reference_disk,
	.quiet = reference_quiet,
	.visit = reference_visit,
	.broken = reference_broken,
	.destroy = reference_destroy,
};

struct model_server *
model_server_reference(const struct model_server_options *options)
{
	struct server_reference *r = calloc(1, sizeof(*r));
	struct native_server_options native;

	ensure(r);
	r->server.ops = &reference_ops;
	r->options = *options;
	native_server_options_init(&native);
	native.rand = options->rand;
	native.user_data = r;
	native.send = reference_send;
	native.lane_count = (uint16_t)options->lane_count;
	native.credit_packets = options->credit_packets;
	native.disk_ns = options->disk_ns;
	r->native = native_server_create(&native);
	native_server_topic(r->native, MODEL_TOPIC, options->partition_count);
	return &r->server;
}
