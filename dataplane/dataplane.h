/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The face of the data plane: NIC queue -> append requests -> acks. One `struct lane` is one rx
 * lcore with its queue, UDP port and sessions. ctrl/ includes this, nic/nic.h and nic/eal.h only.
 */
#ifndef DATAPLANE_DATAPLANE_H
#define DATAPLANE_DATAPLANE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/counter.h"
#include "base/handoff.h"
#include "base/histogram.h"
#include "base/log_room.h"
#include "base/rand.h"
#include "base/ring.h"
#include "base/route_table.h"
#include "nic/nic.h"

#define LANE_ADDRESSES_MAX   8

struct lane;

#define LANE_SECRETS_ROTATE_NS (60 * NS_PER_S)

/* Shared by all lanes: secrets and identity of one start (ingest/lane_secrets.c). Lanes only read them. */
struct lane_secrets {
	_Atomic uint32_t cookie_index;	    /* newest; index & 1 selects the key */
	_Atomic uint64_t cookie_keys[2][2]; /* by words, replaced while lanes read */
	uint8_t reset_key[32];		    /* the owner's: it outlives a start */
	uint64_t boot_id;
	struct rand *rand; /* this and the next: control's only */
	uint64_t cookie_rotated_ns;
};

/*
 * New cookie keys and a boot id; reset_key stays as it is. rand NULL: from the kernel, as in every
 * program that serves; else seeded, and it must live as long as the secrets. Before any lane runs.
 */
void lane_secrets_init(struct lane_secrets *secrets, struct rand *rand, uint64_t now_ns);
/* A new cookie key once every LANE_SECRETS_ROTATE_NS; the one before stays valid until the next. Control's thread. */
void lane_secrets_rotate(struct lane_secrets *secrets, uint64_t now_ns);

struct lane_options {
	struct clock *clock;
	struct rand *rand; /* the lane's own */
	struct nic *nic;
	const struct route_table *routes;
	const struct lane_secrets *secrets;
	uint16_t lane;
	uint16_t lane_count;
	uint16_t shard_count;
	uint16_t native_port_base;    /* lane i listens on base + i */
	uint16_t ports[HANDOFF_LANES_MAX];    /* 0: base + i; else the real port of each lane (dev: any free) */
	uint32_t sessions_max;
	uint32_t streams_per_session_max;
	uint32_t burst;
	uint64_t idle_timeout_ns;
	bool validate_records; /* look into uncompressed batches, not only at headers */
	uint32_t max_datagram;	      /* at most port MTU - 28; IPv6 clients are told at most MTU - 48 */
	/* Own addresses for net_mode own, IPv4 mapped; none with a kernel stack. */
	uint8_t addresses[LANE_ADDRESSES_MAX][16];
	uint32_t address_count;
	uint16_t vlan_id; /* 0 none */
	uint8_t dscp;	  /* of what is sent, 0..63; a kernel socket has its own */
	struct ring *append_req[HANDOFF_SHARDS_MAX];  /* [shard] */
	struct ring *append_done[HANDOFF_SHARDS_MAX];
	struct ring *control_ask;
	struct ring *control_answer;
	const struct log_room *log_room; /* what the log can take, for credits; outlives the lane */
	uint64_t memory_max_bytes; /* most that the lane's tables may take; 0: not looked at */
};

#define LANE_TEXT_BYTES 1536

void lane_options_init(struct lane_options *options);
/* Slots that each done ring of a lane needs, with append rings of that many. */
uint32_t lane_done_slots(uint32_t append_slots, const struct nic_caps *caps);
/*
 * -EINVAL: the arithmetic of pools, rings, credits and memory does not hold; told in text, with a line
 * "  fix   ..." where a key mends it. On success text holds the sums, one a line.
 */
int lane_create(const struct lane_options *options, struct lane **ret_lane, char *text,
	uint32_t text_bytes) MUST_CHECK;
void lane_destroy(struct lane *lane);
/* One turn, run to completion. The lane's lcore only. Returns work done. */
uint32_t lane_poll(struct lane *lane, uint64_t now_ns);
uint64_t lane_deadline_ns(const struct lane *lane);
/*
 * Around a sleep on the queue's descriptor (nic_caps.rx_fd): arm, poll once more, sleep, disarm. False:
 * the descriptor will not tell, look again soon. The lane's lcore only.
 */
