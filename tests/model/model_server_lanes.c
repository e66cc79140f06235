/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real data plane as the model's server: lanes on fake queues, a model control thread, and log
 * shards (model_log.h) behind real rings, all stepped in one thread. After every turn the drop ledger
 * must add up; a crash throws away lanes, queues and rings and keeps what metadata and the disk have.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "dataplane.h"
#include "model_control.h"
#include "model_log.h"
#include "model_server.h"
#include "support/clock_fake.h"
#include "support/nic_fake.h"

#define LANES_WALL_NS	    (1700000000ull * NS_PER_S)
#define LANES_APPEND_SLOTS  64
#define LANES_DONE_SLOTS    4096
#define LANES_CONTROL_SLOTS 64
#define LANES_ROUNDS_MAX    8
#define LANES_PEER_PORT	    40000
#define LANES_DOWN_MIN_NS   (2 * NS_PER_MS)
#define LANES_DOWN_MORE_NS  (200 * NS_PER_MS)
#define LANES_SETUP_NS	    (NS_PER_S / 2) /* virtual time in which the topic is made */

struct lanes_port {
	struct lane *lane;
	struct nic *nic;
	struct ring append_req[MODEL_SHARDS_MAX], append_done[MODEL_SHARDS_MAX];
	struct ring control_ask, control_answer;
	struct rand rand;
};

struct server_lanes {
	struct model_server server;
	struct model_server_options options;
	struct clock_fake clock;
	struct lane_secrets secrets;
	struct route_topic topic;
	struct route_partition *partitions;
	struct route_table routes;
	struct model_control control;
	struct model_log *log;
	struct lanes_port ports[MODEL_LANES_MAX];
	uint64_t up_ns; /* crashed: when it is up again; 0: it runs */
	bool draining;
	char broken[256];
};

static struct server_lanes *
lanes_of(struct model_server *server)
{
	return CONTAINER_OF(server, struct server_lanes, server);
}

/* --- life -------------------------------------------------------------------------------------- */

static void
lanes_routes(struct server_lanes *s)
{
	s->topic = (struct route_topic){
		.partition_count = s->options.partition_count,
		.max_message_bytes = 1048588,
		.metadata_version = 1,
		.timestamp_before_max_ms = INT64_MAX,
		.timestamp_after_max_ms = INT64_MAX / 2,
		.name_len = (uint8_t)strlen(MODEL_TOPIC),
		.name = MODEL_TOPIC,
		.topic_id = {7},
	};
	atomic_store(&s->topic.state, ROUTE_OPEN);
	for (uint32_t p = 0; p < s->options.partition_count; p++) {
		struct route_partition *partition =
			&s->partitions[s->log->ops->partition_index(s->log, p)];

		*partition = (struct route_partition){
			.partition = p,
			.shard = (uint16_t)s->log->ops->shard_of(s->log, p),
			.lane = (uint16_t)(p % s->options.lane_count),
			.flags = ROUTE_WRITABLE,
		};
		atomic_store(&partition->state, ROUTE_OPEN);
	}
	s->routes = (struct route_table){
		.topics = &s->topic,
		.partitions = s->partitions,
		.topics_max = 1,
		.partitions_max = s->options.partition_count,
		.topic_count = 1,
		.partition_count = s->options.partition_count,
	};
}

static void
lanes_make_rings(struct server_lanes *s, uint16_t index)
{
	struct lanes_port *port = &s->ports[index];

	for (uint32_t shard = 0; shard < s->options.shard_count; shard++) {
		ensure(ring_create(&port->append_req[shard], LANES_APPEND_SLOTS,
			       sizeof(struct append_req), NULL) == 0);
		ensure(ring_create(&port->append_done[shard], LANES_DONE_SLOTS,
			       sizeof(struct append_done), NULL) == 0);
		s->log->ops->attach(s->log, index, shard, &port->append_req[shard],
			&port->append_done[shard]);
	}
	ensure(ring_create(&port->control_ask, LANES_CONTROL_SLOTS, sizeof(struct control_ask),
		       NULL) == 0);
	ensure(ring_create(&port->control_answer, LANES_CONTROL_SLOTS,
		       sizeof(struct control_answer), NULL) == 0);
}

