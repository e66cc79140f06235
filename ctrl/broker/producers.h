/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Producer ids, names and epochs (DATAPLANE 11.1), one allocator for every protocol. A name keeps its
 * id and raises the epoch, which fences the older session; an id without a name is fresh. Of ids without
 * a name the newest are remembered, as many as there is room for; an older one is fenced. Each change is a
 * metadata record. Control thread only.
 */
#ifndef CTRL_PRODUCERS_H
#define CTRL_PRODUCERS_H

#include <jansson.h>
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

/*
 * Decides what a HELLO gets. Returns 0 with the entry; ret_changed tells whether a metadata record is
 * needed before the answer. Kafka code otherwise: 47 fenced, 89 producers_max names are in use.
 */
int16_t producers_admit(struct producers *producers, const struct control_ask *ask,
	struct producer_entry *ret_entry, int *ret_changed);
/* The metadata record of an entry; new reference. */
json_t *producers_record(const struct producer_entry *entry);
/* Applies a record during replay. Malformed ones are ignored: -EBADMSG. */
int producers_replay(struct producers *producers, const json_t *record);
/* NULL: not known (any more). Valid until the next change. */
const struct producer_entry *producers_find(struct producers *producers, int64_t producer_id);

#endif
