/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed map (client_table.h). */
#include "client/client_table.h"

#include <errno.h>
#include <stdlib.h>

int
client_table_create(struct client_table *table, uint32_t count)
{
	uint32_t slots = 16;

	while (slots < (uint64_t)count * 2) {
		slots *= 2;
	}
	table->slots = malloc(slots * sizeof(*table->slots));
	if (!table->slots) {
		return -ENOMEM;
	}
	table->mask = slots - 1;
	client_table_clear(table);
	return 0;
}

void
client_table_destroy(struct client_table *table)
{
	free(table->slots);
	table->slots = NULL;
}

void
client_table_clear(struct client_table *table)
{
	for (uint32_t i = 0; i <= table->mask; i++) {
		table->slots[i] = (struct client_table_slot){.value = UINT32_MAX};
	}
	table->used = 0;
}

/* The key's slot, or the empty one where it belongs. */
static struct client_table_slot *
table_slot(const struct client_table *table, uint64_t key)
{
	/* Fibonacci hashing; the server's handles are dense, and so are partitions. */
	uint32_t at = (uint32_t)((key * 0x9e3779b97f4a7c15ull) >> 32) & table->mask;

	while (table->slots[at].value != UINT32_MAX && table->slots[at].key != key) {
		at = (at + 1) & table->mask;
	}
	return &table->slots[at];
}

int
client_table_put(struct client_table *table, uint64_t key, uint32_t value)
{
	struct client_table_slot *slot = table_slot(table, key);

	if (slot->value == UINT32_MAX) {
		if ((uint64_t)table->used * 2 > table->mask) {
			return -ENOSPC;
		}
		table->used++;
	}
	*slot = (struct client_table_slot){.key = key, .value = value};
	return 0;
}

uint32_t
client_table_get(const struct client_table *table, uint64_t key)
{
	return table_slot(table, key)->value;
}
