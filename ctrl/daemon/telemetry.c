/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands run on threads that DPDK makes, one a connection: they read what lanes and lcore
 * loops publish and take no lock, ask no lcore and call no port. What only a driver can tell, the
 * ledger's E1 and E2, is copied once a second by the control thread together with the lane's
 * counters of that moment, so that an equation never mixes two moments.
 *
 * DPDK 22.11 cuts an answer off at 16 KiB and a string at 128 bytes, and writes bytes outside ASCII
 * as no JSON at all: answers come in pages that fit at their largest, and strings are cleaned.
 * tests/system/telemetry_pages_test.c asks for the largest of each.
 */
#include "ctrl/daemon/telemetry.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <rte_telemetry.h>
#include "ctrl/methods/peer_text.h"

#define SNAPSHOT_EVERY_NS NS_PER_S
#define STOP_LOOK_NS	  (100 * NS_PER_US)
#define SESSIONS_A_PAGE	  16
#define LCORES_A_PAGE	  4
#define PARTS_MAX	  40 /* dictionaries and arrays within one answer */
#define NUMBERS_MAX	  2

_Static_assert(sizeof(struct nic_stats) % sizeof(uint64_t) == 0, "statistics are words");
#define STATS_WORDS	(sizeof(struct nic_stats) / sizeof(uint64_t))
#define SNAPSHOT_STATS	LANE_COUNTER_COUNT
#define SNAPSHOT_TIME	(SNAPSHOT_STATS + STATS_WORDS)
#define SNAPSHOT_WORDS	(SNAPSHOT_TIME + 1)
_Static_assert(SNAPSHOT_WORDS <= COUNTER_SLOTS_MAX, "a lane's snapshot fits a counter set");

struct telemetry {
	const struct engine *engine;
	uint64_t taken_ns;
	struct counter_set snapshots[HANDOFF_LANES_MAX]; /* counters, port statistics, time */
};

/* The telemetry library gives commands no pointer of ours. */
static struct telemetry *made;
static _Atomic(const struct telemetry *) shown; /* NULL: commands answer null */
static _Atomic uint32_t readers;		/* commands between telemetry_enter and _leave */

static const struct telemetry *
telemetry_enter(void)
{
	/* Before the load: who sees the pointer is seen by telemetry_stop. */
	atomic_fetch_add(&readers, 1);
	return atomic_load(&shown);
}

static void
telemetry_leave(void)
{
	atomic_fetch_sub(&readers, 1);
}

/* --- answers ------------------------------------------------------------------------------------- */

/* One answer. Whatever does not fit fails the whole: null, never a part that looks complete. */
struct answer {
	struct rte_tel_data *root;
	struct rte_tel_data *parts[PARTS_MAX];
	uint32_t part_count;
	int error;
};

static void
answer_note(struct answer *a, int rc)
{
	a->error = a->error == 0 && rc < 0 ? rc : a->error;
}

/* Keeps `part` below `parent`; the root in its place if there is no memory, as nobody will see it. */
static struct rte_tel_data *
answer_keep(struct answer *a, struct rte_tel_data *parent, const char *name, struct rte_tel_data *part)
{
	if (!part || a->part_count == PARTS_MAX) {
		answer_note(a, -ENOMEM);
		rte_tel_data_free(part);
		return a->root;
	}
	a->parts[a->part_count++] = part;
	answer_note(a, rte_tel_data_add_dict_container(parent, name, part, 0));
	return part;
}

static struct rte_tel_data *
answer_dict(struct answer *a, struct rte_tel_data *parent, const char *name)
{
	struct rte_tel_data *part = rte_tel_data_alloc();

	if (part) {
		rte_tel_data_start_dict(part);
	}
	return answer_keep(a, parent, name, part);
}

static void
answer_u64(struct answer *a, struct rte_tel_data *dict, const char *name, uint64_t value)
{
	answer_note(a, rte_tel_data_add_dict_u64(dict, name, value));
}

