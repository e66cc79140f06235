/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays in, arrays out (nic_fake.h). Two FIFOs of buffer indexes over two pools of nic/buffer_pool.h;
 * tokens are built like those of the real queues: rx index + 1, tx with TX_TOKEN besides.
 */
#include "support/nic_fake.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "nic/buffer_pool.h"
#include "nic/tx_queue.h"

#define TX_TOKEN     (1ull << 32)
#define POISON	     0xdd
#define FRAME_HEADER 22 /* Ethernet and two VLAN tags: tests send nested ones */
#define NO_INDEX     UINT32_MAX

struct fake_slot {
	uint32_t len;
	uint32_t flags;
	uint64_t rx_time_ns;
	struct packet_peer peer;
};

/* A FIFO of at most `size` indexes. */
struct fake_fifo {
	uint32_t *indexes;
	uint32_t size, head, count;
};

struct nic_fake {
	struct nic nic;
	struct nic_fake_options options;
	struct buffer_pool rx_pool, tx_pool;
	struct fake_slot *rx_slots, *tx_slots;
	struct fake_fifo rx_fifo, tx_fifo;
	struct tx_queue tx_queue;
	uint32_t taken_index; /* what take() handed out last */
	uint32_t tx_room;
	uint32_t tx_alloc_failures;
	uint32_t owners_out;
	bool armed;
	struct nic_stats stats;
};

static struct nic_fake *
fake_of(struct nic *nic)
{
	return CONTAINER_OF(nic, struct nic_fake, nic);
}

static void
fifo_init(struct fake_fifo *fifo, uint32_t size)
{
	*fifo = (struct fake_fifo){.indexes = calloc(size, sizeof(uint32_t)), .size = size};
	ensure(fifo->indexes != NULL);
}

static void
fifo_push(struct fake_fifo *fifo, uint32_t index)
{
	ensure(fifo->count < fifo->size);
	fifo->indexes[(fifo->head + fifo->count++) % fifo->size] = index;
}

static uint32_t
fifo_pop(struct fake_fifo *fifo)
{
	uint32_t index = fifo->indexes[fifo->head];

	ensure(fifo->count > 0);
	fifo->head = (fifo->head + 1) % fifo->size;
	fifo->count--;
	return index;
}

static uint32_t
tx_index(uint64_t token)
{
	ensure(token > TX_TOKEN);
	return (uint32_t)(token - TX_TOKEN - 1);
}

static uint32_t
nic_fake_rx(struct nic *nic, struct packet_view *ret_views, uint32_t max)
{
	struct nic_fake *f = fake_of(nic);
	uint32_t n = 0;

	while (n < max && f->rx_fifo.count > 0) {
		uint32_t index = fifo_pop(&f->rx_fifo);
		const struct fake_slot *slot = &f->rx_slots[index];

		ret_views[n++] = (struct packet_view){
			.data = buffer_pool_at(&f->rx_pool, index),
			.len = slot->len,
			.flags = slot->flags | (f->options.kernel_stack ? PACKET_KERNEL_STACK : 0),
			.owner = (uint64_t)index + 1,
			.rx_time_ns = slot->rx_time_ns,
			.peer = slot->peer,
		};
	}
	f->owners_out += n;
	f->stats.ipackets += n;
	return n;
}

static bool
nic_fake_tx_alloc(struct nic *nic, uint32_t len, struct packet_view *ret_view)
{
	struct nic_fake *f = fake_of(nic);
	uint32_t index;

	if (f->tx_alloc_failures > 0) {
		f->tx_alloc_failures--;
		return false;
	}
	if (len > f->tx_pool.stride_bytes || !buffer_pool_take(&f->tx_pool, &index)) {
		return false;
	}
	*ret_view = (struct packet_view){
		.data = buffer_pool_at(&f->tx_pool, index),
		.len = len,
		.flags = f->options.kernel_stack ? PACKET_KERNEL_STACK : 0,
		.owner = TX_TOKEN + index + 1,
	};
	return true;
}

static void
nic_fake_tx_free(struct nic *nic, const struct packet_view *view)
{
	buffer_pool_give(&fake_of(nic)->tx_pool, tx_index(view->owner));
}

