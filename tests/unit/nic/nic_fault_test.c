/* SPDX-License-Identifier: Apache-2.0 */
/* The spoiling queue: what goes in comes out, but for what its own ledger terms say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/bytes.h"
#include "base/compiler.h"
#include "nic/nic_fault.h"
#include "support/nic_fake.h"

#define PACKETS 4000

struct outcome {
	uint32_t seen[PACKETS];
	uint32_t total;
	uint32_t descents; /* packets that came after a later one */
	struct nic_stats stats;
};

static struct nic *
make(const struct nic_fault_options *options, struct nic **ret_inner)
{
	struct nic_fake_options fake_options;
	struct nic *nic;

	nic_fake_options_init(&fake_options);
	*ret_inner = nic_fake_create(&fake_options);
	assert_int_equal(nic_fault_create(options, *ret_inner, &nic), 0);
	return nic;
}

static void
receive(struct nic *nic, struct outcome *o, uint32_t max, uint32_t *last)
{
	struct packet_view views[64];
	uint64_t owners[64];
	uint32_t n = nic->ops->rx(nic, views, max);

	assert_true(n <= max);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t number;

		assert_int_equal(views[i].len, 4);
		memcpy(&number, views[i].data, 4);
		assert_true(number < PACKETS);
		o->seen[number]++;
		o->descents += number < *last;
		*last = number;
		owners[i] = views[i].owner;
	}
	o->total += n;
	assert_int_equal(nic->ops->owners_out(nic), n);
	nic->ops->release(nic, owners, n);
	assert_int_equal(nic->ops->owners_out(nic), 0);
}

static void
run(const struct nic_fault_options *options, uint32_t max, struct outcome *o)
{
	struct nic *inner;
	struct nic *nic = make(options, &inner);
	uint32_t last = 0;

	memset(o, 0, sizeof(*o));
	for (uint32_t i = 0; i < PACKETS; i++) {
		struct nic_fake_packet packet = {.data = &i, .len = 4};

		assert_true(nic_fake_put(inner, &packet));
		if (i % 7 == 0 || max == 1) {
			receive(nic, o, max, &last);
		}
	}
	/* Empty turns bring back what was held. */
	for (int i = 0; i < 4000; i++) {
		receive(nic, o, max, &last);
	}
	assert_int_equal(nic_fake_rx_waiting(inner), 0);
	assert_int_equal(inner->ops->owners_out(inner), 0);
	nic->ops->stats(nic, &o->stats);
	assert_int_equal(o->stats.ipackets, PACKETS);
	assert_int_equal(
		o->stats.ipackets - o->stats.fault_lost + o->stats.fault_duplicated, o->total);
	nic->ops->destroy(nic);
}

/* Takes what was sent so far. */
static void
collect(struct nic *inner, struct outcome *o, uint32_t *last)
{
	struct nic_fake_packet packet;

	while (nic_fake_take(inner, &packet)) {
		uint32_t number;

		assert_int_equal(packet.len, 4);
		assert_int_equal(packet.peer.port, 7);
		memcpy(&number, packet.data, 4);
		assert_true(number < PACKETS);
		o->seen[number]++;
		o->total++;
		o->descents += number < *last;
		*last = number;
	}
}

/* The other way: 3 packets a call, and what is held back comes out when nothing more is sent. */
static void
run_tx(const struct nic_fault_options *options, struct outcome *o)
{
	struct nic *inner;
	struct nic *nic = make(options, &inner);
	struct packet_view views[3];
	uint32_t last = 0, n = 0;

	memset(o, 0, sizeof(*o));
	for (uint32_t i = 0; i < PACKETS; i++) {
		assert_true(nic->ops->tx_alloc(nic, 4, &views[n]));
		memcpy(views[n].data, &i, 4);
		views[n++].peer.port = 7;
		if (n == ARRAY_COUNT(views) || i == PACKETS - 1) {
			assert_int_equal(nic->ops->tx(nic, views, n), 0);
			n = 0;
			collect(inner, o, &last);
		}
	}
	for (int i = 0; i < 100; i++) {
		assert_int_equal(nic->ops->tx(nic, NULL, 0), 0);
		collect(inner, o, &last);
	}
	assert_int_equal(nic->ops->tx_queued(nic), 0);
	nic->ops->stats(nic, &o->stats);
	assert_int_equal(o->stats.opackets, o->total);
	assert_int_equal(
		PACKETS - o->stats.fault_tx_lost + o->stats.fault_tx_duplicated, o->total);
	assert_int_equal(o->stats.fault_lost + o->stats.fault_duplicated + o->stats.fault_reordered, 0);
	/* Every buffer is back: the fake has 511. */
	for (uint32_t i = 0; i < 511; i++) {
		assert_true(nic->ops->tx_alloc(nic, 4, &views[0]));
	}
	nic->ops->destroy(nic);
}

static void
what_is_sent_is_spoilt_too(void **state)
{
	struct nic_fault_options none = {.seed = 1, .loss_ppm = 500000};
	struct nic_fault_options loss = {.seed = 2, .tx_loss_ppm = 100000};
	struct nic_fault_options twice = {.seed = 3, .tx_duplicate_ppm = 100000};
	struct nic_fault_options late = {.seed = 4, .tx_reorder_ppm = 100000};
	struct nic_fault_options all = {
		.seed = 5, .tx_loss_ppm = 50000, .tx_duplicate_ppm = 50000, .tx_reorder_ppm = 50000};
	static struct outcome o, again;

	(void)state;
	run_tx(&none, &o);
	assert_int_equal(o.total, PACKETS);
	assert_int_equal(o.descents, 0);
	run_tx(&loss, &o);
	assert_in_range(o.stats.fault_tx_lost, 300, 500);
	assert_int_equal(o.descents, 0);
	run_tx(&twice, &o);
	assert_in_range(o.stats.fault_tx_duplicated, 300, 500);
	for (uint32_t i = 0; i < PACKETS; i++) {
		assert_in_range(o.seen[i], 1, 2);
	}
	run_tx(&late, &o);
	assert_in_range(o.stats.fault_tx_reordered, 300, 500);
	assert_in_range(o.descents, 100, 500);
	for (uint32_t i = 0; i < PACKETS; i++) {
		assert_int_equal(o.seen[i], 1);
	}
	run_tx(&all, &o);
	run_tx(&all, &again);
	assert_memory_equal(&o, &again, sizeof(o));
}

