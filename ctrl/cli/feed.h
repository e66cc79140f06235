/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines or CSV -> records -> libpenstock. Owned by the calling thread; the delivery callback runs on
 * the library's thread and touches only the atomics and, until feed_finish returns, the histogram.
 */
#ifndef CTRL_CLI_FEED_H
#define CTRL_CLI_FEED_H

#include <stdatomic.h>
#include <stdio.h>
#include "base/histogram.h"
#include "ctrl/cli/cli.h"
#include "client/penstock.h"

struct feed_options {
	const char *topic;
	const char *bootstrap; /* NULL: the library's default */
	const char *client_id; /* NULL: none */
	bool csv;
	char delimiter;
	const char *key_column;	      /* a name of the header line, or a number from 1; NULL: no key */
	const char *timestamp_column; /* the same; ms since 1970 */
	int32_t partition;	      /* -1: by key */
};

struct feed {
	struct feed_options options;
	struct penstock_producer *producer;
	FILE *input;
	char *line;
	size_t line_room;
	int key_index;
	int timestamp_index;
	uint64_t line_number;
	uint64_t sent;
	uint64_t sent_bytes;
	_Atomic uint64_t durable;
	_Atomic uint64_t failed;
	_Atomic int last_error;
	struct histogram latency;
	uint64_t start_ns;
	uint64_t end_ns; /* when the last acknowledgement was there */
};

/* The producer, and the header line if columns are named. Exit code after having said why. */
int feed_open(struct feed *feed, const struct feed_options *options, FILE *input);
/* Sends for about budget_ns; 1: there is more, 0: the input has ended, negative: exit code. */
int feed_step(struct feed *feed, uint64_t budget_ns);
/* Waits for all acknowledgements. 0 or an exit code after having said why. */
int feed_finish(struct feed *feed, uint32_t timeout_ms);
void feed_close(struct feed *feed);

#endif