/* Moves what the "driver" takes from the software queue to the sent packets. */
static void
fake_drain(struct nic_fake *f)
{
	uint32_t n = 0;

	while (n < f->tx_queue.count && f->tx_room > 0) {
		fifo_push(&f->tx_fifo, tx_index(f->tx_queue.tokens[n++]));
		f->tx_room -= f->tx_room != NIC_FAKE_UNLIMITED;
	}
	f->stats.opackets += n;
	tx_queue_drop_front(&f->tx_queue, n);
}

static uint32_t
nic_fake_tx(struct nic *nic, const struct packet_view *views, uint32_t n)
{
	struct nic_fake *f = fake_of(nic);
	uint32_t given_up = 0;

	fake_drain(f);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t index = tx_index(views[i].owner);

		ensure(views[i].len <= f->tx_pool.stride_bytes);
		ensure(f->tx_pool.taken[index] == 1);
		if (tx_queue_room(&f->tx_queue) == 0) {
			buffer_pool_give(&f->tx_pool, index);
			given_up++;
			continue;
		}
		f->tx_slots[index] = (struct fake_slot){
			.len = views[i].len, .flags = views[i].flags, .peer = views[i].peer};
		tx_queue_push(&f->tx_queue, views[i].owner);
		fake_drain(f);
	}
	return given_up;
}

static uint32_t
nic_fake_tx_queued(struct nic *nic)
{
	return fake_of(nic)->tx_queue.count;
}

static void
nic_fake_release(struct nic *nic, const uint64_t *owners, uint32_t n)
{
	struct nic_fake *f = fake_of(nic);

	ensure(n <= f->owners_out);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t index = (uint32_t)(owners[i] - 1);

		ensure(owners[i] != 0);
		buffer_pool_give(&f->rx_pool, index);
		memset(buffer_pool_at(&f->rx_pool, index), POISON, f->rx_pool.stride_bytes);
	}
	f->owners_out -= n;
}

/* It has no descriptor to sleep on. */
static bool
nic_fake_rx_arm(struct nic *nic)
{
	fake_of(nic)->armed = true;
	return false;
}

static void
nic_fake_rx_disarm(struct nic *nic)
{
	fake_of(nic)->armed = false;
}

bool
nic_fake_armed(const struct nic *nic)
{
	return CONTAINER_OF(nic, const struct nic_fake, nic)->armed;
}

static uint32_t
nic_fake_buffers_free(struct nic *nic)
{
	return fake_of(nic)->rx_pool.free_count;
}

static uint32_t
nic_fake_owners_out(struct nic *nic)
{
	return fake_of(nic)->owners_out;
}

static void
nic_fake_caps(struct nic *nic, struct nic_caps *ret_caps)
{
	struct nic_fake *f = fake_of(nic);

	*ret_caps = (struct nic_caps){
		.driver = "fake",
		.mtu = f->options.mtu,
		.queues = 1,
		.kernel_stack = f->options.kernel_stack,
		.counts_losses = true,
		.rx_fd = -1,
		.rx_descriptors = f->options.rx_descriptors,
		.pool_count = f->options.rx_buffer_count,
		.idle_rx_every = 1,
	};
	memcpy(ret_caps->mac, f->options.mac, 6);
}

static void
nic_fake_stats(struct nic *nic, struct nic_stats *ret_stats)
{
	*ret_stats = fake_of(nic)->stats;
	ret_stats->queue_ipackets = ret_stats->ipackets;
	ret_stats->queue_opackets = ret_stats->opackets;
}

static void
nic_fake_destroy(struct nic *nic)
{
	struct nic_fake *f = fake_of(nic);

	buffer_pool_destroy(&f->rx_pool);
	buffer_pool_destroy(&f->tx_pool);
	free(f->rx_slots);
	free(f->tx_slots);
	free(f->rx_fifo.indexes);
	free(f->tx_fifo.indexes);
	free(f);
}

