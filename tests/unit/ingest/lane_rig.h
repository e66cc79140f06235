/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of ingest begin with: one lane in its harness, one client, and the shorthand for them.
 * One pair a program: a test begins with begin() or begin_empty() and ends with lane_harness_fini().
 */
#ifndef TESTS_LANE_RIG_H
#define TESTS_LANE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "support/lane_harness.h"

static struct lane_harness harness;
static struct lane_client client;

#define COUNT(c) lane_harness_counter(&harness, LANE_##c)

/* A lane, and a client that has said nothing yet. */
static inline struct lane_harness *
begin_empty(void)
{
	lane_harness_init(&harness);
	lane_harness_create(&harness);
	lane_client_init(&client, 1);
	return &harness;
}

/* A lane with one open session. */
static inline struct lane_harness *
begin(void)
{
	(void)begin_empty();
	lane_client_connect(&client, &harness);
	return &harness;
}

static inline void
turn(void)
{
	(void)lane_harness_turn(&harness);
}

/* Any bytes as a datagram of the client, then a turn. */
static inline void
inject(const uint8_t *bytes, size_t len)
{
	lane_harness_put(&harness, &client.peer, bytes, len);
	turn();
}

/* Data of stream 1, then a turn. */
static inline void
data(int32_t base_sequence, int32_t count)
{
	lane_client_data(&client, &harness, 1, base_sequence, count);
	turn();
}

/* The entry of a stream in the last ACK sent. */
static inline struct session_msg_ack_entry
entry_of(uint32_t stream)
{
	struct session_msg_ack ack;

	lane_harness_last_ack(&harness, &ack);
	for (uint32_t i = 0; i < ack.entries; i++) {
		if (ack.entry[i].stream == stream) {
			return ack.entry[i];
		}
	}
	fail();
	return ack.entry[0];
}

#endif
