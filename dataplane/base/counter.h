/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters as described data. counters.def has one strict line a counter; enums, names, help, the
 * ledger's equations, metrics and docs all come from it. Single writer, u64, never reset. The owner
 * counts with plain adds in `live` and publishes the whole array at its turn's end into a double
 * buffer; readers take consistent copies without asking the lcore.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>
#include "base/compiler.h"

/* What a counter means to the drop ledger. */
enum counter_class {
	COUNTER_RECEIVE, /* arrived */
	COUNTER_CONSUME, /* used up by the net stack or as a control frame */
	COUNTER_DROP,	 /* lost before ack */
	COUNTER_DISCARD, /* late or duplicate by rule */
	COUNTER_REJECT,	 /* refused with an error */
	COUNTER_STORE,	 /* in the log */
	COUNTER_HOLD,	 /* a gauge: here now, will become one of the others */
	COUNTER_INFO,	 /* in no equation */
};

enum lane_counter {
#define LANE_COUNTER(name, class, help) LANE_##name,
#include "base/counters.def"
#undef LANE_COUNTER
	LANE_COUNTER_COUNT,
};

enum shard_counter {
#define SHARD_COUNTER(name, class, help) SHARD_##name,
#include "base/counters.def"
#undef SHARD_COUNTER
	SHARD_COUNTER_COUNT,
};

enum job_counter {
#define JOB_COUNTER(name, class, help) JOB_##name,
#include "base/counters.def"
#undef JOB_COUNTER
	JOB_COUNTER_COUNT,
};

enum client_counter {
#define CLIENT_COUNTER(name, class, help) CLIENT_##name,
#include "base/counters.def"
#undef CLIENT_COUNTER
	CLIENT_COUNTER_COUNT,
};

struct counter_row {
	const char *name;
	enum counter_class class;
	const char *help;
};

extern const struct counter_row lane_counter_rows[LANE_COUNTER_COUNT];
extern const struct counter_row shard_counter_rows[SHARD_COUNTER_COUNT];
extern const struct counter_row job_counter_rows[JOB_COUNTER_COUNT];
extern const struct counter_row client_counter_rows[CLIENT_COUNTER_COUNT];

#define COUNTER_SLOTS_MAX 192

/* A counter array with its published copies. Seqlock over two buffers: readers retry, never wait. */
struct counter_set {
	uint64_t live[COUNTER_SLOTS_MAX] CACHE_ALIGNED; /* owner only */
	_Atomic uint64_t version CACHE_ALIGNED;		/* published copies so far */
	_Atomic uint64_t copies[2][COUNTER_SLOTS_MAX];
};

void counter_set_init(struct counter_set *set);
/* Owner, at turn end, only after turns with work. count = slots in use. */
void counter_publish(struct counter_set *set, uint32_t count);
/* Any thread: a copy of one published state. */
void counter_read(struct counter_set *set, uint64_t *ret_values, uint32_t count);

#endif
