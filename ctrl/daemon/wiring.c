/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/wiring.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/ensure.h"
#include "base/log.h"
#include "ctrl/daemon/config.h"
#include "ctrl/daemon/host_facts.h"
#include "ctrl/daemon/host_limits.h"
#include "ctrl/daemon/lcore_plan.h"
#include "ctrl/daemon/log_open.h"
#include "ctrl/daemon/log_recover.h"
#include "ctrl/daemon/ports.h"
#include "ctrl/daemon/telemetry.h"
#include "nic/eal.h"

#define TOPICS_MAX		1024
#define NOTES_RING_COUNT	8192
#define PINS_RING_COUNT		4096
#define CONTROL_RING_COUNT	1024
#define TASK_RING_COUNT		64
#define KEEPER_WAIT_MS		20 /* its timed work and a stop are seen that late at most */

void
wiring_fallback(struct wiring *w, const char *format, ...)
{
	struct engine *e = &w->engine;
	va_list args;

	ensure(e->fallback_count < ARRAY_COUNT(e->fallbacks));
	va_start(args, format);
	vsnprintf(w->fallback_text[e->fallback_count], sizeof(w->fallback_text[0]), format, args);
	va_end(args);
	e->fallbacks[e->fallback_count] = w->fallback_text[e->fallback_count];
	log_warning("daemon", "%s", e->fallbacks[e->fallback_count]);
	e->fallback_count++;
}

/* --- rings -------------------------------------------------------------------------------------- */

static struct waker *
wiring_client_waker(struct wiring *w, uint32_t client)
{
	if (client < w->engine.lane_count) {
		return &w->lane_loop[client]->waker;
	}
	return client == w->control_client ? &w->control_waker : &w->batcher_loop->waker;
}

static int
wiring_log_rings(struct wiring *w, uint32_t client, uint32_t shard)
{
	struct wiring_log_rings *r = &w->log_rings[client][shard];
	struct waker *to_shard = &w->shard_loop[shard]->waker;
	struct waker *to_client = wiring_client_waker(w, client);
	uint32_t slots = CONTROL_RING_COUNT, done_slots = 4 * CONTROL_RING_COUNT;
	int rc;

	if (client < w->engine.lane_count) {
		struct nic *nic = w->engine.nics[client];
		struct nic_caps caps;

		nic->ops->caps(nic, &caps);
		slots = w->config->dataplane_ring_size;
		done_slots = lane_done_slots(slots, &caps);
	}
	rc = ring_create(&r->append_req, slots, sizeof(struct append_req), to_shard);
	rc = rc < 0 ? rc : ring_create(&r->append_done, done_slots, sizeof(struct append_done), to_client);
	rc = rc < 0 ? rc : ring_create(&r->read_req, CONTROL_RING_COUNT, sizeof(struct read_req), to_shard);
	rc = rc < 0 ? rc
		    : ring_create(&r->read_done, CONTROL_RING_COUNT, sizeof(struct read_done), to_client);
	rc = rc < 0 ? rc
		    : ring_create(&r->extent_release, PINS_RING_COUNT, sizeof(struct extent_release),
			      to_shard);
	return rc;
}

static int
wiring_rings(struct wiring *w)
{
	struct engine *e = &w->engine;
	int rc = 0;

	for (uint32_t s = 0; s < e->shard_count && rc == 0; s++) {
		for (uint32_t c = 0; c < w->client_count && rc == 0; c++) {
			rc = wiring_log_rings(w, c, s);
		}
		rc = rc < 0 ? rc
			    : ring_create(&w->commit_notes[s], NOTES_RING_COUNT, sizeof(struct commit_note),
				      &w->batcher_loop->waker);
	}
	for (uint32_t i = 0; i < e->worker_count && rc == 0; i++) {
		rc = ring_create(&w->tasks[i], TASK_RING_COUNT, sizeof(struct window_task),
			&w->worker_loop[i]->waker);
		rc = rc < 0 ? rc
			    : ring_create(&w->dones[i], TASK_RING_COUNT, sizeof(struct window_done),
				      &w->batcher_loop->waker);
	}
	for (uint32_t i = 0; i < e->lane_count && rc == 0; i++) {
		rc = ring_create(&w->control_ask[i], CONTROL_RING_COUNT, sizeof(struct control_ask),
			&w->control_waker);
		rc = rc < 0 ? rc
			    : ring_create(&w->control_answer[i], CONTROL_RING_COUNT,
				      sizeof(struct control_answer), &w->lane_loop[i]->waker);
	}
	return rc;
}

