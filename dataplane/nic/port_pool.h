/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a packet pool lies where a driver will look for its buffers. AF_XDP's hands the pool's memory to the
 * kernel as one array of chunks and finds a buffer by its place in it; a pool in pieces would start, and lose
 * every packet that lands behind the first. Pure, no DPDK, any thread.
 */
#ifndef NIC_PORT_POOL_H
#define NIC_PORT_POOL_H

#include <stdbool.h>
#include <stdint.h>

struct port_pool_shape {
	uint32_t pieces; /* of virtual memory: nb_mem_chunks */
	uint32_t count;	 /* buffers */
	uint32_t misplaced; /* of them, not at their place in an array that begins with the first piece */
	uint64_t address; /* of the first piece */
};

/* True if it is one array of chunks of that size, from a multiple of it on. Else the cause and what mends it in text. */
bool port_pool_is_array(
	const struct port_pool_shape *shape, uint32_t chunk_bytes, char *text, uint32_t text_bytes);

#endif
