/* SPDX-License-Identifier: Apache-2.0 */
/* The net stack as a whole: its modes, its options, and frames spoiled anywhere. */
#include <errno.h>
#include "base/rand.h"
#include "net_rig.h"

static void
kernel_answers_mode_sends_nothing(void **state)
{
	struct fixture *f = *state;

	good4(f);
	expect_hello(f, NET_NO_INFO);
	arp(f, 1, peer4, our4);
	expect_drop(f, LANE_arp_other);
	nd(f, 135, peer6, our6);
	expect_drop(f, LANE_ndp_ignored);
	echo4(f, 8, 0, "x");
	expect_drop(f, LANE_icmp_ignored);
	ethernet(f, our_mac, 0x0800);
	ip4(f, peer4, our4, 17, 13);
	udp(f, 53, "hello");
	expect_drop(f, LANE_udp_port);
	net_announce(&f->port, NOW);
	net_tick(&f->port, NOW);
	assert_int_equal(f->port.reply_count, 0);
	assert_true(net_deadline_ns(&f->port) == UINT64_MAX);
}

static void
cut_packets_are_dropped(void **state)
{
	struct fixture *f = *state;

	good4(f);
	f->view.flags = PACKET_MULTI_SEGMENT;
	expect_drop(f, LANE_multi_segment);
	f->view.flags = PACKET_MULTI_SEGMENT | PACKET_KERNEL_STACK;
	expect_drop(f, LANE_multi_segment);
}

static void
kernel_stack_passes_through(void **state)
{
	struct nic_fake_options nic_options;
	struct net_options options = {.answer = true, .udp_port_first = 1, .udp_port_count = 1};
	struct net_port port;
	struct nic *nic;
	struct packet_view view;
	struct packet_view in = {.data = (uint8_t *)"hi", .len = 2, .flags = PACKET_KERNEL_STACK, .owner = 1,
		.peer = {.port = 5, .local_port = 6}};

	memcpy(in.peer.address, peer4_mapped, 16);
	nic_fake_options_init(&nic_options);
	nic = nic_fake_create(&nic_options);
	options.queue = nic_packet_queue(nic);
	assert_int_equal(net_port_init(&port, &options), 0);
	assert_int_equal(net_input(&port, &in, NOW).verdict, NET_UDP);
	assert_int_equal(in.len, 2);
	assert_true(net_udp_alloc(&port, &in.peer, 1472, &view));
	assert_false(net_udp_alloc(&port, &in.peer, 1473, &(struct packet_view){0}));
	net_udp_reply(&port, &view);
	assert_int_equal(view.len, 1472);
	assert_memory_equal(&view.peer, &in.peer, sizeof(in.peer));
	nic->ops->tx(nic, &view, 1);
	nic->ops->destroy(nic);
}

static void
bad_options_are_refused(void **state)
{
	struct fixture *f = *state;
	struct net_options good = {.queue = nic_packet_queue(f->nic), .answer = true, .udp_port_first = 1, .udp_port_count = 1,
		.address_count = 1};
	struct net_options bad;
	struct net_port port;

	memcpy(good.addresses[0], our4_mapped, 16);
	assert_int_equal(net_port_init(&port, &good), 0);
	bad = good;
	bad.address_count = 0;
	assert_int_equal(net_port_init(&port, &bad), -EINVAL);
	bad = good;
	bad.addresses[0][12] = 224;
	assert_int_equal(net_port_init(&port, &bad), -EINVAL);
	bad = good;
	memcpy(bad.addresses[0], all_nodes, 16);
	assert_int_equal(net_port_init(&port, &bad), -EINVAL);
	bad = good;
	memset(bad.addresses[0], 0, 16);
	assert_int_equal(net_port_init(&port, &bad), -EINVAL);
	bad = good;
	bad.udp_port_first = 65535;
	bad.udp_port_count = 2;
	assert_int_equal(net_port_init(&port, &bad), -EINVAL);
	bad = good;
	bad.vlan_id = 4095;
	assert_int_equal(net_port_init(&port, &bad), -EINVAL);
	bad = good;
	bad.dscp = 64;
	assert_int_equal(net_port_init(&port, &bad), -EINVAL);
}

/* Any byte of any of these frames spoiled, or the frame cut anywhere: a verdict, and no access outside. */
static void
spoiled_frames_get_a_verdict(void **state)
{
	struct fixture *f = *state;
	struct rand rand;

	rand_init(&rand, 42);
	for (int i = 0; i < 20000; i++) {
		uint8_t *exact;
		uint32_t len;

		switch (rand_below(&rand, 6)) {
		case 0:
			good4(f);
			break;
		case 1:
			good6(f);
			break;
		case 2:
			arp(f, 1, peer4, our4);
			break;
		case 3:
			nd(f, 135, peer6, our6);
			break;
		case 4:
			echo6(f, 128, "xyz");
			break;
		default:
			echo4(f, 8, 0, "xyz");
			break;
		}
		for (uint64_t k = rand_below(&rand, 4); k > 0; k--) {
			f->bytes[rand_below(&rand, f->len)] = (uint8_t)rand_u64(&rand);
		}
		len = rand_below(&rand, 2) ? f->len : (uint32_t)rand_below(&rand, f->len);
		exact = test_malloc(len + 1);
		memcpy(exact, f->bytes, len);
		f->view = (struct packet_view){.data = exact, .len = len, .owner = 1};
		(void)net_input(&f->port, &f->view, f->now_ns);
		assert_true(f->view.data >= exact);
		assert_true(f->view.data + f->view.len <= exact + len);
		test_free(exact);
		f->now_ns += NS_PER_MS;
		f->nic->ops->tx(f->nic, f->port.replies, f->port.reply_count);
		f->port.reply_count = 0;
		while (nic_fake_take(f->nic, &(struct nic_fake_packet){0})) {
			continue;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(kernel_answers_mode_sends_nothing, set_up_kernel_answers, tear_down),
		ROW(cut_packets_are_dropped),
		ROW(kernel_stack_passes_through),
		ROW(bad_options_are_refused),
		ROW(spoiled_frames_get_a_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
