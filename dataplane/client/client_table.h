/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fixed map from u64 keys to u32 values: open addressing, linear probing, no removal but clear.
 * Sized at start for a load of at most one half. I/O thread only.
 */
#ifndef CLIENT_CLIENT_TABLE_H
#define CLIENT_CLIENT_TABLE_H

#include <stdint.h>

struct client_table_slot {
	uint64_t key;
	uint32_t value; /* UINT32_MAX: empty */
};

struct client_table {
	struct client_table_slot *slots;
	uint32_t mask;
	uint32_t used;
};

/* For up to `count` keys. -ENOMEM. */
int client_table_create(struct client_table *table, uint32_t count);
void client_table_destroy(struct client_table *table);
void client_table_clear(struct client_table *table);
/* Adds or replaces. -ENOSPC: as many keys as it was made for. */
int client_table_put(struct client_table *table, uint64_t key, uint32_t value);
/* UINT32_MAX if absent. */
uint32_t client_table_get(const struct client_table *table, uint64_t key);

#endif
