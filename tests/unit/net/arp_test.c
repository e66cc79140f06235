/* SPDX-License-Identifier: Apache-2.0 */
/* ARP: what is answered, ignored, limited; whoever else claims our address. */
#include "net_rig.h"

static void
arp_request_is_answered(void **state)
{
	struct fixture *f = *state;
	struct packet_view *answer;
	uint8_t want[42] = {2, 0, 0, 0, 0, 99, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0,
		0, 1, 192, 0, 2, 2, 2, 0, 0, 0, 0, 99, 192, 0, 2, 1};

	arp(f, 1, peer4, our4);
	expect(f, NET_CONSUMED, LANE_arp, NET_NO_INFO);
	answer = reply(f);
	assert_memory_equal(answer->data, want, sizeof(want));
	assert_int_equal(answer->len, 60);
	/* A probe, whose sender has no address yet, is answered too (RFC 5227, 2.1.1). */
	arp(f, 1, zeros, our4);
	expect(f, NET_CONSUMED, LANE_arp, NET_NO_INFO);
	reply(f);
}

static void
arp_other_rows(void **state)
{
	struct fixture *f = *state;
	uint8_t *at;

	arp(f, 1, peer4, peer4);
	expect_drop(f, LANE_arp_other);
	arp(f, 2, peer4, our4);
	expect_drop(f, LANE_arp_other);
	for (int i = 0; i < 6; i++) {
		at = arp(f, 1, peer4, our4);
		at[i] ^= 0x40;
		expect_drop(f, LANE_arp_other);
	}
	at = arp(f, 1, peer4, our4);
	f->len--;
	expect_drop(f, LANE_arp_other);
	at = arp(f, 1, peer4, our4);
	at[8] |= 1; /* sender's MAC is a group */
	expect_drop(f, LANE_arp_other);
	at = arp(f, 1, broadcast, our4);
	expect_drop(f, LANE_arp_other);
	assert_int_equal(f->port.reply_count, 0);
	(void)at;
}

static void
arp_conflict_is_seen_and_defended_once(void **state)
{
	struct fixture *f = *state;
	struct packet_view *defence;

	arp(f, 2, our4, our4);
	expect(f, NET_CONSUMED, LANE_arp, LANE_arp_conflict);
	defence = reply(f);
	assert_memory_equal(defence->data, broadcast, 6);
	assert_memory_equal(defence->data + 28, our4, 4);
	assert_memory_equal(defence->data + 38, our4, 4);
	f->now_ns += 9 * NS_PER_S;
	arp(f, 1, our4, our4);
	expect(f, NET_CONSUMED, LANE_arp, LANE_arp_conflict);
	assert_int_equal(f->port.reply_count, 0);
	f->now_ns += 2 * NS_PER_S;
	expect(f, NET_CONSUMED, LANE_arp, LANE_arp_conflict);
	reply(f);
}

static void
arp_replies_are_limited(void **state)
{
	struct fixture *f = *state;
	uint32_t answered = 0, limited = 0;

	arp(f, 1, peer4, our4);
	for (int i = 0; i < 4000; i++) {
		struct net_result result;

		f->now_ns += NS_PER_S / 2000;
		result = input(f);
		answered += result.verdict == NET_CONSUMED;
		limited += result.verdict == NET_DROPPED && result.counter == LANE_arp_rate;
		if (f->port.reply_count > 0) {
			f->nic->ops->tx(f->nic, f->port.replies, f->port.reply_count);
			f->port.reply_count = 0;
			while (nic_fake_take(f->nic, &(struct nic_fake_packet){0})) {
				continue;
			}
		}
	}
	assert_int_equal(answered + limited, 4000);
	assert_in_range(answered, 2000, 2101);
}

static void
lack_of_buffers_shows(void **state)
{
	struct fixture *f = *state;

	nic_fake_tx_alloc_fail(f->nic, 1);
	arp(f, 1, peer4, our4);
	expect(f, NET_CONSUMED, LANE_arp, LANE_tx_no_buffer);
	assert_int_equal(f->port.reply_count, 0);
	for (uint32_t i = 0; i < NET_REPLIES_MAX; i++) {
		expect(f, NET_CONSUMED, LANE_arp, NET_NO_INFO);
	}
	expect(f, NET_CONSUMED, LANE_arp, LANE_tx_no_buffer);
	assert_int_equal(f->port.reply_count, NET_REPLIES_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(arp_request_is_answered),
		ROW(arp_other_rows),
		ROW(arp_conflict_is_seen_and_defended_once),
		ROW(arp_replies_are_limited),
		ROW(lack_of_buffers_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