static void
lanes_make_lane(struct server_lanes *s, uint16_t index)
{
	struct lanes_port *port = &s->ports[index];
	struct lane_options options;
	char text[LANE_TEXT_BYTES] = "";

	rand_init(&port->rand, rand_u64(s->options.rand));
	lane_options_init(&options);
	options.clock = &s->clock.clock;
	options.rand = &port->rand;
	options.nic = port->nic;
	options.routes = &s->routes;
	options.secrets = &s->secrets;
	options.lane = index;
	options.lane_count = (uint16_t)s->options.lane_count;
	options.shard_count = (uint16_t)s->options.shard_count;
	options.native_port_base = MODEL_PORT;
	options.sessions_max = 64;
	options.streams_per_session_max = 16;
	options.validate_records = index % 2 == 1;
	for (uint32_t shard = 0; shard < s->options.shard_count; shard++) {
		options.append_req[shard] = &port->append_req[shard];
		options.append_done[shard] = &port->append_done[shard];
	}
	options.control_ask = &port->control_ask;
	options.control_answer = &port->control_answer;
	options.log_room = s->log->ops->room(s->log);
	if (lane_create(&options, &port->lane, text, sizeof(text)) < 0) {
		fprintf(stderr, "lane_create: %s\n", text);
		abort();
	}
}

static void
lanes_up(struct server_lanes *s, uint64_t now_ns)
{
	lane_secrets_init(&s->secrets, s->options.rand, now_ns);
	for (uint16_t i = 0; i < s->options.lane_count; i++) {
		struct nic_fake_options nic;

		nic_fake_options_init(&nic);
		s->ports[i].nic = nic_fake_create(&nic);
		ensure(s->ports[i].nic);
		lanes_make_rings(s, i);
	}
	s->log->ops->start(s->log, now_ns);
	lanes_routes(s);
	for (uint16_t i = 0; i < s->options.lane_count; i++) {
		lanes_make_lane(s, i);
	}
}

static void
lanes_down(struct server_lanes *s)
{
	for (uint16_t i = 0; i < s->options.lane_count; i++) {
		struct lanes_port *port = &s->ports[i];

		lane_destroy(port->lane);
		port->nic->ops->destroy(port->nic);
		for (uint32_t shard = 0; shard < s->options.shard_count; shard++) {
			ring_destroy(&port->append_req[shard]);
			ring_destroy(&port->append_done[shard]);
		}
		ring_destroy(&port->control_ask);
		ring_destroy(&port->control_answer);
	}
}

static void
lanes_crash(struct model_server *server, uint64_t now_ns)
{
	struct server_lanes *s = lanes_of(server);

	if (s->up_ns != 0) {
		return;
	}
	s->draining = false;
	s->log->ops->crash(s->log, now_ns);
	model_control_crash(&s->control);
	lanes_down(s);
	/* Late writes of a killed process land, and clients notice. */
	s->up_ns = now_ns + LANES_DOWN_MIN_NS + rand_below(s->options.rand, LANES_DOWN_MORE_NS);
}

static void
lanes_drain(struct model_server *server, uint64_t now_ns)
{
	struct server_lanes *s = lanes_of(server);

	(void)now_ns;
	for (uint16_t i = 0; s->up_ns == 0 && i < s->options.lane_count; i++) {
		lane_drain_begin(s->ports[i].lane);
		s->draining = true;
	}
}

/* A daemon waits for all its lanes, then it is gone. True: it is. */
static bool
lanes_drained(struct server_lanes *s, uint64_t now_ns)
{
	if (!s->draining) {
		return false;
	}
	for (uint16_t i = 0; i < s->options.lane_count; i++) {
		if (!lane_drained(s->ports[i].lane)) {
			return false;
		}
	}
	lanes_crash(&s->server, now_ns);
	return true;
}

/* --- a turn ------------------------------------------------------------------------------------ */

static void
lanes_clock(struct server_lanes *s, uint64_t now_ns)
{
	if (now_ns > clock_now_ns(&s->clock.clock)) {
		clock_fake_advance(&s->clock, now_ns - clock_now_ns(&s->clock.clock));
	}
}

