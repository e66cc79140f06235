/* SPDX-License-Identifier: Apache-2.0 */
/* One run of the model (model_run.h). */
#include "model_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/errcode.h"
#include "base/hash.h"
#include "model_client.h"
#include "sim_net.h"
#include "wire/native/session_msg.h"
#include "support/frame_name.h"

#define RUN_CLIENTS_MAX	   4
#define RUN_PARTITIONS_MAX 8
#define RUN_LIMIT_NS	   (600 * NS_PER_S)
#define RUN_STEPS_MAX	   3000000
#define RUN_START_NS	   NS_PER_S
#define RUN_FAULT_EVERY_NS (200 * NS_PER_MS)
#define RUN_PATIENCE_NS	   (120 * NS_PER_S) /* faults are over in seconds: who waits so long must be served */
#define RUN_SETTLE_NS	   (40 * NS_PER_S) /* parked batches of a dead session: idle timeout and a sweep */

enum run_fault {
	RUN_FAULT_NONE,
	RUN_FAULT_CRASH,
	RUN_FAULT_STALL, /* the disk stops for a while */
	RUN_FAULT_PAUSE, /* the network is gone for a while */
	RUN_FAULT_MTU,	 /* large datagrams vanish from now on */
	RUN_FAULT_DRAIN = 7, /* a stop as people ask for it, and a new start */
};

struct run {
	const struct model_run_options *options;
	struct model_run_result *result;
	struct rand rand;	/* the scenario */
	struct rand net_rand;
	struct rand server_rand;
	struct sim_net net;
	struct model_server *server;
	struct model_client clients[RUN_CLIENTS_MAX];
	uint32_t client_count, partition_count, lane_count;
	uint64_t now_ns;
	uint64_t fault_ns;    /* when the next fault comes */
	uint64_t fault_end_ns; /* when the disk goes on; 0: it runs */
	uint32_t faults_left;
	uint32_t fault_mask;
};

static void run_broken(struct run *run, const char *format, ...) PRINTF_LIKE(2, 3);

static void
run_broken(struct run *run, const char *format, ...)
{
	va_list args;

	if (run->result->broken[0] != '\0') {
		return;
	}
	va_start(args, format);
	vsnprintf(run->result->broken, sizeof(run->result->broken), format, args);
	va_end(args);
}

static void run_trace(struct run *run, const char *format, ...) PRINTF_LIKE(2, 3);

