/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drop ledger looked at once a second, so that a difference and a loss are told when nobody asks:
 * as an event in the log and as a reason in health.get. So are signs of a network set up wrongly,
 * which only counters saw. Control thread; reads published copies only.
 *
 * What is in flight is no difference. An equation counts as broken when LEDGER_WATCH_LOOKS looks one
 * after the other found a remainder of one sign that never shrank. One whose terms belong to several
 * threads is looked at while they stand still, or when the remainder is more than can be under way
 * (ledger_equation.moving_max).
 */
#ifndef CTRL_LEDGER_WATCH_H
#define CTRL_LEDGER_WATCH_H

#include <jansson.h>
#include "ctrl/methods/engine.h"
#include "ctrl/methods/partition_watch.h"

#define LEDGER_WATCH_EVERY_NS	    NS_PER_S
#define LEDGER_WATCH_LOOKS	    3
#define LEDGER_WATCH_LOSS_TELL_NS   (60 * NS_PER_S)
#define LEDGER_WATCH_LOSS_SHOWN_NS  (600 * NS_PER_S)

struct ledger_watch_row {
	const char *name; /* of the equation */
	int64_t difference;
	uint64_t sum; /* of the terms: tells whether one of them moved */
	uint32_t looks;
	bool broken;
};

/* Losses that the driver saw, by the first lane of each port. */
struct ledger_watch_port {
	const char *driver;
	uint64_t missed;
	uint64_t grown_ns; /* last seen to grow; 0 never */
	uint64_t told_missed, told_ns;
};

/* What is wrong in the network, and only a person can mend. */
enum ledger_watch_sign_kind {
	WATCH_ADDRESS_CONFLICT,
	WATCH_ADDRESS_DUPLICATE, /* failed its detection: a reason until the next start, as it stays in use */
	WATCH_IP_FRAGMENTS,      /* told in the log only: whoever may send to the port can make them */
	WATCH_SIGNS
};

struct ledger_watch_sign {
	uint64_t count;
	uint64_t grown_ns; /* last seen to grow; 0 never */
	uint64_t told_count, told_ns;
};

struct ledger_watch {
	uint64_t looked_ns;
	struct ledger_watch_row rows[HANDOFF_LANES_MAX][LEDGER_EQUATIONS_MAX];
	struct ledger_watch_row log[LEDGER_LOG_EQUATIONS];
	struct partition_watch partitions;
	struct ledger_watch_port ports[HANDOFF_LANES_MAX];
	struct ledger_watch_sign signs[HANDOFF_LANES_MAX][WATCH_SIGNS];
	struct ledger_equation equations[LEDGER_EQUATIONS_MAX]; /* of one look */
};

/* One snapshot of a lane: its counters, and the equations over them. Returns their count. */
uint32_t ledger_watch_snapshot(const struct engine *engine, uint32_t lane, uint64_t *ret_values,
	struct ledger_equation *ret_equations);
/* Over all lanes and shards: LEDGER_LOG_EQUATIONS of them. */
void ledger_watch_log_snapshot(const struct engine *engine, struct ledger_equation *ret_equations);
/* Looks if a second is over. Zeroed memory is a watch that has not looked yet. */
void ledger_watch_poll(struct ledger_watch *watch, const struct engine *engine, uint64_t now_ns);
void ledger_watch_fini(struct ledger_watch *watch);
/*
 * Appends a sentence for each equation that is broken, each port that lost packets of late and each address
 * that another host claims.
 */
void ledger_watch_reasons(const struct ledger_watch *watch, uint64_t now_ns, json_t *reasons);

#endif