static void
answer_int(struct answer *a, struct rte_tel_data *dict, const char *name, int value)
{
	answer_note(a, rte_tel_data_add_dict_int(dict, name, value));
}

/* What is no printable ASCII becomes '?'. */
static void
text_clean(char *text)
{
	for (char *at = text; *at; at++) {
		*at = *at < 0x20 || *at > 0x7e ? '?' : *at;
	}
}

static void
answer_text(struct answer *a, struct rte_tel_data *dict, const char *name, const char *value)
{
	char text[RTE_TEL_MAX_STRING_LEN];

	snprintf(text, sizeof(text), "%s", value);
	text_clean(text);
	answer_note(a, rte_tel_data_add_dict_string(dict, name, text));
}

static int
answer_end(struct answer *a)
{
	for (uint32_t i = 0; a->error < 0 && i < a->part_count; i++) {
		rte_tel_data_free(a->parts[i]);
	}
	return a->error;
}

/* "7" or "7,32": plain decimal numbers, `most` of them. Returns how many; -EINVAL for all else. */
static int
parameters_read(const char *text, int most, uint32_t *ret_numbers)
{
	int count = 0;

	if (!text || !*text) {
		return 0;
	}
	for (;;) {
		uint64_t number = 0;
		size_t digits = strspn(text, "0123456789");

		if (count == most || digits == 0 || digits > 9) {
			return -EINVAL;
		}
		for (size_t i = 0; i < digits; i++) {
			number = number * 10 + (uint64_t)(text[i] - '0');
		}
		ret_numbers[count++] = (uint32_t)number;
		text += digits;
		if (!*text) {
			return count;
		}
		if (*text++ != ',') {
			return -EINVAL;
		}
	}
}

/* --- /penstock/lanes ----------------------------------------------------------------------------- */

static void
lane_show(const struct engine *engine, uint32_t lane, struct answer *a, struct rte_tel_data *lanes)
{
	static const enum lane_counter shown_counters[] = {LANE_rx_packets, LANE_rx_bytes, LANE_native,
		LANE_data, LANE_stored, LANE_stored_records, LANE_stored_bytes, LANE_refused_records,
		LANE_hold_records, LANE_owners_held, LANE_tx_sent, LANE_tx_full, LANE_sessions};
	uint64_t values[COUNTER_SLOTS_MAX] = {0};
	struct rte_tel_data *row;
	struct nic_caps caps;
	uint64_t drops = 0;
	char name[12];

	engine->nics[lane]->ops->caps(engine->nics[lane], &caps);
	lane_counters(engine->lanes[lane], values);
	for (uint32_t i = 0; i < LANE_COUNTER_COUNT; i++) {
		drops += lane_counter_rows[i].class == COUNTER_DROP ? values[i] : 0;
	}
	snprintf(name, sizeof(name), "%u", lane);
	row = answer_dict(a, lanes, name);
	answer_text(a, row, "driver", caps.driver);
	answer_int(a, row, "udp_port", engine->lane_ports[lane]);
	answer_u64(a, row, "drops", drops);
	for (size_t i = 0; i < ARRAY_COUNT(shown_counters); i++) {
		answer_u64(a, row, lane_counter_rows[shown_counters[i]].name, values[shown_counters[i]]);
	}
}

static int
lanes_answer(const struct engine *engine, const uint32_t *numbers, int count, struct answer *a)
{
	(void)numbers;
	(void)count;
	for (uint32_t i = 0; i < engine->lane_count; i++) {
		lane_show(engine, i, a, a->root);
	}
	return 0;
}

/* --- /penstock/ledger ---------------------------------------------------------------------------- */

struct lane_ledger {
	struct nic_caps caps;
	uint64_t values[COUNTER_SLOTS_MAX];
	struct ledger_equation equations[LEDGER_EQUATIONS_MAX];
	uint32_t count;
	bool adds_up;
};

