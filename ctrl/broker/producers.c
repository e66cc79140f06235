/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/broker/producers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/errcode.h"
#include "base/hash.h"

#define NO_INDEX		UINT32_MAX
#define PRODUCERS_EPOCH_RETIRED (PRODUCERS_EPOCH_MAX + 1) /* of an id that nobody may use again */

/*
 * Two open-addressing indexes over the entries, by id and by name. A full table forgets the producer
 * without a name that has been there longest: nobody can ask for its id again but its own sessions.
 */
struct producers {
	struct producer_entry *entries;
	uint32_t *by_id;
	uint32_t *by_name;
	uint32_t count;
	uint32_t max;
	uint32_t oldest; /* entry to look at first when the table is full */
	uint32_t mask;
	int64_t next_id;
};

int
producers_create(uint32_t producers_max, struct producers **ret_producers)
{
	struct producers *p = calloc(1, sizeof(*p));
	uint32_t slots = 1;

	if (!p) {
		return -ENOMEM;
	}
	while (slots < producers_max * 2) {
		slots *= 2;
	}
	p->max = producers_max;
	p->mask = slots - 1;
	p->next_id = 1;
	p->entries = calloc(producers_max, sizeof(*p->entries));
	p->by_id = malloc(slots * sizeof(uint32_t));
	p->by_name = malloc(slots * sizeof(uint32_t));
	if (!p->entries || !p->by_id || !p->by_name) {
		producers_destroy(p);
		return -ENOMEM;
	}
	memset(p->by_id, 0xff, slots * sizeof(uint32_t));
	memset(p->by_name, 0xff, slots * sizeof(uint32_t));
	*ret_producers = p;
	return 0;
}

void
producers_destroy(struct producers *p)
{
	if (p) {
		free(p->entries);
		free(p->by_id);
		free(p->by_name);
		free(p);
	}
}

/* The index slot where the id is, or would go. */
static uint32_t *
producers_id_slot(struct producers *p, int64_t id)
{
	uint32_t at = hash_murmur2(&id, sizeof(id)) & p->mask;

	while (p->by_id[at] != NO_INDEX && p->entries[p->by_id[at]].producer_id != id) {
		at = (at + 1) & p->mask;
	}
	return &p->by_id[at];
}

static uint32_t *
producers_name_slot(struct producers *p, const void *name, uint8_t name_len)
{
	uint32_t at = hash_murmur2(name, name_len) & p->mask;

	while (p->by_name[at] != NO_INDEX) {
		const struct producer_entry *e = &p->entries[p->by_name[at]];

		if (e->name_len == name_len && memcmp(e->name, name, name_len) == 0) {
			break;
		}
		at = (at + 1) & p->mask;
	}
	return &p->by_name[at];
}

/* Takes an id out of its index; what was pushed on behind it moves up. */
static void
producers_forget_id(struct producers *p, int64_t id)
{
	uint32_t hole = (uint32_t)(producers_id_slot(p, id) - p->by_id);
	uint32_t at = (hole + 1) & p->mask;

	while (p->by_id[at] != NO_INDEX) {
		int64_t other = p->entries[p->by_id[at]].producer_id;
		uint32_t home = hash_murmur2(&other, sizeof(other)) & p->mask;

		if (((at - home) & p->mask) >= ((at - hole) & p->mask)) {
			p->by_id[hole] = p->by_id[at];
			hole = at;
		}
		at = (at + 1) & p->mask;
	}
	p->by_id[hole] = NO_INDEX;
}

/* A place for one more entry; NO_INDEX if all that are remembered have names. */
static uint32_t
producers_place(struct producers *p)
{
	if (p->count < p->max) {
		return p->count++;
	}
	for (uint32_t n = 0; n < p->max; n++) {
		uint32_t index = p->oldest;

		p->oldest = (index + 1) % p->max;
		if (p->entries[index].name_len == 0) {
			producers_forget_id(p, p->entries[index].producer_id);
			return index;
		}
	}
	return NO_INDEX;
}

/* After an exhausted epoch the name moves on to a new id; the old one is nobody's any more. */
static void
producers_give_name(struct producers *p, const struct producer_entry *entry, uint32_t index)
{
	uint32_t *slot = producers_name_slot(p, entry->name, entry->name_len);

	if (*slot != NO_INDEX && *slot != index) {
		p->entries[*slot].epoch = PRODUCERS_EPOCH_RETIRED;
		p->entries[*slot].name_len = 0;
	}
	*slot = index;
}

