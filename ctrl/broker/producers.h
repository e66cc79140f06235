/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Producer ids, names and epochs, one allocator for every protocol. A name keeps its
 * id and raises the epoch, which fences the older session; an id without a name is fresh. An id whose
 * epochs are used up leaves its name to a new id and is retired. Of ids without a name the newest are remembered, as many as there is room for; an older one is fenced. Each change is a
 * metadata record. Control thread only.
 */
#ifndef CTRL_PRODUCERS_H
#define CTRL_PRODUCERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"
#include "base/handoff.h"

#define PRODUCERS_EPOCH_MAX 32766 /* as in Kafka: then a new id */

struct producer_entry {
	int64_t producer_id;
	int16_t epoch;
	uint8_t name_len;
	char name[HANDOFF_PRODUCER_NAME_MAX + 1];
};

struct producers;

int producers_create(uint32_t producers_max, struct producers **ret_producers) MUST_CHECK;
void producers_destroy(struct producers *producers);

/* What a HELLO gets. */
struct producers_admitted {
	struct producer_entry entry;
	bool changed;	      /* a metadata record is needed before the answer */
	int16_t fenced_epoch; /* sessions of fenced_id before this epoch are to end */
	int64_t fenced_id;    /* -1: no older session can be open */
};

/* Returns 0, or a Kafka code: 47 fenced, 89 producers_max names are in use. */
int16_t producers_admit(struct producers *producers, const struct control_ask *ask,
	struct producers_admitted *ret_admitted);
/* The metadata record of an entry; new reference. */
json_t *producers_record(const struct producer_entry *entry);
/* Applies a record during replay. Malformed ones are ignored: -EBADMSG. */
int producers_replay(struct producers *producers, const json_t *record);
/* NULL: not known (any more). Valid until the next change. */
const struct producer_entry *producers_find(struct producers *producers, int64_t producer_id);

#endif
