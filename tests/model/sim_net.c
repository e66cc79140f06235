/* SPDX-License-Identifier: Apache-2.0 */
/* Simulated network (sim_net.h): a heap of packets by time of arrival. */
#include "sim_net.h"

#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"

void
sim_net_init(struct sim_net *net, const struct sim_net_options *options)
{
	*net = (struct sim_net){.options = *options};
}

void
sim_net_drop_all(struct sim_net *net)
{
	for (uint32_t i = 0; i < net->count; i++) {
		free(net->heap[i].bytes);
	}
	net->count = 0;
}

void
sim_net_fini(struct sim_net *net)
{
	sim_net_drop_all(net);
	free(net->heap);
	net->heap = NULL;
	net->room = 0;
}

static bool
net_before(const struct sim_packet *a, const struct sim_packet *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->serial < b->serial;
}

static void
net_push(struct sim_net *net, const struct sim_packet *packet)
{
	if (net->count == net->room) {
		net->room = net->room ? net->room * 2 : 256;
		net->heap = realloc(net->heap, net->room * sizeof(*net->heap));
		ensure(net->heap);
	}
	uint32_t at = net->count++;

	while (at > 0 && net_before(packet, &net->heap[(at - 1) / 2])) {
		net->heap[at] = net->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	net->heap[at] = *packet;
}

bool
sim_net_take(struct sim_net *net, uint64_t now_ns, struct sim_packet *ret_packet)
{
	if (net->count == 0 || net->heap[0].at_ns > now_ns) {
		return false;
	}
	*ret_packet = net->heap[0];
	struct sim_packet last = net->heap[--net->count];
	uint32_t at = 0;

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= net->count) {
			break;
		}
		if (child + 1 < net->count && net_before(&net->heap[child + 1], &net->heap[child])) {
			child++;
		}
		if (!net_before(&net->heap[child], &last)) {
			break;
		}
		net->heap[at] = net->heap[child];
		at = child;
	}
	net->heap[at] = last;
	return true;
}

uint64_t
sim_net_deadline_ns(const struct sim_net *net)
{
	return net->count > 0 ? net->heap[0].at_ns : UINT64_MAX;
}

static void
net_send_copy(struct sim_net *net, const struct sim_packet *packet, uint64_t now_ns)
{
	const struct sim_net_options *o = &net->options;
	struct sim_packet copy = *packet;

	copy.bytes = malloc(packet->len > 0 ? packet->len : 1);
	ensure(copy.bytes);
	memcpy(copy.bytes, packet->bytes, packet->len);
	copy.serial = net->serial++;
	copy.at_ns = now_ns + o->delay_ns + (o->jitter_ns ? rand_below(o->rand, o->jitter_ns) : 0);
	if (rand_chance_ppm(o->rand, o->reorder_ppm)) {
		copy.at_ns += rand_below(o->rand, 10 * (o->delay_ns + o->jitter_ns) + 1);
		net->reordered++;
	}
	if (packet->len > 0 && rand_chance_ppm(o->rand, o->corrupt_ppm)) {
		uint32_t flips = 1 + (uint32_t)rand_below(o->rand, 3);

		for (uint32_t i = 0; i < flips; i++) {
			copy.bytes[rand_below(o->rand, packet->len)] ^=
				(uint8_t)(1u << rand_below(o->rand, 8));
		}
		net->corrupted++;
	}
	net_push(net, &copy);
}

void
sim_net_send(struct sim_net *net, const struct sim_packet *packet, uint64_t now_ns)
{
	const struct sim_net_options *o = &net->options;

	net->sent++;
	if (net->mtu != 0 && packet->len > net->mtu) {
		net->oversize++;
		return;
	}
	if (now_ns < net->dead_until_ns || rand_chance_ppm(o->rand, o->loss_ppm)) {
		net->lost++;
		return;
	}
	net_send_copy(net, packet, now_ns);
	if (rand_chance_ppm(o->rand, o->duplicate_ppm)) {
		net->duplicated++;
		net_send_copy(net, packet, now_ns);
	}
}