static int
wiring_routes(struct wiring *w)
{
	struct route_table *r = &w->routes;

	r->topics_max = TOPICS_MAX;
	r->partitions_max = w->config->log_partitions_max;
	r->topics = calloc(r->topics_max, sizeof(*r->topics));
	r->partitions = calloc(r->partitions_max, sizeof(*r->partitions));
	w->engine.routes = r;
	return r->topics && r->partitions ? 0 : -ENOMEM;
}

/* --- stages --------------------------------------------------------------------------------------- */

static int
wiring_batcher(struct wiring *w)
{
	struct engine *e = &w->engine;
	struct batcher_options options = {
		.clock = w->clock,
		.routes = &w->routes,
		.client = w->batcher_client,
		.shard_count = e->shard_count,
		.worker_count = e->worker_count,
		.pin_bytes_max = w->config->batcher_pin_bytes ? w->config->batcher_pin_bytes
							       : w->config->log_cache_bytes / 4,
		.answered = &w->control_waker,
	};

	for (uint32_t s = 0; s < e->shard_count; s++) {
		struct wiring_log_rings *r = &w->log_rings[w->batcher_client][s];

		options.commit_notes[s] = &w->commit_notes[s];
		options.read_req[s] = &r->read_req;
		options.read_done[s] = &r->read_done;
		options.extent_release[s] = &r->extent_release;
	}
	for (uint32_t i = 0; i < e->worker_count; i++) {
		int rc = worker_create(&w->tasks[i], &w->dones[i], w->clock, &e->workers[i]);

		if (rc < 0) {
			return rc;
		}
		options.tasks[i] = &w->tasks[i];
		options.dones[i] = &w->dones[i];
		options.workers[i] = e->workers[i];
	}
	return batcher_create(&options, &e->batcher);
}

static int
wiring_broker(struct wiring *w)
{
	struct engine *e = &w->engine;
	const struct config *c = w->config;
	struct broker_options options = {
		.clock = w->clock,
		.rand = &w->rand,
		.store = e->store,
		.routes = &w->routes,
		.client = w->control_client,
		.shard_count = (uint16_t)e->shard_count,
		.lane_count = (uint16_t)e->lane_count,
		.partitions_default = c->broker_num_partitions,
		.auto_create = c->broker_auto_create_topics_enable,
	};

	log_open_topic_defaults(c, &options.topic_defaults);
	for (uint32_t s = 0; s < e->shard_count; s++) {
		struct wiring_log_rings *r = &w->log_rings[w->control_client][s];

		options.append_req[s] = &r->append_req;
		options.append_done[s] = &r->append_done;
		options.read_req[s] = &r->read_req;
		options.read_done[s] = &r->read_done;
		options.extent_release[s] = &r->extent_release;
	}
	for (uint32_t i = 0; i < e->lane_count; i++) {
		options.control_ask[i] = &w->control_ask[i];
		options.control_answer[i] = &w->control_answer[i];
	}
	return broker_create(&options, &e->broker);
}

/* The sums for what is behind the pools, a log line each. */
static void
wiring_show_lane(uint32_t lane, const char *text)
{
	struct log_site site = {0};

	for (const char *at = text; *at;) {
		int len = (int)strcspn(at, "\n");

		log_line(&site, LOG_INFO, "lane", "lane %u: %.*s", lane, len, at);
		at += len + (at[len] == '\n');
	}
}

