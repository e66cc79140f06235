/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A window function: flight delays. One record is one flight: key = carrier, value = a line
 * "scheduled_ms,carrier,flight,origin,dest,dep_delay,arr_delay". Emits one record per carrier.
 */
#include <stdio.h>
#include <string.h>
#include "penstock_worker.h"

#define CARRIERS_MAX 64
struct carrier {
	char code[8];
	long flights, left, delay_sum, delay_max;
};

/* The carrier's place in the table, or NULL if the table is full. */
static struct carrier *
find_carrier(struct carrier *table, const char *code)
{
	for (struct carrier *c = table; c < table + CARRIERS_MAX; c++) {
		if (c->code[0] == '\0') {
			strcpy(c->code, code); /* a free place: take it */
		}
		if (strcmp(c->code, code) == 0) {
			return c;
		}
	}
	return NULL;
}

static void
add_flight(struct carrier *c, const char *line)
{
	long delay;
	c->flights++; /* without a departure delay: cancelled */
	if (sscanf(line, "%*[^,],%*[^,],%*[^,],%*[^,],%*[^,],%ld", &delay) == 1) {
		c->left++;
		c->delay_sum += delay;
		c->delay_max = delay > c->delay_max ? delay : c->delay_max;
	}
}

static int
delays_process(void *user, struct penstock_task *task)
{
	struct carrier table[CARRIERS_MAX];
	struct penstock_record flight;
	struct penstock_cursor cursor;
	char code[8], line[128];
	int rc;

	memset(table, 0, sizeof(table));
	penstock_cursor_open(&cursor, task);
	while ((rc = penstock_cursor_next(&cursor, &flight)) == 1) {
		if (flight.key_len <= 0 || flight.value_len <= 0) {
			continue; /* null; and below: views have no NUL at their end */
		}
		snprintf(code, sizeof(code), "%.*s", flight.key_len, (const char *)flight.key);
		snprintf(line, sizeof(line), "%.*s", flight.value_len, (const char *)flight.value);
		struct carrier *c = find_carrier(table, code);
		if (c) {
			add_flight(c, line);
		}
	}
	for (struct carrier *c = table; rc == 0 && c < table + CARRIERS_MAX && c->code[0]; c++) {
		rc = penstock_emit_text(task, c->code, "flights %ld cancelled %ld mean %ld max %ld",
			c->flights, c->flights - c->left, c->left ? c->delay_sum / c->left : 0,
			c->delay_max);
	}
	return rc;
}

const struct penstock_worker *
penstock_worker_entry(uint32_t host_abi)
{
	static const struct penstock_worker delays = {sizeof(delays), PENSTOCK_WORKER_ABI, "delays",
		"1.0", PENSTOCK_STATELESS, NULL, delays_process, NULL};
	return host_abi == PENSTOCK_WORKER_ABI ? &delays : NULL;
}
