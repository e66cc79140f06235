/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nic_fault.h. Lane's lcore only, but for stats(). Owners of rx: a lost packet's is released at once; a
 * duplicate is a copy whose token has COPY_TOKEN set, which no driver's token has (user pointers and
 * small numbers); a held packet is out below and not yet out above.
 */
#include "nic/nic_fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/rand.h"
#include "nic/buffer_pool.h"

#define COPY_TOKEN    (1ull << 63)
#define COPIES	      256
#define HELD_MAX      16
#define HOLD_BEHIND   8
#define HOLD_TX_CALLS 64
#define PPM_MAX	      1000000
#define FRAME_HEADERS 18

struct held_packet {
	struct packet_view view;
	uint64_t due; /* handed out when that many packets have been */
};

struct nic_fault {
	struct nic nic;
	struct nic *inner;
	struct nic_fault_options options;
	struct rand rand;
	struct buffer_pool copies;
	uint32_t copies_out;
	uint32_t held_count;
	struct held_packet held[HELD_MAX];
	uint64_t handed_out;
	_Atomic uint64_t lost, duplicated, reordered;
	struct rand tx_rand;
	uint32_t tx_held_count, tx_out_count;
	uint32_t tx_empty_calls; /* running */
	struct held_packet tx_held[HELD_MAX];
	struct packet_view tx_out[NIC_BURST_MAX];
	uint64_t tx_passed;
	_Atomic uint64_t tx_lost, tx_duplicated, tx_reordered;
};

static struct nic_fault *
fault_of(struct nic *nic)
{
	return CONTAINER_OF(nic, struct nic_fault, nic);
}