static int
wiring_lane(struct wiring *w, uint32_t lane, struct wiring_error *error)
{
	struct engine *e = &w->engine;
	const struct config *c = w->config;
	struct lane_options options;
	struct nic_caps caps;
	char text[LANE_TEXT_BYTES];
	int rc;

	lane_options_init(&options);
	e->nics[lane]->ops->caps(e->nics[lane], &caps);
	options.clock = w->clock;
	options.rand = &w->lane_rand[lane];
	options.nic = e->nics[lane];
	options.routes = &w->routes;
	options.secrets = &w->secrets;
	options.lane = (uint16_t)lane;
	options.lane_count = (uint16_t)e->lane_count;
	options.shard_count = (uint16_t)e->shard_count;
	options.native_port_base = (uint16_t)c->native_port;
	memcpy(options.ports, e->lane_ports, sizeof(options.ports));
	options.sessions_max = c->native_sessions_max;
	options.streams_per_session_max = c->native_streams_max;
	options.burst = c->dataplane_burst;
	options.validate_records = c->native_validate == CONFIG_NATIVE_VALIDATE_RECORDS;
	options.idle_timeout_ns = c->native_idle_timeout_ns;
	options.max_datagram = caps.mtu - (uint32_t)NIC_IP4_UDP_BYTES;
	ports_lane_net(w, lane, &options);
	for (uint32_t s = 0; s < e->shard_count; s++) {
		options.append_req[s] = &w->log_rings[lane][s].append_req;
		options.append_done[s] = &w->log_rings[lane][s].append_done;
	}
	options.control_ask = &w->control_ask[lane];
	options.control_answer = &w->control_answer[lane];
	options.log_room = logstore_room(e->store);
	options.memory_max_bytes = host_facts_memory_free("") / (e->lane_count - lane);
	rc = lane_create(&options, &e->lanes[lane], text, sizeof(text));
	if (rc < 0) {
		snprintf(error->text, sizeof(error->text), "error: lane %u cannot start\n  why   %s\n", lane,
			text);
		return rc;
	}
	wiring_show_lane(lane, text);
	return ports_lane_join(w, lane, error);
}

/* Stages have typed functions; the loop calls all of them through these. */
#define POLLER_FUNCTIONS(stage, type)                                                              \
	static uint32_t wiring_##stage##_poll(void *object, uint64_t now_ns)                       \
	{                                                                                          \
		return stage##_poll((type *)object, now_ns);                                       \
	}
#define DEADLINE_FUNCTION(stage, type)                                                             \
	static uint64_t wiring_##stage##_deadline_ns(const void *object)                           \
	{                                                                                          \
		return stage##_deadline_ns((const type *)object);                                  \
	}
POLLER_FUNCTIONS(lane, struct lane)
DEADLINE_FUNCTION(lane, struct lane)

static bool
wiring_lane_arm(void *object)
{
	return lane_arm((struct lane *)object);
}

static void
wiring_lane_disarm(void *object)
{
	lane_disarm((struct lane *)object);
}

POLLER_FUNCTIONS(log_shard, struct log_shard)
DEADLINE_FUNCTION(log_shard, struct log_shard)
POLLER_FUNCTIONS(batcher, struct batcher)
DEADLINE_FUNCTION(batcher, struct batcher)
POLLER_FUNCTIONS(worker, struct worker)

/* A thread that receives into DPDK's pools becomes an lcore, so that its buffers are cached. */
static int
wiring_lane_start(void *object)
{
	(void)object;
	return eal_thread_register();
}

static void
wiring_lane_end(void *object)
{
	(void)object;
	eal_thread_unregister();
}

static int
wiring_log_shard_start(void *object)
{
	return log_shard_start((struct log_shard *)object);
}