static void
lanes_input(struct model_server *server, uint32_t address, uint16_t port, const uint8_t *bytes,
	uint32_t len, uint64_t now_ns)
{
	struct server_lanes *s = lanes_of(server);
	uint16_t lane = (uint16_t)(port - MODEL_PORT);
	struct nic_fake_packet packet = {
		.data = bytes,
		.len = len,
		.rx_time_ns = now_ns,
		.peer = {
			.address = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1},
			.port = (uint16_t)(LANES_PEER_PORT + address),
			.local_port = port,
		},
	};

	lanes_clock(s, now_ns);
	if (lane < s->options.lane_count && s->up_ns == 0) {
		/* A full queue loses it, as a NIC does. */
		(void)nic_fake_put(s->ports[lane].nic, &packet);
	}
}

static void
lanes_check_ledger(struct server_lanes *s, uint16_t index)
{
	static struct ledger_equation equations[LEDGER_EQUATIONS_MAX];
	struct lanes_port *port = &s->ports[index];
	uint64_t values[LANE_COUNTER_COUNT];
	struct nic_stats stats;
	struct nic_caps caps;

	lane_counters(port->lane, values);
	port->nic->ops->stats(port->nic, &stats);
	port->nic->ops->caps(port->nic, &caps);
	uint32_t n = ledger_equations(values, &stats, &caps, equations);

	for (uint32_t i = 0; i < n && s->broken[0] == '\0'; i++) {
		if (equations[i].visible && equations[i].difference != 0) {
			snprintf(s->broken, sizeof(s->broken), "lane %u: %s differs by %lld", index,
				equations[i].name, (long long)equations[i].difference);
		}
	}
	for (uint32_t p = 0; p < s->routes.partitions_max; p++) {
		uint64_t records[1][LANE_FATE_COUNT];

		lane_partition_records(port->lane, p, records[0]);
		if (ledger_partition_astray(records, 1, records[0][LANE_FATE_STORED]) > 0) {
			snprintf(s->broken, sizeof(s->broken), "lane %u: partition %u does not add up", index, p);
		}
	}
	if (values[LANE_owners_held] != port->nic->ops->owners_out(port->nic)) {
		snprintf(s->broken, sizeof(s->broken), "lane %u: holds %llu buffers, %u are out", index,
			(unsigned long long)values[LANE_owners_held],
			port->nic->ops->owners_out(port->nic));
	}
	if (values[LANE_credit_exceeded] > 0 || values[LANE_violations] > 0) {
		snprintf(s->broken, sizeof(s->broken),
			"lane %u: credit exceeded %llu times, %llu violations", index,
			(unsigned long long)values[LANE_credit_exceeded],
			(unsigned long long)values[LANE_violations]);
	}
}

static uint32_t
lanes_send(struct server_lanes *s, uint16_t index)
{
	struct nic_fake_packet packet;
	uint32_t sent = 0;

	while (nic_fake_take(s->ports[index].nic, &packet)) {
		s->options.send(s->options.user_data, packet.peer.port - LANES_PEER_PORT,
			(uint16_t)(MODEL_PORT + index), packet.data, packet.len);
		sent++;
	}
	return sent;
}

static uint64_t
lanes_round(struct server_lanes *s, uint64_t now_ns, uint32_t *work)
{
	uint64_t deadline_ns = UINT64_MAX;

	for (uint16_t i = 0; i < s->options.lane_count; i++) {
		struct lanes_port *port = &s->ports[i];

		model_control_take(&s->control, i, &port->control_ask, now_ns);
		uint64_t at_ns =
			model_control_give(&s->control, i, &port->control_answer, now_ns);

		deadline_ns = at_ns < deadline_ns ? at_ns : deadline_ns;
		*work += lane_poll(port->lane, now_ns);
		*work += lanes_send(s, i);
		lanes_check_ledger(s, i);
		at_ns = lane_deadline_ns(port->lane);
		deadline_ns = at_ns < deadline_ns ? at_ns : deadline_ns;
	}
	uint64_t at_ns = s->log->ops->poll(s->log, now_ns, work);

	return at_ns < deadline_ns ? at_ns : deadline_ns;
}

static uint64_t
lanes_poll(struct model_server *server, uint64_t now_ns)
{
	struct server_lanes *s = lanes_of(server);
	uint64_t deadline_ns = UINT64_MAX;

	lanes_clock(s, now_ns);
	if (s->up_ns > now_ns) {
		return s->up_ns;
	}
	if (s->up_ns != 0) {
		s->up_ns = 0;
		lanes_up(s, now_ns);
	}
	for (uint32_t i = 0; i < LANES_ROUNDS_MAX; i++) {
		uint32_t work = 0;

		deadline_ns = lanes_round(s, now_ns, &work);
		if (lanes_drained(s, now_ns)) {
			return s->up_ns;
		}
		if (work == 0) {
			return deadline_ns;
		}
	}
	return now_ns;
}

