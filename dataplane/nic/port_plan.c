/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_plan.h. The element size repeats what rte_mempool does: a 64-byte object header, the 128-byte
 * mbuf, the room, and padding until the cache lines of an element are coprime with channels and
 * ranks (it assumes 4 and 1 unless told).
 */
#include "nic/port_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/bytes.h"

#define HEADROOM	 128
#define OBJECT_HEADER	 64
#define MBUF_HEADER	 128
#define FRAME_HEADERS	 22 /* Ethernet, two VLAN tags */
#define ROOM_STANDARD	 2048
#define ROOM_STEP	 1024
#define MEMORY_CHANNELS	 4
#define CACHE_WANTED	 256
#define SPARE		 256
#define POOL_COUNT_MAX	 ((1u << 22) - 1)
#define POOL_COUNT_MIN	 1023
/* Of a pool besides its elements: a header, a cache for each of 128 lcores, a ring of pointers. */
#define POOL_FIXED	 (192 + 128 * 8256 + 384)

void
port_plan_init(struct port_plan_in *in)
{
	*in = (struct port_plan_in){.lanes = 1, .mtu = 1500, .rx_desc = 1024, .tx_desc = 1024,
		.burst = 32, .append_slots = 1024, .page_bytes = 2 * MIB};
}

static uint32_t
gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static uint32_t
element_bytes(uint32_t data_room)
{
	uint32_t lines = (uint32_t)(bytes_ceil(OBJECT_HEADER + MBUF_HEADER + data_room,
					    CACHE_LINE_BYTES) /
		CACHE_LINE_BYTES);

	while (gcd(lines, MEMORY_CHANNELS) != 1) {
		lines++;
	}
	return lines * CACHE_LINE_BYTES;
}

/* Objects do not straddle pages, if a page holds one at all. */
static uint64_t
pool_bytes(uint32_t count, uint32_t element, uint32_t page)
{
	uint64_t per_page = page / element;
	uint64_t elements = per_page ? (count + per_page - 1) / per_page * page
				     : (uint64_t)count * element;

	return elements + POOL_FIXED + 8ull * (count + 1);
}

static int
data_room(const struct port_plan_in *in, uint32_t *ret_room, char *text, uint32_t text_bytes)
{
	uint32_t room = (uint32_t)bytes_ceil(in->mtu + FRAME_HEADERS, ROOM_STEP);
	uint32_t slot = 0;

	if (in->mtu < 1280 || in->mtu > in->driver->mtu_max) {
		snprintf(text, text_bytes, "ports[].mtu %u: driver %s takes 1280 to %u", in->mtu,
			in->driver->name, in->driver->mtu_max);
		return -EINVAL;
	}
	if (strcmp(in->driver->name, "memif") == 0) {
		slot = port_devarg_number(in->devargs, "bsize", ROOM_STANDARD);
		if (slot < in->mtu + FRAME_HEADERS - 4) {
			snprintf(text, text_bytes, "ports[].devargs bsize=%u: MTU %u needs %u", slot, in->mtu,
				in->mtu + FRAME_HEADERS - 4);
			return -EINVAL;
		}
	} else if (strcmp(in->driver->name, "af_packet") == 0) {
		slot = port_devarg_number(in->devargs, "framesz", ROOM_STANDARD);
	}
	room = room < slot ? (uint32_t)bytes_ceil(slot, CACHE_LINE_BYTES) : room;
	room = room < ROOM_STANDARD ? ROOM_STANDARD : room;
	if (in->driver->chunk_bytes > 0) {
		room = in->driver->chunk_bytes - OBJECT_HEADER - MBUF_HEADER - HEADROOM;
	}
	*ret_room = HEADROOM + room;
	return 0;
}