/* Lcore loops are filled in the order in which work flows: lanes, log, batcher, workers. */
static void
wiring_pollers(struct wiring *w)
{
	struct engine *e = &w->engine;

	for (uint32_t i = 0; i < e->lane_count; i++) {
		bool dpdk = ports_lane_is_dpdk(w, i);
		struct nic_caps caps;

		e->nics[i]->ops->caps(e->nics[i], &caps);
		lcore_loop_add(w->lane_loop[i],
			&(struct poller){.stage = e->lanes[i],
				.start = dpdk ? wiring_lane_start : NULL,
				.end = dpdk ? wiring_lane_end : NULL,
				.poll = wiring_lane_poll,
				.deadline_ns = wiring_lane_deadline_ns,
				.wait_fd = caps.rx_fd,
				.arm = caps.rx_interrupts ? wiring_lane_arm : NULL,
				.disarm = caps.rx_interrupts ? wiring_lane_disarm : NULL,
				.must_be_polled = caps.rx_fd < 0});
	}
	for (uint32_t i = 0; i < e->shard_count; i++) {
		struct log_shard *shard = logstore_shard(e->store, i);
		/* Asking for the descriptor turns on signals, which cost calls: only for who sleeps on it. */
		bool sleeps = w->shard_loop[i]->policy == IDLE_INTERRUPT;

		e->shard_lcores[i] = (uint32_t)(w->shard_loop[i] - w->loops);
		lcore_loop_add(w->shard_loop[i],
			&(struct poller){.stage = shard,
				.start = wiring_log_shard_start,
				.poll = wiring_log_shard_poll,
				.deadline_ns = wiring_log_shard_deadline_ns,
				.wait_fd = sleeps ? log_shard_wait_fd(shard) : -1});
	}
	e->batcher_lcore = (uint32_t)(w->batcher_loop - w->loops);
	lcore_loop_add(w->batcher_loop,
		&(struct poller){.stage = e->batcher,
			.poll = wiring_batcher_poll,
			.deadline_ns = wiring_batcher_deadline_ns,
			.wait_fd = -1});
	for (uint32_t i = 0; i < e->worker_count; i++) {
		e->worker_lcores[i] = (uint32_t)(w->worker_loop[i] - w->loops);
		lcore_loop_add(w->worker_loop[i],
			&(struct poller){.stage = e->workers[i],
				.poll = wiring_worker_poll,
				.wait_fd = -1});
	}
}

/* --- keeper ---------------------------------------------------------------------------------------- */

static void *
wiring_keeper_run(void *argument)
{
	struct wiring *w = argument;
	struct log_keeper *keeper = logstore_keeper(w->engine.store);
	struct pollfd wait = {.fd = w->keeper_waker.fd, .events = POLLIN};
	sigset_t all;

	/* tap raises real-time signals: only the main thread takes any. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);

	while (!atomic_load_explicit(&w->keeper_stop, memory_order_relaxed)) {
		if (log_keeper_poll(keeper, clock_now_ns(w->clock)) > 0) {
			continue;
		}
		waker_arm(&w->keeper_waker);
		/* Once more after arming: what was offered before the flag went up is seen here. */
		if (log_keeper_poll(keeper, clock_now_ns(w->clock)) == 0) {
			(void)poll(&wait, 1, KEEPER_WAIT_MS);
		}
		waker_awake(&w->keeper_waker);
	}
	return NULL;
}

/* --- start ------------------------------------------------------------------------------------------ */

static int
wiring_no_memory(struct wiring_error *error, const char *what, int rc)
{
	if (rc < 0 && !error->text[0]) {
		snprintf(error->text, sizeof(error->text), "error: %s cannot be set up: %s\n", what,
			strerror(-rc));
	}
	return rc;
}

static void
wiring_lcore_error(const struct wiring *w, uint32_t lcore, int rc, struct wiring_error *error)
{
	const char *role = w->engine.lcores[lcore].role;
	int cpu = w->loops[lcore].cpu;

	if (rc == -EINVAL && cpu >= 0) {
		snprintf(error->text, sizeof(error->text),
			"error: lcore %u (%s) cannot be pinned to CPU %d\n"
			"  why   the cpuset of this process leaves that CPU out\n"
			"  fix   grep Cpus_allowed_list /proc/self/status    then lcores.rx, .log, .batch, .worker of those, or "
			"--set lcores.share=all: not pinned\n",
			lcore, role, cpu);
	} else {
		snprintf(error->text, sizeof(error->text),
			"error: lcore %u (%s) cannot start: %s\n"
			"  why   its stages could not get the descriptors or the memory they asked for\n"
			"  fix   ulimit -n 65536, or LimitNOFILE=65536 in the service\n",
			lcore, role, strerror(-rc));
	}
}

static int
wiring_start_threads(struct wiring *w, struct wiring_error *error)
{
	char name[16];
	int rc;

	for (uint32_t i = 0; i < w->loop_count; i++) {
		rc = lcore_loop_start(&w->loops[i]);
		if (rc < 0) {
			wiring_lcore_error(w, i, rc, error);
			return rc;
		}
		/* As `lcore list` numbers them: for top -H, perf and gdb. */
		snprintf(name, sizeof(name), "lcore-%u", i % ENGINE_LCORES_MAX);
		(void)pthread_setname_np(w->loops[i].thread, name);
	}
	rc = -pthread_create(&w->keeper_thread, NULL, wiring_keeper_run, w);
	w->keeper_running = rc == 0;
	if (w->keeper_running) {
		(void)pthread_setname_np(w->keeper_thread, "keeper");
	}
	return wiring_no_memory(error, "the keeper thread", rc);
}

