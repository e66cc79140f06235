/* SPDX-License-Identifier: Apache-2.0 */
/* The fake queue keeps the contract of nic/nic.h that the real ones keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "nic/tx_queue.h"
#include "support/nic_fake.h"

static struct nic *
make(uint32_t rx_buffers, uint32_t descriptors, bool kernel_stack)
{
	struct nic_fake_options options;

	nic_fake_options_init(&options);
	options.rx_buffer_count = rx_buffers;
	options.rx_descriptors = descriptors;
	options.kernel_stack = kernel_stack;
	return nic_fake_create(&options);
}

static bool
put(struct nic *nic, const char *text)
{
	struct nic_fake_packet packet = {
		.data = text, .len = (uint32_t)strlen(text), .rx_time_ns = 7, .peer = {.port = 99}};

	return nic_fake_put(nic, &packet);
}

static void
packets_come_in_order_with_peer(void **state)
{
	struct nic *nic = make(8, 8, true);
	struct packet_view views[8];
	uint64_t owners[2];

	assert_true(put(nic, "one"));
	assert_true(put(nic, "two"));
	assert_int_equal(nic->ops->rx(nic, views, 8), 2);
	assert_memory_equal(views[0].data, "one", 3);
	assert_memory_equal(views[1].data, "two", 3);
	assert_int_equal(views[0].flags, PACKET_KERNEL_STACK);
	assert_int_equal(views[0].rx_time_ns, 7);
	assert_int_equal(views[1].peer.port, 99);
	assert_int_not_equal(views[0].owner, 0);
	assert_int_equal(nic->ops->owners_out(nic), 2);
	assert_int_equal(nic->ops->buffers_free(nic), 6);
	owners[0] = views[0].owner;
	owners[1] = views[1].owner;
	nic->ops->release(nic, owners, 2);
	assert_int_equal(nic->ops->owners_out(nic), 0);
	assert_int_equal(views[0].data[0], 0xdd);
	nic->ops->destroy(nic);
}

static void
losses_are_counted(void **state)
{
	struct nic *nic = make(8, 2, false);
	struct nic_stats stats;
	struct packet_view views[2];

	assert_true(put(nic, "a"));
	assert_true(put(nic, "b"));
	assert_false(put(nic, "c"));
	assert_int_equal(nic_fake_rx_waiting(nic), 2);
	assert_int_equal(nic->ops->rx(nic, views, 1), 1);
	assert_int_equal(views[0].flags, 0);
	nic->ops->stats(nic, &stats);
	assert_int_equal(stats.ipackets, 1);
	assert_int_equal(stats.imissed, 1);
	nic->ops->destroy(nic);
}

static void
empty_pool_refuses_until_release(void **state)
{
	struct nic *nic = make(1, 8, true);
	struct packet_view view;

	assert_true(put(nic, "a"));
	assert_false(put(nic, "b"));
	assert_int_equal(nic->ops->rx(nic, &view, 1), 1);
	assert_false(put(nic, "b"));
	nic->ops->release(nic, &view.owner, 1);
	assert_true(put(nic, "c"));
	nic->ops->destroy(nic);
}

static void
send(struct nic *nic, const char *text, uint32_t *given_up)
{
	struct packet_view view;

	assert_true(nic->ops->tx_alloc(nic, (uint32_t)strlen(text), &view));
	memcpy(view.data, text, strlen(text));
	view.peer.port = 5;
	*given_up += nic->ops->tx(nic, &view, 1);
}

static void
sent_packets_are_taken_in_order(void **state)
{
	struct nic *nic = make(8, 8, true);
	struct nic_fake_packet packet;
	uint32_t given_up = 0;

	send(nic, "x", &given_up);
	send(nic, "yy", &given_up);
	assert_int_equal(nic_fake_tx_waiting(nic), 2);
	assert_true(nic_fake_take(nic, &packet));
	assert_int_equal(packet.len, 1);
	assert_int_equal(packet.peer.port, 5);
	assert_true(nic_fake_take(nic, &packet));
	assert_memory_equal(packet.data, "yy", 2);
	assert_false(nic_fake_take(nic, &packet));
	assert_int_equal(given_up, 0);
	nic->ops->destroy(nic);
}

static void
refused_packets_wait_then_are_given_up(void **state)
{
	struct nic *nic = make(8, 8, true);
	struct nic_fake_packet packet;
	uint32_t given_up = 0;

	nic_fake_tx_room(nic, 1);
	for (uint32_t i = 0; i < TX_QUEUE_SLOTS + 3; i++) {
		send(nic, i == 0 ? "first" : i == 1 ? "second" : "z", &given_up);
	}
	/* One went out, 256 wait, two were given up. */
	assert_int_equal(given_up, 2);
	assert_int_equal(nic_fake_tx_waiting(nic), 1);
	assert_int_equal(nic->ops->tx_queued(nic), TX_QUEUE_SLOTS);
	nic_fake_tx_room(nic, NIC_FAKE_UNLIMITED);
	assert_int_equal(nic->ops->tx(nic, NULL, 0), 0);
	assert_int_equal(nic_fake_tx_waiting(nic), TX_QUEUE_SLOTS + 1);
	assert_int_equal(nic->ops->tx_queued(nic), 0);
	assert_true(nic_fake_take(nic, &packet));
	assert_memory_equal(packet.data, "first", 5);
	assert_true(nic_fake_take(nic, &packet));
	assert_memory_equal(packet.data, "second", 6);
	nic->ops->destroy(nic);
}

static void
tx_alloc_can_be_made_to_fail(void **state)
{
	struct nic *nic = make(8, 8, true);
	struct packet_view view;

	nic_fake_tx_alloc_fail(nic, 1);
	assert_false(nic->ops->tx_alloc(nic, 10, &view));
	assert_true(nic->ops->tx_alloc(nic, 10, &view));
	assert_false(nic->ops->tx_alloc(nic, 100000, &view));
	nic->ops->destroy(nic);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_come_in_order_with_peer),
		cmocka_unit_test(losses_are_counted),
		cmocka_unit_test(empty_pool_refuses_until_release),
		cmocka_unit_test(sent_packets_are_taken_in_order),
		cmocka_unit_test(refused_packets_wait_then_are_given_up),
		cmocka_unit_test(tx_alloc_can_be_made_to_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