static void
ledger_read(const struct telemetry *t, uint32_t lane, struct lane_ledger *ret_ledger)
{
	struct nic *nic = t->engine->nics[lane];
	struct nic_stats stats;

	counter_read((struct counter_set *)&t->snapshots[lane], ret_ledger->values, SNAPSHOT_WORDS);
	memcpy(&stats, &ret_ledger->values[SNAPSHOT_STATS], sizeof(stats));
	nic->ops->caps(nic, &ret_ledger->caps);
	ret_ledger->count = ledger_equations(ret_ledger->values, &stats, &ret_ledger->caps,
		ret_ledger->equations);
	ret_ledger->adds_up = true;
	for (uint32_t i = 0; i < ret_ledger->count; i++) {
		const struct ledger_equation *e = &ret_ledger->equations[i];

		ret_ledger->adds_up &= !e->visible || e->difference == 0;
	}
}

/* "E3 net" as a name that DPDK takes. */
static const char *
equation_name(const struct ledger_equation *e, char *text, size_t room)
{
	snprintf(text, room, "%s", e->name);
	for (char *at = text; *at; at++) {
		*at = *at == ' ' ? '_' : *at;
	}
	return text;
}

/* The words of `penstock ledger`. */
static void
equation_verdict(const struct ledger_equation *e, struct answer *a, struct rte_tel_data *dict,
	const char *name)
{
	char text[40];

	snprintf(text, sizeof(text), "off by %" PRId64, e->difference);
	answer_text(a, dict, name, !e->visible ? "not visible" : e->difference == 0 ? "adds up" : text);
}

/* Both sides of it, of the terms that can be seen. */
static void
equation_show(const struct ledger_equation *e, struct answer *a, struct rte_tel_data *equations)
{
	struct rte_tel_data *dict;
	uint64_t left = 0, right = 0;
	char name[32];

	for (uint32_t i = 0; i < e->term_count; i++) {
		const struct ledger_term *term = &e->terms[i];

		left += term->visible && term->sign > 0 ? term->value : 0;
		right += term->visible && term->sign < 0 ? term->value : 0;
	}
	dict = answer_dict(a, equations, equation_name(e, name, sizeof(name)));
	answer_u64(a, dict, "left", left);
	answer_u64(a, dict, "right", right);
	equation_verdict(e, a, dict, "verdict");
}

static void
ledger_age(const struct engine *engine, uint64_t taken_ns, struct answer *a)
{
	uint64_t now_ns = clock_now_ns(engine->clock);

	answer_u64(a, a->root, "age_ms", now_ns > taken_ns ? (now_ns - taken_ns) / NS_PER_MS : 0);
}

static void
ledger_lane(const struct telemetry *t, uint32_t lane, struct lane_ledger *ledger, struct answer *a)
{
	struct rte_tel_data *dict;

	ledger_read(t, lane, ledger);
	answer_int(a, a->root, "lane", (int)lane);
	answer_text(a, a->root, "driver", ledger->caps.driver);
	answer_int(a, a->root, "adds_up", ledger->adds_up);
	ledger_age(t->engine, ledger->values[SNAPSHOT_TIME], a);
	dict = answer_dict(a, a->root, "equations");
	for (uint32_t i = 0; i < ledger->count; i++) {
		equation_show(&ledger->equations[i], a, dict);
	}
	dict = answer_dict(a, a->root, "counters");
	for (uint32_t i = 0; i < LANE_COUNTER_COUNT; i++) {
		answer_u64(a, dict, lane_counter_rows[i].name, ledger->values[i]);
	}
}