/* DPDK's own tools read the lanes beside its ports. */
static void
wiring_telemetry(struct wiring *w)
{
	int rc = telemetry_start(&w->engine);

	if (rc < 0) {
		wiring_fallback(w,
			"DPDK's telemetry takes not all of Penstock's commands (%s); the control socket has the same "
			"numbers. fix: penstock ledger, penstock lcore list, penstock producer list",
			strerror(-rc));
	} else {
		log_info("daemon", "telemetry: %s/dpdk_telemetry.v2", eal_runtime_folder());
	}
}

static int
wiring_make_stages(struct wiring *w, struct wiring_error *error)
{
	struct engine *e = &w->engine;
	int rc = ports_open(w, error);

	rc = rc < 0 ? rc : lcore_plan_place(w, error);
	rc = rc < 0 ? rc : wiring_no_memory(error, "the rings", wiring_rings(w));
	rc = rc < 0 ? rc : log_open(w, error);
	rc = rc < 0 ? rc : wiring_no_memory(error, "the broker", wiring_broker(w));
	rc = rc < 0 ? rc : wiring_no_memory(error, "the batcher", wiring_batcher(w));
	for (uint32_t i = 0; rc == 0 && i < e->lane_count; i++) {
		rc = wiring_lane(w, i, error);
	}
	return rc;
}

int
wiring_start(struct wiring *w, const struct config *config, struct wiring_error *error)
{
	struct engine *e = &w->engine;
	int rc;

	error->text[0] = 0;
	w->config = config;
	w->clock = clock_system();
	rand_init_os(&w->rand);
	rand_init_os(&w->keeper_rand);
	for (uint32_t i = 0; i < HANDOFF_LANES_MAX; i++) {
		rand_init_os(&w->lane_rand[i]);
	}
	lane_secrets_init(&w->secrets, NULL, clock_now_ns(w->clock));
	e->config = config;
	e->clock = w->clock;
	e->mode = config->mode == CONFIG_MODE_DEV ? "dev" : "production";
	snprintf(w->instance, sizeof(w->instance), "%08x", (unsigned)rand_u64(&w->rand));
	e->instance = w->instance;
	e->start_wall_ms = clock_wall_ns(w->clock) / NS_PER_MS;
	e->lane_count = ports_lane_count(config);
	e->shard_count = config->log_shards ? config->log_shards
		: config->lcores_log.count  ? config->lcores_log.count
					    : 1;
	e->worker_count = config->batcher_workers ? config->batcher_workers
		: config->lcores_worker.count     ? config->lcores_worker.count
						  : 1;
	w->control_client = (uint16_t)e->lane_count;
	w->batcher_client = (uint16_t)(e->lane_count + 1);
	w->client_count = e->lane_count + 2;
	w->control_waker.fd = w->keeper_waker.fd = -1;
	if (config->profile_fallback) {
		wiring_fallback(w, "profile %s for want of a better one (%s). fix: put `profile: NAME` into the "
				   "configuration, or a profile for this machine into /etc/penstock/profiles",
			config->profile, config->profile_reason);
	}
	host_limits_raise_files();
	rc = host_limits_check_cpus(config, error->text, sizeof(error->text));
	rc = rc < 0 ? rc : wiring_no_memory(error, "control", waker_open(&w->control_waker));
	rc = rc < 0 ? rc : wiring_no_memory(error, "the keeper", waker_open(&w->keeper_waker));
	rc = rc < 0 ? rc : wiring_no_memory(error, "the route table", wiring_routes(w));
	rc = rc < 0 ? rc : wiring_make_stages(w, error);
	if (rc == 0) {
		e->state = ENGINE_RECOVERING;
		rc = wiring_no_memory(error, "the recovery thread", log_recover_begin(w));
	}
	return rc;
}

/* The log is there, or is not: the second half of a start. */
static int
wiring_serve(struct wiring *w, int recovered)
{
	struct wiring_error *error = &w->start_error;
	int rc = wiring_no_memory(error, "the log (recovery failed; nothing was changed)", recovered);

	if (rc == 0) {
		wiring_pollers(w);
		rc = wiring_start_threads(w, error);
	}
	if (rc == 0 && w->ports->eal_started) {
		wiring_telemetry(w);
	}
	w->serving = rc == 0;
	return rc;
}