static void
count_one(_Atomic uint64_t *counter)
{
	atomic_store_explicit(
		counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* Moves held packets that are due, or all of them, to the caller's array. */
static uint32_t
fault_hand_held(struct nic_fault *f, struct packet_view *ret_views, uint32_t room, bool all)
{
	uint32_t n = 0, kept = 0;

	for (uint32_t i = 0; i < f->held_count; i++) {
		if (n < room && (all || f->held[i].due <= f->handed_out)) {
			ret_views[n++] = f->held[i].view;
		} else {
			f->held[kept++] = f->held[i];
		}
	}
	f->held_count = kept;
	return n;
}

static bool
fault_copy(struct nic_fault *f, const struct packet_view *view, struct packet_view *ret_copy)
{
	uint32_t index;

	if (view->len > f->copies.stride_bytes || !buffer_pool_take(&f->copies, &index)) {
		return false;
	}
	*ret_copy = *view;
	ret_copy->data = buffer_pool_at(&f->copies, index);
	memcpy(ret_copy->data, view->data, view->len);
	ret_copy->owner = COPY_TOKEN | index;
	f->copies_out++;
	return true;
}

/* One packet from below: 0, 1 or, with room for it, 2 views for the caller. */
static uint32_t
fault_apply(struct nic_fault *f, const struct packet_view *view, struct packet_view *ret_views,
	bool room_for_copy)
{
	if (rand_chance_ppm(&f->rand, f->options.loss_ppm)) {
		f->inner->ops->release(f->inner, &view->owner, 1);
		count_one(&f->lost);
		return 0;
	}
	if (f->held_count < HELD_MAX && rand_chance_ppm(&f->rand, f->options.reorder_ppm)) {
		f->held[f->held_count++] = (struct held_packet){
			*view, f->handed_out + 1 + rand_below(&f->rand, HOLD_BEHIND)};
		count_one(&f->reordered);
		return 0;
	}
	ret_views[0] = *view;
	if (room_for_copy && rand_chance_ppm(&f->rand, f->options.duplicate_ppm) &&
		fault_copy(f, view, &ret_views[1])) {
		count_one(&f->duplicated);
		return 2;
	}
	return 1;
}

static uint32_t
nic_fault_rx(struct nic *nic, struct packet_view *ret_views, uint32_t max)
{
	struct nic_fault *f = fault_of(nic);
	struct packet_view views[NIC_BURST_MAX];
	uint32_t n = fault_hand_held(f, ret_views, max, false);
	uint32_t want = max - n < NIC_BURST_MAX ? max - n : NIC_BURST_MAX;
	uint32_t got = want > 0 ? f->inner->ops->rx(f->inner, views, want) : 0;

	for (uint32_t i = 0; i < got; i++) {
		bool room_for_copy = n + 1 + (got - i - 1) < max;

		n += fault_apply(f, &views[i], &ret_views[n], room_for_copy);
	}
	if (got == 0) {
		n += fault_hand_held(f, &ret_views[n], max - n, true);
	}
	f->handed_out += n;
	return n;
}

static void
nic_fault_release(struct nic *nic, const uint64_t *owners, uint32_t n)
{
	struct nic_fault *f = fault_of(nic);
	uint32_t first = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (!(owners[i] & COPY_TOKEN)) {
			continue;
		}
		if (i > first) {
			f->inner->ops->release(f->inner, owners + first, i - first);
		}
		first = i + 1;
		buffer_pool_give(&f->copies, (uint32_t)(owners[i] & ~COPY_TOKEN));
		f->copies_out--;
	}
	if (n > first) {
		f->inner->ops->release(f->inner, owners + first, n - first);
	}
}

static uint32_t
nic_fault_owners_out(struct nic *nic)
{
	struct nic_fault *f = fault_of(nic);

	return f->inner->ops->owners_out(f->inner) - f->held_count + f->copies_out;
}

static bool
nic_fault_tx_alloc(struct nic *nic, uint32_t len, struct packet_view *ret_view)
{
	struct nic_fault *f = fault_of(nic);

	return f->inner->ops->tx_alloc(f->inner, len, ret_view);
}

static void
nic_fault_tx_free(struct nic *nic, const struct packet_view *view)
{
	struct nic_fault *f = fault_of(nic);

	f->inner->ops->tx_free(f->inner, view);
}

/* These return packets that the queue below gave up. */
static uint32_t
fault_tx_flush(struct nic_fault *f)
{
	uint32_t given_up = f->inner->ops->tx(f->inner, f->tx_out, f->tx_out_count);

	f->tx_out_count = 0;
	return given_up;
}

static uint32_t
fault_tx_pass(struct nic_fault *f, const struct packet_view *view)
{
	uint32_t given_up = f->tx_out_count == NIC_BURST_MAX ? fault_tx_flush(f) : 0;

	f->tx_out[f->tx_out_count++] = *view;
	f->tx_passed++;
	return given_up;
}

static uint32_t
fault_tx_pass_held(struct nic_fault *f, bool all)
{
	uint32_t kept = 0, given_up = 0, count = f->tx_held_count;

	for (uint32_t i = 0; i < count; i++) {
		if (all || f->tx_held[i].due <= f->tx_passed) {
			given_up += fault_tx_pass(f, &f->tx_held[i].view);
		} else {
			f->tx_held[kept++] = f->tx_held[i];
		}
	}
	f->tx_held_count = kept;
	return given_up;
}

static bool
fault_tx_copy(struct nic_fault *f, const struct packet_view *view, struct packet_view *ret_copy)
{
	struct packet_view fresh;

	if (!f->inner->ops->tx_alloc(f->inner, view->len, &fresh)) {
		return false;
	}
	*ret_copy = *view;
	ret_copy->data = fresh.data;
	ret_copy->owner = fresh.owner;
	memcpy(ret_copy->data, view->data, view->len);
	return true;
}

static uint32_t
fault_tx_apply(struct nic_fault *f, const struct packet_view *view)
{
	struct packet_view copy;
	uint32_t given_up;

	if (rand_chance_ppm(&f->tx_rand, f->options.tx_loss_ppm)) {
		f->inner->ops->tx_free(f->inner, view);
		count_one(&f->tx_lost);
		return 0;
	}
	if (f->tx_held_count < HELD_MAX && rand_chance_ppm(&f->tx_rand, f->options.tx_reorder_ppm)) {
		f->tx_held[f->tx_held_count++] = (struct held_packet){
			*view, f->tx_passed + 1 + rand_below(&f->tx_rand, HOLD_BEHIND)};
		count_one(&f->tx_reordered);
		return 0;
	}
	/* Passed is not yet sent: the bytes are there to be copied. */
	given_up = fault_tx_pass(f, view);
	if (rand_chance_ppm(&f->tx_rand, f->options.tx_duplicate_ppm) && fault_tx_copy(f, view, &copy)) {
		given_up += fault_tx_pass(f, &copy);
		count_one(&f->tx_duplicated);
	}
	return given_up + fault_tx_pass_held(f, false);
}

static uint32_t
nic_fault_tx(struct nic *nic, const struct packet_view *views, uint32_t n)
{
	struct nic_fault *f = fault_of(nic);
	uint32_t given_up = 0;

	for (uint32_t i = 0; i < n; i++) {
		given_up += fault_tx_apply(f, &views[i]);
	}
	f->tx_empty_calls = n > 0 ? 0 : f->tx_empty_calls + 1;
	if (f->tx_empty_calls > HOLD_TX_CALLS) {
		given_up += fault_tx_pass_held(f, true);
	}
	return given_up + fault_tx_flush(f);
}

static uint32_t
nic_fault_tx_queued(struct nic *nic)
{
	struct nic_fault *f = fault_of(nic);

	return f->inner->ops->tx_queued(f->inner) + f->tx_held_count;
}

static bool
nic_fault_rx_arm(struct nic *nic)
{
	struct nic_fault *f = fault_of(nic);

	return f->inner->ops->rx_arm(f->inner);
}

static void
nic_fault_rx_disarm(struct nic *nic)
{
	struct nic_fault *f = fault_of(nic);

	f->inner->ops->rx_disarm(f->inner);
}

static uint32_t
nic_fault_buffers_free(struct nic *nic)
{
	struct nic_fault *f = fault_of(nic);

	return f->inner->ops->buffers_free(f->inner);
}

static void
nic_fault_caps(struct nic *nic, struct nic_caps *ret_caps)
{
	struct nic_fault *f = fault_of(nic);

	f->inner->ops->caps(f->inner, ret_caps);
}

static void
nic_fault_stats(struct nic *nic, struct nic_stats *ret_stats)
{
	struct nic_fault *f = fault_of(nic);

	f->inner->ops->stats(f->inner, ret_stats);
	ret_stats->fault_lost = atomic_load_explicit(&f->lost, memory_order_relaxed);
	ret_stats->fault_duplicated = atomic_load_explicit(&f->duplicated, memory_order_relaxed);
	ret_stats->fault_reordered = atomic_load_explicit(&f->reordered, memory_order_relaxed);
	ret_stats->fault_tx_lost = atomic_load_explicit(&f->tx_lost, memory_order_relaxed);
	ret_stats->fault_tx_duplicated = atomic_load_explicit(&f->tx_duplicated, memory_order_relaxed);
	ret_stats->fault_tx_reordered = atomic_load_explicit(&f->tx_reordered, memory_order_relaxed);
}

static void
nic_fault_destroy(struct nic *nic)
{
	struct nic_fault *f = fault_of(nic);

	for (uint32_t i = 0; i < f->held_count; i++) {
		f->inner->ops->release(f->inner, &f->held[i].view.owner, 1);
	}
	for (uint32_t i = 0; i < f->tx_held_count; i++) {
		f->inner->ops->tx_free(f->inner, &f->tx_held[i].view);
	}
	f->inner->ops->destroy(f->inner);
	buffer_pool_destroy(&f->copies);
	free(f);
}

static const struct nic_ops nic_fault_ops = {
	.rx = nic_fault_rx,
	.tx_alloc = nic_fault_tx_alloc,
	.tx_free = nic_fault_tx_free,
	.tx = nic_fault_tx,
	.tx_queued = nic_fault_tx_queued,
	.release = nic_fault_release,
	.rx_arm = nic_fault_rx_arm,
	.rx_disarm = nic_fault_rx_disarm,
	.buffers_free = nic_fault_buffers_free,
	.caps = nic_fault_caps,
	.stats = nic_fault_stats,
	.owners_out = nic_fault_owners_out,
	.destroy = nic_fault_destroy,
};

int
nic_fault_create(const struct nic_fault_options *options, struct nic *inner, struct nic **ret_nic)
{
	struct nic_caps caps;
	struct nic_fault *f;
	int rc;

	if (options->loss_ppm > PPM_MAX || options->duplicate_ppm > PPM_MAX ||
		options->reorder_ppm > PPM_MAX || options->tx_loss_ppm > PPM_MAX ||
		options->tx_duplicate_ppm > PPM_MAX || options->tx_reorder_ppm > PPM_MAX) {
		return -EINVAL;
	}
	f = calloc(1, sizeof(*f));
	if (!f) {
		return -ENOMEM;
	}
	inner->ops->caps(inner, &caps);
	rc = buffer_pool_create(&f->copies, COPIES, (uint32_t)caps.mtu + FRAME_HEADERS);
	if (rc < 0) {
		free(f);
		return rc;
	}
	f->nic.ops = &nic_fault_ops;
	f->inner = inner;
	f->options = *options;
	rand_init(&f->rand, options->seed);
	rand_init(&f->tx_rand, ~options->seed);
	*ret_nic = &f->nic;
	return 0;
}