static void
ledger_all(const struct telemetry *t, struct lane_ledger *ledger, struct answer *a)
{
	struct rte_tel_data *lanes = answer_dict(a, a->root, "lanes");
	uint64_t taken_ns = UINT64_MAX;
	bool adds_up = true;
	char name[32];

	for (uint32_t lane = 0; lane < t->engine->lane_count; lane++) {
		struct rte_tel_data *dict;

		ledger_read(t, lane, ledger);
		snprintf(name, sizeof(name), "%u", lane);
		dict = answer_dict(a, lanes, name);
		answer_int(a, dict, "adds_up", ledger->adds_up);
		for (uint32_t i = 0; i < ledger->count; i++) {
			equation_verdict(&ledger->equations[i], a, dict,
				equation_name(&ledger->equations[i], name, sizeof(name)));
		}
		adds_up &= ledger->adds_up;
		taken_ns = ledger->values[SNAPSHOT_TIME] < taken_ns ? ledger->values[SNAPSHOT_TIME] : taken_ns;
	}
	answer_int(a, a->root, "adds_up", adds_up);
	ledger_age(t->engine, taken_ns, a);
}

static int
ledger_answer(const struct telemetry *t, const uint32_t *numbers, int count, struct answer *a)
{
	struct lane_ledger *ledger;

	if (count > 0 && numbers[0] >= t->engine->lane_count) {
		return -EINVAL;
	}
	ledger = malloc(sizeof(*ledger));
	if (!ledger) {
		return -ENOMEM;
	}
	if (count > 0) {
		ledger_lane(t, numbers[0], ledger, a);
	} else {
		ledger_all(t, ledger, a);
	}
	free(ledger);
	return 0;
}

/* --- /penstock/sessions -------------------------------------------------------------------------- */

static void
session_show(const struct lane_session_row *s, uint64_t now_ns, struct answer *a,
	struct rte_tel_data *sessions)
{
	char text[PEER_TEXT_BYTES];
	struct rte_tel_data *row;

	snprintf(text, sizeof(text), "%016" PRIx64, s->session_id);
	row = answer_dict(a, sessions, text);
	snprintf(text, sizeof(text), "%" PRId64, s->producer_id);
	answer_text(a, row, "producer_id", text);
	answer_int(a, row, "epoch", s->producer_epoch);
	answer_text(a, row, "name", s->name);
	peer_text(&s->peer, text, sizeof(text));
	answer_text(a, row, "peer", text);
	answer_u64(a, row, "datagrams", s->datagrams);
	answer_u64(a, row, "records", s->records);
	answer_u64(a, row, "duplicates", s->duplicates);
	answer_u64(a, row, "credit_bytes", s->credit_bytes);
	answer_u64(a, row, "credit_packets", s->credit_packets);
	answer_u64(a, row, "streams", s->streams);
	answer_u64(a, row, "idle_ms", now_ns > s->last_rx_time_ns ? (now_ns - s->last_rx_time_ns) / NS_PER_MS : 0);
}

/* LANE[,FIRST]: FIRST is the place of the first session asked for, `next` of the page before. */
static int
sessions_answer(const struct engine *engine, const uint32_t *numbers, int count, struct answer *a)
{
	struct lane_session_row rows[SESSIONS_A_PAGE + 1];
	uint32_t places[SESSIONS_A_PAGE + 1];
	uint32_t place = count > 1 ? numbers[1] : 0;
	uint64_t now_ns = clock_now_ns(engine->clock);
	struct rte_tel_data *sessions;
	uint32_t n;

	if (count == 0 || numbers[0] >= engine->lane_count) {
		return -EINVAL;
	}
	answer_u64(a, a->root, "lane", numbers[0]);
	answer_u64(a, a->root, "first", place);
	n = lane_sessions(engine->lanes[numbers[0]], &place, rows, places, SESSIONS_A_PAGE + 1);
	if (n > SESSIONS_A_PAGE) {
		answer_u64(a, a->root, "next", places[SESSIONS_A_PAGE]);
	}
	sessions = answer_dict(a, a->root, "sessions");
	for (uint32_t i = 0; i < n && i < SESSIONS_A_PAGE; i++) {
		rows[i].name[HANDOFF_PRODUCER_NAME_MAX] = '\0';
		session_show(&rows[i], now_ns, a, sessions);
	}
	return 0;
}

/* --- /penstock/stages ---------------------------------------------------------------------------- */