/* --- run and stop ------------------------------------------------------------------------------------- */

/* The rest of the start, once the log is recovered; until then nothing else runs. */
static uint32_t
wiring_poll_start(struct wiring *w, uint64_t now_ns)
{
	int rc;

	wiring_stop_advance(w, now_ns);
	if (w->engine.state != ENGINE_RECOVERING || w->start_rc < 0 || !log_recover_ended(w, &rc)) {
		return 0;
	}
	w->start_rc = wiring_serve(w, rc);
	return 1;
}

uint32_t
wiring_poll(struct wiring *w, uint64_t now_ns)
{
	struct engine *e = &w->engine;
	struct log_store_info info;
	uint32_t work;

	if (!w->serving) {
		return wiring_poll_start(w, now_ns);
	}
	work = broker_poll(e->broker, now_ns);
	lane_secrets_rotate(&w->secrets, now_ns);
	ports_poll(w, now_ns);
	telemetry_poll(now_ns);
	if (e->state == ENGINE_RECOVERING && broker_state(e->broker) == BROKER_RUNNING) {
		e->state = ENGINE_RUNNING;
	} else if (e->state == ENGINE_RECOVERING && broker_state(e->broker) == BROKER_FAILED) {
		e->state = ENGINE_FAILED;
		snprintf(e->failure, sizeof(e->failure), "%s", broker_failure(e->broker));
	} else if (e->state == ENGINE_RUNNING) {
		logstore_info(e->store, &info);
		if (info.failed) {
			e->state = ENGINE_FAILED;
			snprintf(e->failure, sizeof(e->failure), "%s", info.failed_reason);
			log_error("daemon", "the log failed and takes no more records: %s", e->failure);
		}
	}
	wiring_stop_advance(w, now_ns);
	return work;
}

static void
wiring_destroy_rings(struct wiring *w)
{
	for (uint32_t s = 0; s < HANDOFF_SHARDS_MAX; s++) {
		for (uint32_t c = 0; c < HANDOFF_CLIENTS_MAX; c++) {
			struct wiring_log_rings *r = &w->log_rings[c][s];

			ring_destroy(&r->append_req);
			ring_destroy(&r->append_done);
			ring_destroy(&r->read_req);
			ring_destroy(&r->read_done);
			ring_destroy(&r->extent_release);
		}
		ring_destroy(&w->commit_notes[s]);
	}
	for (uint32_t i = 0; i < HANDOFF_WORKERS_MAX; i++) {
		ring_destroy(&w->tasks[i]);
		ring_destroy(&w->dones[i]);
	}
	for (uint32_t i = 0; i < HANDOFF_LANES_MAX; i++) {
		ring_destroy(&w->control_ask[i]);
		ring_destroy(&w->control_answer[i]);
	}
}

void
wiring_destroy(struct wiring *w)
{
	struct engine *e = &w->engine;

	telemetry_stop();
	log_recover_end(w);
	if (w->keeper_running) {
		atomic_store(&w->keeper_stop, true);
		waker_signal(&w->keeper_waker);
		pthread_join(w->keeper_thread, NULL);
	}
	for (uint32_t i = 0; i < w->loop_count; i++) {
		lcore_loop_stop(&w->loops[i]);
	}
	for (uint32_t i = 0; i < e->lane_count; i++) {
		if (e->lanes[i]) {
			lane_destroy(e->lanes[i]);
		}
	}
	if (e->batcher) {
		batcher_destroy(e->batcher);
	}
	for (uint32_t i = 0; i < e->worker_count; i++) {
		if (e->workers[i]) {
			worker_destroy(e->workers[i]);
		}
	}
	broker_destroy(e->broker);
	log_close(w);
	ports_close(w);
	for (uint32_t i = 0; i < w->loop_count; i++) {
		lcore_loop_fini(&w->loops[i]);
	}
	wiring_destroy_rings(w);
	waker_close(&w->control_waker);
	waker_close(&w->keeper_waker);
	free(w->routes.topics);
	free(w->routes.partitions);
}
