/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker between rings, over a log in memory that answers at once. broker_rig.c is that log: it
 * defines what ctrl/ calls of logstore.h, so nobody links both this and logstore/.
 */
#ifndef SUPPORT_BROKER_RIG_H
#define SUPPORT_BROKER_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/rand.h"
#include "base/ring.h"
#include "ctrl/broker/broker.h"
#include "support/clock_fake.h"

#define BROKER_RIG_TOPICS_MAX	  16
#define BROKER_RIG_PARTITIONS_MAX 256
#define BROKER_RIG_LANES	  2
#define BROKER_RIG_ANSWERS	  64 /* a lane's ring of answers */

struct rig_partition {
	bool exists;
	char topic[HANDOFF_TOPIC_NAME_MAX + 1];
	uint32_t partition;
	uint8_t topic_id[16];
	struct log_topic_config config;
	enum log_partition_state state; /* ABSENT: serving */
	int64_t end;
	int64_t durable;
	uint8_t *log; /* exactly len bytes on the heap, so that a sanitizer sees who reads beyond */
	size_t len;
};

struct logstore {
	struct rig_partition partitions[BROKER_RIG_PARTITIONS_MAX];
	uint32_t partition_count;
	struct log_command *answered[64];
	uint32_t answered_count;
	uint32_t creates_left; /* then the log answers no more: a crash in the middle */
	uint32_t creates_good; /* then it refuses with create_error */
	int16_t create_error;
	int create_os_error;
	struct log_repair repair; /* what a repair answers, and with which code */
	int16_t repair_error;
	uint32_t appends_good; /* then they are refused with append_error */
	int16_t append_error;
	int16_t read_error; /* of every read from now on */
	bool disk_low;
	bool hold_durable;
	bool mute; /* its lcore does not turn: nothing is taken, nothing answered */
	bool in_use; /* as recovery tells; broker_rig_restart sets it */
};

struct broker_rig {
	struct logstore store;
	struct clock_fake clock;
	struct rand rand;
	struct route_table routes;
	struct ring append_req, append_done, read_req, read_done, extent_release;
	struct ring ask[BROKER_RIG_LANES], answer[BROKER_RIG_LANES];
	struct broker *broker;
};

/* An empty log and a broker on it. */
void broker_rig_init(struct broker_rig *rig);
void broker_rig_free(struct broker_rig *rig);
/* Gives partition the bytes [bytes, bytes + len), `end` records; a copy. */
void broker_rig_set_log(struct broker_rig *rig, uint32_t partition, const uint8_t *bytes, size_t len,
	int64_t end);
/* A partition as recovery finds it: in the log, and told to the broker. */
void broker_rig_found(struct broker_rig *rig, const char *topic, uint32_t partition,
	const uint8_t topic_id[16]);
/* One turn of broker and log. Returns work done. */
uint32_t broker_rig_poll(struct broker_rig *rig);
/* Turns until nothing moves. */
void broker_rig_run(struct broker_rig *rig);
/* Another broker over the same log, which tells it what recovery would find; runs it. */
void broker_rig_restart(struct broker_rig *rig);

#endif