/* Taken at queue set-up, or by zero-copy memif when its peer connects: a ring's worth. */
static uint32_t
driver_extra(const struct port_plan_in *in)
{
	char zero_copy[8];
	uint32_t extra = in->driver->extra_buffers;

	if (strcmp(in->driver->name, "tap") == 0) {
		extra += in->rx_desc;
	} else if (strcmp(in->driver->name, "memif") == 0 &&
		port_devarg_text(in->devargs, "zero-copy", zero_copy, sizeof(zero_copy)) &&
		strcmp(zero_copy, "yes") == 0) {
		extra += 1u << (port_devarg_number(in->devargs, "rsize", 10) & 15);
	}
	return extra;
}

static uint32_t
terms_without_park(const struct port_plan_in *in, const struct port_plan *plan)
{
	return in->rx_desc + in->tx_desc + 2 * in->burst + 2 * plan->cache + in->append_slots +
		plan->driver_extra + SPARE;
}

static void
show_terms(const struct port_plan_in *in, const struct port_plan *plan, char *text,
	uint32_t text_bytes)
{
	snprintf(text, text_bytes,
		"packet buffers of a lane of driver %s\n"
		"  %7u  ports[].rx_desc\n"
		"  %7u  ports[].tx_desc\n"
		"  %7u  2 x dataplane.burst\n"
		"  %7u  2 x pool cache\n"
		"  %7u  append ring slots (dataplane.ring_size x shards)\n"
		"  %7u  batches ahead of order (a quarter of the pool)\n"
		"  %7u  driver\n"
		"  %7u  spare\n"
		"  %7u  needed, the pool has %u of %u B: %.1f MiB a lane, %u lane(s)",
		in->driver->name, in->rx_desc, in->tx_desc, 2 * in->burst, 2 * plan->cache, in->append_slots,
		plan->park_max, plan->driver_extra, SPARE, plan->pool_need, plan->pool_count,
		plan->element_bytes, (double)plan->pool_bytes / MIB, in->lanes);
}

/* The smallest 2^k - 1 for which the terms, a quarter of itself among them, fit. */
static uint32_t
smallest_pool(uint32_t fixed)
{
	uint32_t count = POOL_COUNT_MIN;

	while (count < POOL_COUNT_MAX && fixed + count / 4 > count) {
		count = count * 2 + 1;
	}
	return count;
}

int
port_plan(const struct port_plan_in *in, struct port_plan *ret_plan, char *text, uint32_t text_bytes)
{
	struct port_plan plan = {.cache = CACHE_WANTED, .control_count = PORT_CONTROL_BUFFERS};
	uint32_t fixed;
	int rc = data_room(in, &plan.data_room, text, text_bytes);

	if (rc < 0) {
		return rc;
	}
	if (in->lanes == 0 || in->burst == 0 || in->append_slots < 2 * in->burst) {
		snprintf(text, text_bytes, "dataplane.ring_size %u is below 2 x dataplane.burst (%u)",
			in->append_slots, in->burst);
		return -EINVAL;
	}
	plan.driver_extra = driver_extra(in);
	plan.exact_elements = in->driver->chunk_bytes > 0;
	plan.element_bytes =
		plan.exact_elements ? in->driver->chunk_bytes : element_bytes(plan.data_room);
	fixed = terms_without_park(in, &plan);
	plan.pool_count = in->pool_count ? in->pool_count : smallest_pool(fixed);
	plan.park_max = plan.pool_count / 4;
	plan.pool_need = fixed + plan.park_max;
	plan.pool_bytes = pool_bytes(plan.pool_count, plan.element_bytes, in->page_bytes);
	plan.control_bytes = pool_bytes(plan.control_count, plan.element_bytes, in->page_bytes);
	plan.total_bytes = in->lanes * (plan.pool_bytes + plan.control_bytes);
	show_terms(in, &plan, text, text_bytes);
	if (plan.pool_need > plan.pool_count || (plan.pool_count & (plan.pool_count + 1)) != 0) {
		return -EINVAL;
	}
	*ret_plan = plan;
	return 0;
}

uint32_t
port_plan_memory_mib(uint64_t pool_bytes_all, uint64_t ring_bytes)
{
	uint64_t bytes = pool_bytes_all + pool_bytes_all / 20 + ring_bytes;

	return (uint32_t)((bytes + MIB - 1) / MIB) + 32;
}