static const struct nic_ops nic_fake_ops = {
	.rx = nic_fake_rx,
	.tx_alloc = nic_fake_tx_alloc,
	.tx_free = nic_fake_tx_free,
	.tx = nic_fake_tx,
	.tx_queued = nic_fake_tx_queued,
	.release = nic_fake_release,
	.rx_arm = nic_fake_rx_arm,
	.rx_disarm = nic_fake_rx_disarm,
	.buffers_free = nic_fake_buffers_free,
	.caps = nic_fake_caps,
	.stats = nic_fake_stats,
	.owners_out = nic_fake_owners_out,
	.destroy = nic_fake_destroy,
};

void
nic_fake_options_init(struct nic_fake_options *options)
{
	*options = (struct nic_fake_options){
		.kernel_stack = true,
		.mac = {2, 0, 0, 0, 0, 1},
		.mtu = 1500,
		.rx_buffer_count = 1023,
		.rx_descriptors = 512,
		.tx_buffer_count = 511,
	};
}

struct nic *
nic_fake_create(const struct nic_fake_options *options)
{
	struct nic_fake *f = calloc(1, sizeof(*f));
	uint32_t buffer_bytes = (uint32_t)options->mtu + FRAME_HEADER;

	ensure(f != NULL);
	f->nic.ops = &nic_fake_ops;
	f->options = *options;
	f->taken_index = NO_INDEX;
	f->tx_room = NIC_FAKE_UNLIMITED;
	ensure(buffer_pool_create(&f->rx_pool, options->rx_buffer_count, buffer_bytes) == 0);
	ensure(buffer_pool_create(&f->tx_pool, options->tx_buffer_count, buffer_bytes) == 0);
	f->rx_slots = calloc(options->rx_buffer_count, sizeof(*f->rx_slots));
	f->tx_slots = calloc(options->tx_buffer_count, sizeof(*f->tx_slots));
	ensure(f->rx_slots != NULL);
	ensure(f->tx_slots != NULL);
	fifo_init(&f->rx_fifo, options->rx_descriptors);
	fifo_init(&f->tx_fifo, options->tx_buffer_count);
	return &f->nic;
}

bool
nic_fake_put(struct nic *nic, const struct nic_fake_packet *packet)
{
	struct nic_fake *f = fake_of(nic);
	uint32_t index;

	ensure(packet->len <= f->rx_pool.stride_bytes);
	if (f->rx_fifo.count == f->rx_fifo.size || !buffer_pool_take(&f->rx_pool, &index)) {
		f->stats.imissed++;
		return false;
	}
	memcpy(buffer_pool_at(&f->rx_pool, index), packet->data, packet->len);
	f->rx_slots[index] = (struct fake_slot){.len = packet->len, .flags = packet->flags,
		.rx_time_ns = packet->rx_time_ns, .peer = packet->peer};
	fifo_push(&f->rx_fifo, index);
	return true;
}

bool
nic_fake_take(struct nic *nic, struct nic_fake_packet *ret_packet)
{
	struct nic_fake *f = fake_of(nic);
	const struct fake_slot *slot;

	if (f->taken_index != NO_INDEX) {
		buffer_pool_give(&f->tx_pool, f->taken_index);
		f->taken_index = NO_INDEX;
	}
	if (f->tx_fifo.count == 0) {
		return false;
	}
	f->taken_index = fifo_pop(&f->tx_fifo);
	slot = &f->tx_slots[f->taken_index];
	*ret_packet = (struct nic_fake_packet){
		.data = buffer_pool_at(&f->tx_pool, f->taken_index),
		.len = slot->len,
		.flags = slot->flags,
		.peer = slot->peer,
	};
	return true;
}

void
nic_fake_tx_room(struct nic *nic, uint32_t packets)
{
	fake_of(nic)->tx_room = packets;
}

void
nic_fake_tx_alloc_fail(struct nic *nic, uint32_t times)
{
	fake_of(nic)->tx_alloc_failures = times;
}

uint32_t
nic_fake_rx_waiting(struct nic *nic)
{
	return fake_of(nic)->rx_fifo.count;
}

uint32_t
nic_fake_tx_waiting(struct nic *nic)
{
	return fake_of(nic)->tx_fifo.count;
}