/* Held back: it counts as waiting, and its buffer goes home with the queue. */
static void
a_packet_held_back_is_still_ours(void **state)
{
	struct nic_fault_options options = {.seed = 1, .tx_reorder_ppm = 1000000};
	struct nic *inner;
	struct nic *nic = make(&options, &inner);
	struct packet_view view;

	(void)state;
	assert_true(nic->ops->tx_alloc(nic, 4, &view));
	assert_int_equal(nic->ops->tx(nic, &view, 1), 0);
	assert_int_equal(nic->ops->tx_queued(nic), 1);
	assert_int_equal(nic_fake_tx_waiting(inner), 0);
	nic->ops->destroy(nic);
}

static void
nothing_set_nothing_done(void **state)
{
	struct nic_fault_options options = {.seed = 1};
	struct outcome o;

	run(&options, 64, &o);
	assert_int_equal(o.total, PACKETS);
	assert_int_equal(o.descents, 0);
	run(&options, 1, &o);
	assert_int_equal(o.total, PACKETS);
}

static void
losses_are_counted_and_buffers_come_back(void **state)
{
	struct nic_fault_options options = {.seed = 2, .loss_ppm = 100000};
	struct outcome o;

	run(&options, 64, &o);
	assert_in_range(o.stats.fault_lost, 300, 500);
	assert_int_equal(o.descents, 0);
}

static void
duplicates_are_whole(void **state)
{
	struct nic_fault_options options = {.seed = 3, .duplicate_ppm = 100000};
	struct outcome o;

	run(&options, 64, &o);
	assert_in_range(o.stats.fault_duplicated, 300, 500);
	for (uint32_t i = 0; i < PACKETS; i++) {
		assert_in_range(o.seen[i], 1, 2);
	}
}

static void
reordered_packets_are_not_lost(void **state)
{
	struct nic_fault_options options = {.seed = 4, .reorder_ppm = 100000};
	struct outcome o;

	run(&options, 32, &o);
	assert_in_range(o.stats.fault_reordered, 300, 500);
	assert_in_range(o.descents, 100, 500);
	for (uint32_t i = 0; i < PACKETS; i++) {
		assert_int_equal(o.seen[i], 1);
	}
}

static void
the_same_seed_does_the_same(void **state)
{
	struct nic_fault_options options = {
		.seed = 5, .loss_ppm = 50000, .duplicate_ppm = 50000, .reorder_ppm = 50000};
	static struct outcome first, second;

	run(&options, 64, &first);
	run(&options, 64, &second);
	assert_memory_equal(&first, &second, sizeof(first));
	options.seed = 6;
	run(&options, 64, &second);
	assert_memory_not_equal(first.seen, second.seen, sizeof(first.seen));
}

static void
rates_above_one_are_refused(void **state)
{
	struct nic_fault_options options = {.loss_ppm = 1000001};
	struct nic_fake_options fake_options;
	struct nic *inner, *nic = NULL;

	nic_fake_options_init(&fake_options);
	inner = nic_fake_create(&fake_options);
	assert_int_equal(nic_fault_create(&options, inner, &nic), -EINVAL);
	inner->ops->destroy(inner);
}

static void
what_waits_to_be_sent_is_the_inner_queues(void **state)
{
	struct nic_fault_options options = {.seed = 1};
	struct nic *inner;
	struct nic *nic = make(&options, &inner);
	struct packet_view view;

	nic_fake_tx_room(inner, 0);
	assert_int_equal(nic->ops->tx_queued(nic), 0);
	assert_true(nic->ops->tx_alloc(nic, 4, &view));
	assert_int_equal(nic->ops->tx(nic, &view, 1), 0);
	assert_int_equal(nic->ops->tx_queued(nic), 1);
	nic->ops->destroy(nic);
}

static void
the_device_itself_is_armed(void **state)
{
	struct nic_fault_options options = {.seed = 1, .loss_ppm = 1};
	struct nic *inner;
	struct nic *nic = make(&options, &inner);

	(void)state;
	assert_false(nic->ops->rx_arm(nic)); /* as the fake says */
	assert_true(nic_fake_armed(inner));
	nic->ops->rx_disarm(nic);
	assert_false(nic_fake_armed(inner));
	nic->ops->destroy(nic);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_set_nothing_done),
		cmocka_unit_test(losses_are_counted_and_buffers_come_back),
		cmocka_unit_test(duplicates_are_whole),
		cmocka_unit_test(reordered_packets_are_not_lost),
		cmocka_unit_test(the_same_seed_does_the_same),
		cmocka_unit_test(what_waits_to_be_sent_is_the_inner_queues),
		cmocka_unit_test(rates_above_one_are_refused),
		cmocka_unit_test(the_device_itself_is_armed),
		cmocka_unit_test(what_is_sent_is_spoilt_too),
		cmocka_unit_test(a_packet_held_back_is_still_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