static void
run_trace(struct run *run, const char *format, ...)
{
	va_list args;

	if (!run->options->trace) {
		return;
	}
	printf("%12.6f  ", (double)run->now_ns / (double)NS_PER_S);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void
run_trace_ack(struct run *run, const uint8_t *bytes, uint32_t len)
{
	struct session_msg_ack ack;

	if (bytes[3] != FRAME_ACK ||
		session_msg_ack_decode(bytes + FRAME_HEADER_BYTES, len - FRAME_HEADER_BYTES, &ack) < 0) {
		return;
	}
	run_trace(run, "    upto %llu, credit %llu bytes %llu packets, busy %u",
		(unsigned long long)ack.recv_upto, (unsigned long long)ack.credit_bytes,
		(unsigned long long)ack.credit_pkts, ack.busy);
	for (uint32_t i = 0; i < ack.entries; i++) {
		run_trace(run, "    stream %u received %d durable %d at %lld, error %d of %d",
			ack.entry[i].stream, ack.entry[i].received_seq, ack.entry[i].durable_seq,
			(long long)ack.entry[i].durable_offset, ack.entry[i].error,
			ack.entry[i].error_seq);
	}
}

static void
run_trace_data(struct run *run, const uint8_t *bytes, uint32_t len)
{
	struct record_batch batch;

	if (bytes[3] == FRAME_DATA &&
		record_batch_decode(bytes + FRAME_HEADER_BYTES, len - FRAME_HEADER_BYTES, &batch) == 0) {
		run_trace(run, "    producer %lld epoch %d, sequences %d to %d",
			(long long)batch.producer_id, batch.producer_epoch, batch.base_sequence,
			record_batch_last_sequence(&batch));
	}
}

static void
run_trace_packet(struct run *run, const char *what, uint32_t address, const uint8_t *bytes,
	uint32_t len)
{
	if (run->options->trace && len >= FRAME_HEADER_BYTES) {
		run_trace(run, "%s client %u lane %u %-8s pn %llu low -%u stream %u, %u bytes", what,
			address / CLIENT_LANES_MAX, address % CLIENT_LANES_MAX,
			frame_name(bytes[3]), (unsigned long long)load_le64(bytes + 16),
			load_le32(bytes + 24), load_le32(bytes + 28), len);
		run_trace_ack(run, bytes, len);
		run_trace_data(run, bytes, len);
	}
}

/* --- wires ------------------------------------------------------------------------------------- */

static void
run_client_sends(void *user_data, uint32_t address, uint16_t port, const uint8_t *head,
	uint32_t head_len, const uint8_t *body, uint32_t body_len)
{
	struct run *run = user_data;
	uint8_t bytes[CLIENT_DATAGRAM_MAX];

	ensure(head_len + body_len <= sizeof(bytes));
	memcpy(bytes, head, head_len);
	if (body_len > 0) {
		memcpy(bytes + head_len, body, body_len);
	}
	run_trace_packet(run, ">", address, bytes, head_len + body_len);
	sim_net_send(&run->net, &(struct sim_packet){
		.address = address,
		.port = port,
		.to_server = true,
		.len = head_len + body_len,
		.bytes = bytes,
	}, run->now_ns);
}

static void
run_server_sends(void *user_data, uint32_t address, uint16_t port, const uint8_t *bytes,
	uint32_t len)
{
	struct run *run = user_data;

	run_trace_packet(run, "<", address, bytes, len);
	sim_net_send(&run->net, &(struct sim_packet){
		.address = address,
		.port = port,
		.len = len,
		.bytes = (uint8_t *)(uintptr_t)bytes,
	}, run->now_ns);
}

static void
run_deliver(struct run *run)
{
	struct sim_packet packet;

	while (sim_net_take(&run->net, run->now_ns, &packet)) {
		if (packet.to_server) {
			run->server->ops->input(run->server, packet.address, packet.port, packet.bytes,
				packet.len, run->now_ns);
		} else {
			ensure(packet.address / CLIENT_LANES_MAX < run->client_count);
			model_client_input(&run->clients[packet.address / CLIENT_LANES_MAX],
				(uint16_t)(packet.address % CLIENT_LANES_MAX), packet.bytes,
				packet.len, run->now_ns);
		}
		free(packet.bytes);
	}
}

/* --- the scenario ------------------------------------------------------------------------------ */

static uint32_t
run_pick(struct run *run, const uint32_t *values, uint32_t count)
{
	return values[rand_below(&run->rand, count)];
}

static void
run_make_net(struct run *run)
{
	static const uint32_t losses[] = {0, 0, 1000, 10000, 50000, 150000, 300000};
	static const uint32_t rares[] = {0, 0, 1000, 20000, 100000};
	static const uint32_t damages[] = {0, 0, 0, 1000, 10000};
	struct sim_net_options options = {
		.rand = &run->net_rand,
		.loss_ppm = run_pick(run, losses, ARRAY_COUNT(losses)),
		.duplicate_ppm = run_pick(run, rares, ARRAY_COUNT(rares)),
		.reorder_ppm = run_pick(run, rares, ARRAY_COUNT(rares)),
		.corrupt_ppm = run_pick(run, damages, ARRAY_COUNT(damages)),
		.delay_ns = 20 * NS_PER_US + rand_below(&run->rand, 2 * NS_PER_MS),
		.jitter_ns = rand_below(&run->rand, 500 * NS_PER_US) + 1,
	};

	sim_net_init(&run->net, &options);
	run_trace(run, "net: loss %u duplicate %u reorder %u corrupt %u ppm, delay %llu + %llu us",
		options.loss_ppm, options.duplicate_ppm, options.reorder_ppm, options.corrupt_ppm,
		(unsigned long long)(options.delay_ns / NS_PER_US),
		(unsigned long long)(options.jitter_ns / NS_PER_US));
}

static void
run_make_server(struct run *run)
{
	static const uint32_t credits[] = {2, 8, 64, 128};
	struct model_server_options options = {
		.rand = &run->server_rand,
		.send = run_server_sends,
		.user_data = run,
		.lane_count = run->lane_count,
		.shard_count = 1 + (uint32_t)rand_below(&run->rand, 2),
		.partition_count = run->partition_count,
		.credit_packets = run_pick(run, credits, ARRAY_COUNT(credits)),
		.disk_ns = 50 * NS_PER_US + rand_below(&run->rand, 10 * NS_PER_MS),
		.now_ns = run->now_ns,
	};

	run->server = run->options->server(&options);
}

static void
run_make_clients(struct run *run)
{
	static const uint32_t timeouts_s[] = {120, 120, 120, 3};
	uint64_t timeout_ns = run_pick(run, timeouts_s, ARRAY_COUNT(timeouts_s)) * NS_PER_S;

	for (uint32_t i = 0; i < run->client_count; i++) {
		struct model_client_options options = {
			.index = i,
			.record_count = 20 + (uint32_t)rand_below(&run->rand, 280),
			.partition_count = run->partition_count,
			.value_bytes_max = 12 + (uint32_t)rand_below(&run->rand, 900),
			.interval_ns = 1 + rand_below(&run->rand, 4 * NS_PER_MS),
			.linger_ns = rand_below(&run->rand, 3) == 0 ? 2 * NS_PER_MS : 0,
			.delivery_timeout_ns = timeout_ns,
			.seed = rand_u64(&run->rand),
			.named = rand_below(&run->rand, 2) == 0,
			.user_data = run,
			.send = run_client_sends,
		};

		model_client_init(&run->clients[i], &options, run->now_ns);
	}
}

static void
run_make(struct run *run)
{
	rand_init(&run->rand, run->options->seed);
	rand_init(&run->net_rand, run->options->seed ^ 0x6e6574);
	rand_init(&run->server_rand, run->options->seed ^ 0x737276);
	run->now_ns = RUN_START_NS;
	run->client_count = 1 + (uint32_t)rand_below(&run->rand, RUN_CLIENTS_MAX);
	run->partition_count = 1 + (uint32_t)rand_below(&run->rand, RUN_PARTITIONS_MAX);
	run->lane_count = 1 + (uint32_t)rand_below(&run->rand, 3);
	run_make_net(run);
	run_make_server(run);
	run_make_clients(run);
	run->faults_left = rand_below(&run->rand, 5) == 0 ? 0 : 1 + (uint32_t)rand_below(&run->rand, 6);
	run->fault_ns = run->now_ns + rand_below(&run->rand, RUN_FAULT_EVERY_NS);
	run_trace(run, "server %s: %u lanes, %u partitions, %u clients, %u faults",
		run->server->ops->name, run->lane_count, run->partition_count, run->client_count,
		run->faults_left);
}

static void
run_fault(struct run *run)
{
	uint64_t pause_ns = rand_below(&run->rand, 2 * NS_PER_S);

	if (run->fault_end_ns != 0 && run->fault_end_ns <= run->now_ns) {
		run->fault_end_ns = 0;
		run->server->ops->disk(run->server, true);
		run_trace(run, "the disk goes on");
	}
	if (run->faults_left == 0 || run->fault_ns > run->now_ns) {
		return;
	}
	run->faults_left--;
	run->fault_ns = run->now_ns + rand_below(&run->rand, RUN_FAULT_EVERY_NS);
	switch (1 + rand_below(&run->rand, 8)) {
	case RUN_FAULT_CRASH:
	case 5:
	case 6:
		run_trace(run, "crash and restart");
		run->result->crashes++;
		if (rand_below(&run->rand, 2) == 0) {
			run->net.dead_until_ns = run->now_ns + pause_ns / 4;
		}
		run->server->ops->crash(run->server, run->now_ns);
		break;
	case RUN_FAULT_STALL:
		run_trace(run, "the disk stops for %llu ms", (unsigned long long)(pause_ns / NS_PER_MS));
		run->result->stalls++;
		run->server->ops->disk(run->server, false);
		run->fault_end_ns = run->now_ns + pause_ns;
		break;
	case RUN_FAULT_PAUSE:
		run_trace(run, "the network is gone for %llu ms",
			(unsigned long long)(pause_ns / NS_PER_MS));
		run->result->pauses++;
		run->net.dead_until_ns = run->now_ns + pause_ns;
		break;
	case RUN_FAULT_MTU:
		run_trace(run, "datagrams above 1200 bytes vanish");
		run->net.mtu = 1200;
		break;
	case RUN_FAULT_DRAIN:
		run_trace(run, "stop and restart");
		run->result->drains++;
		run->server->ops->drain(run->server, run->now_ns);
		break;
	default:
		break;
	}
}

/* --- the end ----------------------------------------------------------------------------------- */

struct run_log {
	struct run *run;
	uint32_t partition;
	int64_t offset;
	int64_t last[RUN_CLIENTS_MAX]; /* number of the client's last record there, -1 none */
};

static struct model_record *
run_find(struct model_client *client, uint32_t partition, uint32_t number)
{
	for (uint32_t i = 0; i < client->options.record_count; i++) {
		struct model_record *record = &client->records[i];

		if (record->partition == partition && record->number == number) {
			return record;
		}
	}
	return NULL;
}

static void
run_check_record(struct run_log *log, const struct record_view *view)
{
	struct run *run = log->run;
	uint8_t value[MODEL_VALUE_MAX];

	if (view->value_len < 12 || view->value_len > MODEL_VALUE_MAX) {
		run_broken(run, "partition %u offset %lld: a record nobody sent", log->partition,
			(long long)log->offset);
		return;
	}
	uint32_t client = load_le32(view->value), number = load_le32(view->value + 8);

	if (client >= run->client_count || load_le32(view->value + 4) != log->partition) {
		run_broken(run, "partition %u offset %lld: a record of somewhere else", log->partition,
			(long long)log->offset);
		return;
	}
	model_client_value(client, log->partition, number, value, (uint32_t)view->value_len);
	struct model_record *record = run_find(&run->clients[client], log->partition, number);

	if (!record || record->value_bytes != (uint32_t)view->value_len ||
		memcmp(value, view->value, (size_t)view->value_len) != 0) {
		run_broken(run, "partition %u offset %lld: content differs", log->partition,
			(long long)log->offset);
		return;
	}
	if (number <= log->last[client]) {
		run_broken(run, "partition %u offset %lld: client %u number %u %s after %lld",
			log->partition, (long long)log->offset, client, number,
			record->found_offset >= 0 ? "twice," : "out of order,",
			(long long)log->last[client]);
	}
	log->last[client] = number;
	record->found_offset = log->offset;
}

static void
run_check_batch(void *user_data, const uint8_t *bytes, uint32_t len)
{
	struct run_log *log = user_data;
	struct record_iterator it;
	struct record_view view;
	int rc;

	if (record_iterator_init(&it, bytes, len) < 0 ||
		record_batch_crc(bytes, len) != it.batch.crc) {
		run_broken(log->run, "partition %u offset %lld: damaged batch", log->partition,
			(long long)log->offset);
		return;
	}
	while ((rc = record_iterator_next(&it, &view)) == 1) {
		run_check_record(log, &view);
		log->offset++;
	}
	if (rc < 0) {
		run_broken(log->run, "partition %u offset %lld: damaged record", log->partition,
			(long long)log->offset);
	}
}

static void
run_check_client(struct run *run, struct model_client *client)
{
	for (uint32_t i = 0; i < client->options.record_count; i++) {
		const struct model_record *record = &client->records[i];
		uint64_t words[] = {client->options.index, record->partition, record->number,
			record->fate, (uint64_t)record->offset, (uint64_t)record->found_offset};
		static const uint8_t key[16] = {1};

		run->result->hash ^= hash_siphash24(key, words, sizeof(words));
		if (record->fate == MODEL_PENDING || record->fate == MODEL_UNSENT) {
			run_broken(run, "client %u: record %u of %u was never told its fate",
				client->options.index, record->number, record->partition);
		}
		if (record->fate == MODEL_FAILED && record->error == KAFKA_REQUEST_TIMED_OUT &&
			client->options.delivery_timeout_ns >= RUN_PATIENCE_NS) {
			run_broken(run, "client %u: record %u of %u timed out long after the last fault",
				client->options.index, record->number, record->partition);
		}
		if (record->fate != MODEL_DURABLE) {
			continue;
		}
		if (record->found_offset < 0) {
			run_broken(run, "client %u: record %u of %u was durable and is not in the log",
				client->options.index, record->number, record->partition);
		} else if (record->offset >= 0 && record->offset != record->found_offset) {
			run_broken(run, "client %u: record %u of %u was told offset %lld, is at %lld",
				client->options.index, record->number, record->partition,
				(long long)record->offset, (long long)record->found_offset);
		}
	}
	if (client->broken[0] != '\0') {
		run_broken(run, "%s", client->broken);
	}
}

static void
run_check(struct run *run)
{
	for (uint32_t p = 0; p < run->partition_count; p++) {
		struct run_log log = {.run = run, .partition = p};

		for (uint32_t i = 0; i < RUN_CLIENTS_MAX; i++) {
			log.last[i] = -1;
		}
		run->server->ops->visit(run->server, p, run_check_batch, &log);
	}
	for (uint32_t i = 0; i < run->client_count; i++) {
		run_check_client(run, &run->clients[i]);
		run->result->records += run->clients[i].options.record_count;
		run->result->durable += run->clients[i].durable;
		run->result->failed += run->clients[i].failed;
	}
}

static bool
run_done(struct run *run)
{
	for (uint32_t i = 0; i < run->client_count; i++) {
		if (!model_client_done(&run->clients[i])) {
			return false;
		}
	}
	return run->fault_end_ns == 0;
}

static void
run_stuck(struct run *run)
{
	for (uint32_t i = 0; i < run->client_count; i++) {
		struct model_client *client = &run->clients[i];

		if (!model_client_done(client)) {
			run_broken(run, "stuck: client %u sent %u of %u, %u pending (%s)", i,
				client->next, client->options.record_count, client->pending,
				client_core_status(client->core));
		}
	}
	run_broken(run, "stuck");
}

/* One instant: everybody acts, then time moves to the next deadline. */
static void
run_step(struct run *run)
{
	uint64_t next_ns = UINT64_MAX;

	run_fault(run);
	run_deliver(run);
	uint64_t at_ns = run->server->ops->poll(run->server, run->now_ns);

	next_ns = at_ns;
	for (uint32_t i = 0; i < run->client_count; i++) {
		at_ns = model_client_poll(&run->clients[i], run->now_ns);
		next_ns = at_ns < next_ns ? at_ns : next_ns;
		if (run->clients[i].broken[0] != '\0') {
			run_broken(run, "%s", run->clients[i].broken);
		}
	}
	at_ns = sim_net_deadline_ns(&run->net);
	next_ns = at_ns < next_ns ? at_ns : next_ns;
	if (run->faults_left > 0 && run->fault_ns < next_ns) {
		next_ns = run->fault_ns;
	}
	if (run->fault_end_ns != 0 && run->fault_end_ns < next_ns) {
		next_ns = run->fault_end_ns;
	}
	/* Clocks have a grain: this also ends what would be a loop without time passing. */
	run->now_ns = next_ns > run->now_ns + NS_PER_US ? next_ns : run->now_ns + NS_PER_US;
	run->result->steps++;
}

/* The clients are done: the server must come to rest with everything given back. */
static void
run_settle(struct run *run)
{
	uint64_t until_ns = run->now_ns + RUN_SETTLE_NS;

	sim_net_drop_all(&run->net);
	while (run->now_ns < until_ns) {
		uint64_t at_ns = run->server->ops->poll(run->server, run->now_ns);

		if (run->server->ops->quiet(run->server)) {
			return;
		}
		run->now_ns = at_ns > run->now_ns + NS_PER_US && at_ns < until_ns
				      ? at_ns
				      : run->now_ns + NS_PER_MS;
	}
	run_broken(run, "the server does not come to rest");
}

void
model_run(const struct model_run_options *options, struct model_run_result *ret_result)
{
	struct run *run = calloc(1, sizeof(*run));
	const char *broken;

	ensure(run);
	*ret_result = (struct model_run_result){0};
	run->options = options;
	run->result = ret_result;
	run_make(run);
	while (!run_done(run) && ret_result->broken[0] == '\0') {
		if (run->now_ns > RUN_LIMIT_NS || ret_result->steps > RUN_STEPS_MAX) {
			run_stuck(run);
			break;
		}
		run_step(run);
		broken = run->server->ops->broken(run->server, false);
		if (broken) {
			run_broken(run, "%s", broken);
		}
	}
	if (ret_result->broken[0] == '\0') {
		run_settle(run);
		run_check(run);
		broken = run->server->ops->broken(run->server, true);
		if (broken) {
			run_broken(run, "%s", broken);
		}
	}
	ret_result->datagrams = run->net.sent;
	ret_result->lost = run->net.lost;
	ret_result->duplicated = run->net.duplicated;
	ret_result->reordered = run->net.reordered;
	ret_result->corrupted = run->net.corrupted;
	ret_result->virtual_ns = run->now_ns - RUN_START_NS;
	for (uint32_t i = 0; i < run->client_count; i++) {
		model_client_fini(&run->clients[i]);
	}
	run->server->ops->destroy(run->server);
	sim_net_fini(&run->net);
	free(run);
}