bool lane_arm(struct lane *lane);
void lane_disarm(struct lane *lane);
/*
 * CLOSED(DRAINING) to all and no new HELLO from the lane's next turn on; lane_drained once nothing is
 * parked, in rings or in the log's hands. Any thread.
 */
void lane_drain_begin(struct lane *lane);
bool lane_drained(const struct lane *lane);
/* Its addresses are announced again from the next turn on: the link came up. Any thread. */
void lane_announce(struct lane *lane);
/* Checksums that its device calls good are verified all the same from now on. Any thread. */
void lane_distrust_checksums(struct lane *lane);
/* The group MAC addresses that its port must accept for IPv6; returns their count. At start. */
uint32_t lane_groups(const struct lane *lane, uint8_t (*ret_macs)[6], uint32_t max);

/* Any thread. */
void lane_counters(struct lane *lane, uint64_t *ret_values);

enum lane_latency {
	LANE_RX_TO_OFFER,
	LANE_RX_TO_DURABLE,
	LANE_RX_TO_ACK,
	LANE_LATENCY_COUNT,
};

void lane_latencies(struct lane *lane, enum lane_latency which, struct histogram *ret_histogram);

/*
 * What became of the records of one partition's batches at one lane: E5 in records, of that partition. What
 * came for it is all others together, at the end of each turn.
 */
enum lane_fate {
	LANE_FATE_CAME,
	LANE_FATE_STORED,
	LANE_FATE_REFUSED,
	LANE_FATE_DUPLICATE,
	LANE_FATE_REWOUND, /* discarded because one before it was refused */
	LANE_FATE_CLOSED,  /* discarded with its session */
	LANE_FATE_HELD,
	LANE_FATE_COUNT,
};

/* Any thread; the numbers are of one turn only if the lane rests. partition_index is below partitions_max. */
void lane_partition_records(
	const struct lane *lane, uint32_t partition_index, uint64_t ret_records[LANE_FATE_COUNT]);

/* One native session, as producer.list shows it. */
struct lane_session_row {
	uint64_t session_id;
	int64_t producer_id;
	int16_t producer_epoch;
	char name[HANDOFF_PRODUCER_NAME_MAX + 1];
	struct packet_peer peer;
	uint64_t credit_bytes, credit_packets;
	uint64_t datagrams, duplicates, records;
	uint64_t recv_upto;
	uint32_t streams;
	uint64_t last_rx_time_ns;
};

/*
 * Copies published rows from place *place on, at most max, and returns how many; *place is then where
 * to go on: 0 begins, fewer than max were the last. ret_places (may be NULL) gets each row's. A session
 * keeps its place for life. Any thread; rows are at most one lane turn old.
 */
uint32_t lane_sessions(struct lane *lane, uint32_t *place, struct lane_session_row *ret_rows,
	uint32_t *ret_places, uint32_t max);

/* The drop ledger of one lane (ingest/ledger.c): equations with their terms. */
struct ledger_term {
	const char *name;
	uint64_t value;
	bool visible;
	int8_t sign; /* +1 left side, -1 right side, 0 shown only */
};

struct ledger_equation {
	const char *name; /* "E3 net" */
	uint32_t term_count;
	struct ledger_term terms[80];
	int64_t difference;
	bool visible; /* false: a term cannot be seen here */
	uint64_t moving_max; /* so much may be under way between the threads of its terms; 0: one snapshot */
};

#define LEDGER_EQUATIONS_MAX 11

/* What all writers of the log stored, and what all shards appended: batches, records, bytes. */
struct ledger_log {
	uint64_t stored[3];   /* the lanes' `stored` */
	uint64_t control[3];  /* the broker's records */
	uint64_t appended[3]; /* the shards' `append_*` */
};

#define LEDGER_LOG_EQUATIONS 3

/*
 * E6 of one partition, in records: at each lane what came for it met one fate, and what all lanes stored is
 * what its log has grown by since the start. Returns how many records are not where they belong; 0 adds up.
 */
uint64_t ledger_partition_astray(const uint64_t (*lanes)[LANE_FATE_COUNT], uint32_t lane_count, uint64_t grown);

/* E6 across the ring: fills LEDGER_LOG_EQUATIONS equations. */
void ledger_log_equations(const struct ledger_log *log, struct ledger_equation *ret_equations);
/* Fills the equations from one snapshot of counters and port statistics; returns their count. */
uint32_t ledger_equations(const uint64_t *lane_values, const struct nic_stats *stats,
	const struct nic_caps *caps, struct ledger_equation *ret_equations);

#endif