/* --- questions --------------------------------------------------------------------------------- */

static void
lanes_disk(struct model_server *server, bool running)
{
	struct server_lanes *s = lanes_of(server);

	s->log->ops->disk(s->log, running);
}

static bool
lanes_quiet(struct model_server *server)
{
	struct server_lanes *s = lanes_of(server);

	if (s->up_ns != 0) {
		return false;
	}
	for (uint16_t i = 0; i < s->options.lane_count; i++) {
		struct lanes_port *port = &s->ports[i];
		uint64_t values[LANE_COUNTER_COUNT];

		lane_counters(port->lane, values);
		if (values[LANE_hold] > 0 || values[LANE_owners_held] > 0) {
			return false;
		}
		for (uint32_t shard = 0; shard < s->options.shard_count; shard++) {
			if (ring_used(&port->append_req[shard]) > 0 ||
				ring_used(&port->append_done[shard]) > 0) {
				return false;
			}
		}
	}
	return s->log->ops->quiet(s->log);
}

static void
lanes_visit(struct model_server *server, uint32_t partition, model_visit_fn fn, void *user_data)
{
	struct server_lanes *s = lanes_of(server);

	s->log->ops->visit(s->log, partition, fn, user_data);
}

static const char *
lanes_broken(struct model_server *server, bool at_end)
{
	struct server_lanes *s = lanes_of(server);

	return s->broken[0] != '\0' ? s->broken : s->log->ops->broken(s->log);
}

static void
lanes_destroy(struct model_server *server)
{
	struct server_lanes *s = lanes_of(server);

	if (s->up_ns == 0) {
		lanes_down(s);
	}
	s->log->ops->destroy(s->log);
	free(s->partitions);
	free(s);
}

static const struct model_server_ops lanes_ops = {
	.name = "lanes",
	.input = lanes_input,
	.poll = lanes_poll,
	.crash = lanes_crash,
	.drain = lanes_drain,
	.disk = lanes_disk,
	.quiet = lanes_quiet,
	.visit = lanes_visit,
	.broken = lanes_broken,
	.destroy = lanes_destroy,
};

static void
lanes_advance(void *user_data, uint64_t duration_ns)
{
	struct server_lanes *s = user_data;

	clock_fake_advance(&s->clock, duration_ns);
}

static struct model_server *
lanes_create(const struct model_server_options *options,
	struct model_log *(*make_log)(const struct model_log_options *options))
{
	struct server_lanes *s = calloc(1, sizeof(*s));
	struct model_log_options log = {
		.rand = options->rand,
		.lane_count = options->lane_count,
		.shard_count = options->shard_count,
		.partition_count = options->partition_count,
		.disk_ns = options->disk_ns,
		.clock = &s->clock.clock,
		.advance = lanes_advance,
		.advance_data = s,
	};

	ensure(s);
	ensure(options->lane_count <= MODEL_LANES_MAX);
	ensure(options->shard_count <= MODEL_SHARDS_MAX);
	s->server.ops = &lanes_ops;
	s->options = *options;
	ensure(options->now_ns > LANES_SETUP_NS);
	clock_fake_init(&s->clock, options->now_ns - LANES_SETUP_NS, LANES_WALL_NS);
	rand_fill(options->rand, s->secrets.reset_key, sizeof(s->secrets.reset_key));
	s->partitions = calloc(options->partition_count, sizeof(*s->partitions));
	ensure(s->partitions);
	s->control.rand = options->rand;
	s->control.topic = MODEL_TOPIC;
	s->control.lane_count = (uint16_t)options->lane_count;
	s->log = make_log(&log);
	lanes_up(s, options->now_ns);
	if (clock_now_ns(&s->clock.clock) > options->now_ns) {
		snprintf(s->broken, sizeof(s->broken), "making the topic took too long");
	}
	return &s->server;
}

struct model_server *
model_server_lanes(const struct model_server_options *options)
{
	return lanes_create(options, model_log_memory);
}

struct model_server *
model_server_pipeline(const struct model_server_options *options)
{
	return lanes_create(options, model_log_store);
}