static uint64_t
read_relaxed(const _Atomic uint64_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

/* "rx 0 (net_tap), log 0" as one string a stage. */
static void
roles_show(const char *role, struct answer *a, struct rte_tel_data *row)
{
	struct rte_tel_data *stages = rte_tel_data_alloc();
	char text[RTE_TEL_MAX_STRING_LEN];

	if (stages) {
		rte_tel_data_start_array(stages, RTE_TEL_STRING_VAL);
	}
	if (answer_keep(a, row, "stages", stages) != stages) {
		return;
	}
	while (*role) {
		size_t len = strcspn(role, ",");

		snprintf(text, sizeof(text), "%.*s", (int)len, role);
		text_clean(text);
		answer_note(a, rte_tel_data_add_array_string(stages, text));
		role += len;
		role += strspn(role, ", ");
	}
}

static void
lcore_show(const struct engine *engine, uint32_t index, struct answer *a, struct rte_tel_data *lcores)
{
	const struct engine_lcore *l = &engine->lcores[index];
	uint64_t now_ns = clock_now_ns(engine->clock);
	uint64_t beat_ns = read_relaxed(&l->heartbeat_ns);
	struct rte_tel_data *row;
	char name[12];

	snprintf(name, sizeof(name), "%u", index);
	row = answer_dict(a, lcores, name);
	roles_show(l->role, a, row);
	answer_int(a, row, "cpu", l->cpu);
	answer_text(a, row, "idle", l->idle);
	answer_u64(a, row, "turns", read_relaxed(&l->turns));
	answer_u64(a, row, "turns_empty", read_relaxed(&l->turns_empty));
	answer_u64(a, row, "items", read_relaxed(&l->items));
	answer_u64(a, row, "busy_ns", read_relaxed(&l->busy_ns));
	answer_u64(a, row, "sleep_ns", read_relaxed(&l->sleep_ns));
	answer_u64(a, row, "total_ns", read_relaxed(&l->total_ns));
	answer_u64(a, row, "worst_turn_us", read_relaxed(&l->worst_turn_ns) / NS_PER_US);
	answer_u64(a, row, "heartbeat_age_ms", now_ns > beat_ns ? (now_ns - beat_ns) / NS_PER_MS : 0);
}

/* [FIRST]: the first lcore asked for, `next` of the page before. */
static int
stages_answer(const struct engine *engine, const uint32_t *numbers, int count, struct answer *a)
{
	uint32_t first = count > 0 ? numbers[0] : 0;
	uint32_t end = first + LCORES_A_PAGE;
	struct rte_tel_data *lcores;

	if (first >= engine->lcore_count) {
		return -EINVAL;
	}
	answer_u64(a, a->root, "first", first);
	if (end < engine->lcore_count) {
		answer_u64(a, a->root, "next", end);
	}
	lcores = answer_dict(a, a->root, "lcores");
	for (uint32_t i = first; i < end && i < engine->lcore_count; i++) {
		lcore_show(engine, i, a, lcores);
	}
	return 0;
}

/* --- commands ------------------------------------------------------------------------------------ */

enum command {
	COMMAND_LANES,
	COMMAND_LEDGER,
	COMMAND_SESSIONS,
	COMMAND_STAGES,
};

/* How many numbers each takes at most. */
static const int parameters_max[] = {[COMMAND_LANES] = 0, [COMMAND_LEDGER] = 1, [COMMAND_SESSIONS] = 2,
	[COMMAND_STAGES] = 1};

static int
command_answer(const struct telemetry *t, enum command command, const char *parameters, struct answer *a)
{
	uint32_t numbers[NUMBERS_MAX] = {0};
	int count = parameters_read(parameters, parameters_max[command], numbers);

	if (count < 0) {
		return count;
	}
	switch (command) {
	case COMMAND_LANES:
		return lanes_answer(t->engine, numbers, count, a);
	case COMMAND_LEDGER:
		return ledger_answer(t, numbers, count, a);
	case COMMAND_SESSIONS:
		return sessions_answer(t->engine, numbers, count, a);
	case COMMAND_STAGES:
		return stages_answer(t->engine, numbers, count, a);
	}
	return -EINVAL;
}

/* A telemetry thread's way in. Negative: DPDK answers null. */
static int
command_run(enum command command, const char *parameters, struct rte_tel_data *root)
{
	const struct telemetry *t = telemetry_enter();
	struct answer a = {.root = root};

	rte_tel_data_start_dict(root);
	answer_note(&a, t ? command_answer(t, command, parameters, &a) : -ESHUTDOWN);
	telemetry_leave();
	return answer_end(&a);
}

static int
command_lanes(const char *command, const char *parameters, struct rte_tel_data *root)
{
	(void)command;
	return command_run(COMMAND_LANES, parameters, root);
}

static int
command_ledger(const char *command, const char *parameters, struct rte_tel_data *root)
{
	(void)command;
	return command_run(COMMAND_LEDGER, parameters, root);
}

static int
command_sessions(const char *command, const char *parameters, struct rte_tel_data *root)
{
	(void)command;
	return command_run(COMMAND_SESSIONS, parameters, root);
}

static int
command_stages(const char *command, const char *parameters, struct rte_tel_data *root)
{
	(void)command;
	return command_run(COMMAND_STAGES, parameters, root);
}

/* Names below 56 bytes, help below 64. */
static const struct {
	const char *name;
	telemetry_cb run;
	const char *help;
} commands[] = {
	{"/penstock/lanes", command_lanes, "Rx lanes with their main counters. Takes no parameters"},
	{"/penstock/ledger", command_ledger, "Drop ledger. Parameters: none: verdicts; int lane: its numbers"},
	{"/penstock/sessions", command_sessions, "Native sessions, 16 a page. Parameters: int lane[,int first]"},
	{"/penstock/stages", command_stages, "Lcores and stages, 16 a page. Parameters: none or int first"},
};

/* --- life ---------------------------------------------------------------------------------------- */

static void
snapshot_take(const struct engine *engine, uint32_t lane, uint64_t now_ns, struct counter_set *set)
{
	struct nic_stats stats;

	lane_counters(engine->lanes[lane], set->live);
	engine->nics[lane]->ops->stats(engine->nics[lane], &stats);
	memcpy(&set->live[SNAPSHOT_STATS], &stats, sizeof(stats));
	set->live[SNAPSHOT_TIME] = now_ns;
	counter_publish(set, SNAPSHOT_WORDS);
}

static void
snapshots_take(struct telemetry *t, uint64_t now_ns)
{
	t->taken_ns = now_ns;
	for (uint32_t i = 0; i < t->engine->lane_count; i++) {
		snapshot_take(t->engine, i, now_ns, &t->snapshots[i]);
	}
}

int
telemetry_start(const struct engine *engine)
{
	int rc = 0;

	made = aligned_alloc(CACHE_LINE_BYTES, sizeof(*made));
	if (!made) {
		return -ENOMEM;
	}
	made->engine = engine;
	for (uint32_t i = 0; i < HANDOFF_LANES_MAX; i++) {
		counter_set_init(&made->snapshots[i]);
	}
	snapshots_take(made, clock_now_ns(engine->clock));
	atomic_store(&shown, made);
	for (size_t i = 0; i < ARRAY_COUNT(commands) && rc == 0; i++) {
		rc = rte_telemetry_register_cmd(commands[i].name, commands[i].run, commands[i].help);
	}
	return rc;
}

void
telemetry_poll(uint64_t now_ns)
{
	if (made && now_ns - made->taken_ns >= SNAPSHOT_EVERY_NS) {
		snapshots_take(made, now_ns);
	}
}

void
telemetry_stop(void)
{
	if (!made) {
		return;
	}
	atomic_store(&shown, NULL);
	while (atomic_load(&readers) > 0) {
		clock_sleep_ns(made->engine->clock, STOP_LOOK_NS);
	}
	free(made);
	made = NULL;
}
