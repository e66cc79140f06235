/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated network between clients and a server: every datagram gets its own fate from one seeded
 * generator: lost, doubled, damaged, delayed (and so reordered), too large. Virtual time only.
 */
#ifndef MODEL_SIM_NET_H
#define MODEL_SIM_NET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/rand.h"

struct sim_net_options {
	struct rand *rand;
	uint32_t loss_ppm;
	uint32_t duplicate_ppm;
	uint32_t corrupt_ppm;
	uint32_t reorder_ppm; /* delayed by up to ten times the usual */
	uint64_t delay_ns;    /* one way, least */
	uint64_t jitter_ns;
};

struct sim_packet {
	uint64_t at_ns;
	uint64_t serial;   /* breaks ties: in order of sending */
	uint32_t address;  /* the client's socket */
	uint16_t port;	   /* of the server */
	bool to_server;
	uint32_t len;
	uint8_t *bytes;
};

struct sim_net {
	struct sim_net_options options;
	struct sim_packet *heap;
	uint32_t count, room;
	uint64_t serial;
	uint64_t dead_until_ns; /* everything sent before is lost */
	uint32_t mtu;		/* larger payloads vanish; 0: none do */
	uint64_t sent, lost, duplicated, corrupted, reordered, oversize;
};

void sim_net_init(struct sim_net *net, const struct sim_net_options *options);
void sim_net_fini(struct sim_net *net);
void sim_net_send(struct sim_net *net, const struct sim_packet *packet, uint64_t now_ns);
/* The next packet due at or before now_ns; its bytes are the caller's to free. */
bool sim_net_take(struct sim_net *net, uint64_t now_ns, struct sim_packet *ret_packet);
uint64_t sim_net_deadline_ns(const struct sim_net *net);
/* Forgets what is under way to the server (its host went down). */
void sim_net_drop_all(struct sim_net *net);

#endif