/* Adds or replaces: the entry of its id, and its name's claim on that id. */
static int
producers_put(struct producers *p, const struct producer_entry *entry)
{
	uint32_t index = *producers_id_slot(p, entry->producer_id);

	if (index == NO_INDEX) {
		index = producers_place(p);
		if (index == NO_INDEX) {
			return -ENOBUFS;
		}
		*producers_id_slot(p, entry->producer_id) = index;
	}
	p->entries[index] = *entry;
	if (entry->name_len > 0) {
		producers_give_name(p, entry, index);
	}
	if (entry->producer_id >= p->next_id) {
		p->next_id = entry->producer_id + 1;
	}
	return 0;
}

static int16_t
producers_raise(struct producers *p, const struct producer_entry *known,
	struct producers_admitted *ret_admitted)
{
	struct producers_admitted raised = {.entry = *known, .changed = true};

	raised.fenced_id = known->producer_id;
	if (known->epoch >= PRODUCERS_EPOCH_MAX) {
		raised.entry.producer_id = p->next_id;
		raised.entry.epoch = 0;
		raised.fenced_epoch = PRODUCERS_EPOCH_RETIRED;
	} else {
		raised.fenced_epoch = ++raised.entry.epoch;
	}
	*ret_admitted = raised;
	return producers_put(p, &raised.entry) < 0 ? KAFKA_THROTTLING_QUOTA_EXCEEDED : 0;
}

/* JOIN and BUMP: by id, and only with the epoch that is the current one. */
static int16_t
producers_admit_known(struct producers *p, const struct control_ask *ask,
	struct producers_admitted *ret_admitted)
{
	uint32_t index = *producers_id_slot(p, ask->producer_id);

	if (index == NO_INDEX || p->entries[index].epoch != ask->producer_epoch) {
		return KAFKA_INVALID_PRODUCER_EPOCH;
	}
	if (ask->flags & CONTROL_BUMP) {
		return producers_raise(p, &p->entries[index], ret_admitted);
	}
	*ret_admitted = (struct producers_admitted){.entry = p->entries[index], .fenced_id = -1};
	return 0;
}

int16_t
producers_admit(struct producers *p, const struct control_ask *ask,
	struct producers_admitted *ret_admitted)
{
	struct producers_admitted fresh = {.changed = true, .fenced_id = -1};

	if (ask->flags & (CONTROL_JOIN | CONTROL_BUMP)) {
		return producers_admit_known(p, ask, ret_admitted);
	}
	if (ask->name_len > 0 && ask->name_len <= HANDOFF_PRODUCER_NAME_MAX) {
		uint32_t index = *producers_name_slot(p, ask->name, ask->name_len);

		if (index != NO_INDEX) {
			return producers_raise(p, &p->entries[index], ret_admitted);
		}
	}
	fresh.entry.producer_id = p->next_id;
	if (ask->name_len <= HANDOFF_PRODUCER_NAME_MAX) {
		fresh.entry.name_len = ask->name_len;
		memcpy(fresh.entry.name, ask->name, ask->name_len);
	}
	*ret_admitted = fresh;
	return producers_put(p, &fresh.entry) < 0 ? KAFKA_THROTTLING_QUOTA_EXCEEDED : 0;
}

json_t *
producers_record(const struct producer_entry *entry)
{
	return json_pack("{s:s, s:I, s:i, s:s%}", "kind", "producer", "id",
		(json_int_t)entry->producer_id, "epoch", (int)entry->epoch, "name", entry->name,
		(size_t)entry->name_len);
}

int
producers_replay(struct producers *p, const json_t *record)
{
	struct producer_entry entry = {0};
	const json_t *name = json_object_get(record, "name");
	json_int_t id = json_integer_value(json_object_get(record, "id"));
	json_int_t epoch = json_integer_value(json_object_get(record, "epoch"));

	if (id < 1 || epoch < 0 || epoch > PRODUCERS_EPOCH_MAX || !json_is_string(name) ||
		json_string_length(name) > HANDOFF_PRODUCER_NAME_MAX) {
		return -EBADMSG;
	}
	entry.producer_id = id;
	entry.epoch = (int16_t)epoch;
	entry.name_len = (uint8_t)json_string_length(name);
	memcpy(entry.name, json_string_value(name), entry.name_len);
	return producers_put(p, &entry);
}

const struct producer_entry *
producers_find(struct producers *p, int64_t producer_id)
{
	uint32_t index = *producers_id_slot(p, producer_id);

	return index == NO_INDEX ? NULL : &p->entries[index];
}
