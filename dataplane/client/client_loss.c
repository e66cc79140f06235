/* SPDX-License-Identifier: Apache-2.0 */
/* Packet numbers, loss and round-trip time (client_loss.h). */
#include "client/client_loss.h"

#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"

#define LOSS_PACKET_THRESHOLD 3
#define LOSS_GRANULARITY_NS   (100 * NS_PER_US)
#define LOSS_RTT_FIRST_NS     (100 * NS_PER_MS) /* before the first sample */
#define LOSS_PTO_MAX_NS	      NS_PER_S
#define RTT_MIN_PERIOD_NS     (5 * NS_PER_S)

void
client_loss_init(struct client_loss *loss, uint32_t window_packets, uint64_t ack_delay_max_ns,
	uint64_t now_ns)
{
	memset(loss, 0, sizeof(*loss));
	loss->next_pn = 1;
	loss->low_pn = 1;
	loss->ack_delay_max_ns = ack_delay_max_ns;
	loss->last_acked_ns = now_ns;
	loss->window_packets = window_packets < CLIENT_PN_WINDOW ? window_packets : CLIENT_PN_WINDOW;
	ensure(loss->window_packets > CLIENT_PN_RESERVE);
}

static struct client_sent *
loss_slot(struct client_loss *loss, uint64_t pn)
{
	return &loss->window[pn % CLIENT_PN_WINDOW];
}

bool
client_loss_room(const struct client_loss *loss, uint32_t reserve)
{
	return loss->next_pn - loss->low_pn + reserve < loss->window_packets;
}

uint64_t
client_loss_sent(struct client_loss *loss, uint8_t type, uint32_t bytes, uint64_t batch_token,
	uint64_t now_ns)
{
	ensure(client_loss_room(loss, 0));
	uint64_t pn = loss->next_pn++;

	*loss_slot(loss, pn) = (struct client_sent){
		.pn = pn,
		.sent_ns = now_ns,
		.batch_token = batch_token,
		.bytes = bytes,
		.state = CLIENT_SENT_FLYING,
		.type = type,
	};
	loss->flying_count++;
	loss->last_sent_ns = now_ns;
	return pn;
}

bool
client_loss_covers(const struct client_loss_ack *ack, uint64_t pn)
{
	if (pn <= ack->recv_upto) {
		return true;
	}
	uint64_t bit = pn - ack->recv_upto - 1;

	return bit < (uint64_t)ack->word_count * 64 && (ack->words[bit / 64] >> (bit % 64) & 1);
}

uint64_t
client_rtt_min_ns(const struct client_rtt *rtt)
{
	uint64_t a = rtt->min_ns[0], b = rtt->min_ns[1];

	if (a == 0 || (b != 0 && b < a)) {
		return b;
	}
	return a;
}

void
client_rtt_sample(struct client_rtt *rtt, uint64_t sample_ns, uint64_t now_ns)
{
	if (sample_ns == 0) {
		sample_ns = 1;
	}
	if (now_ns - rtt->min_from_ns >= RTT_MIN_PERIOD_NS) {
		rtt->min_ns[1] = rtt->min_ns[0];
		rtt->min_ns[0] = 0;
		rtt->min_from_ns = now_ns;
	}
	if (rtt->min_ns[0] == 0 || sample_ns < rtt->min_ns[0]) {
		rtt->min_ns[0] = sample_ns;
	}
	rtt->latest_ns = sample_ns;
	if (rtt->smoothed_ns == 0) {
		rtt->smoothed_ns = sample_ns;
		rtt->variation_ns = sample_ns / 2;
		return;
	}
	uint64_t off_ns = rtt->smoothed_ns > sample_ns ? rtt->smoothed_ns - sample_ns
						       : sample_ns - rtt->smoothed_ns;

	rtt->variation_ns = (3 * rtt->variation_ns + off_ns) / 4;
	rtt->smoothed_ns = (7 * rtt->smoothed_ns + sample_ns) / 8;
}

/* Only the newest packet's echo counts, once; what the server held it for is taken off. */
static void
loss_sample(struct client_loss *loss, const struct client_loss_ack *ack, uint64_t now_ns)
{
	if (ack->echo_pn <= loss->echo_pn_max || ack->echo_pn >= loss->next_pn) {
		return;
	}
	loss->echo_pn_max = ack->echo_pn;
	uint32_t elapsed_us = (uint32_t)(now_ns / NS_PER_US) - ack->echo_send_us;

	if (elapsed_us > INT32_MAX) {
		return; /* an echo from the future */
	}
	if (ack->echo_delay_us < elapsed_us) {
		elapsed_us -= ack->echo_delay_us;
	}
	client_rtt_sample(&loss->rtt, elapsed_us * NS_PER_US, now_ns);
}

static void
loss_settle(struct client_loss *loss, struct client_sent *sent)
{
	ensure(sent->state == CLIENT_SENT_FLYING);
	ensure(loss->flying_count > 0);
	sent->state = CLIENT_SENT_SETTLED;
	loss->flying_count--;
}

static void
loss_raise_low(struct client_loss *loss)
{
	while (loss->low_pn < loss->next_pn &&
		loss_slot(loss, loss->low_pn)->state == CLIENT_SENT_SETTLED) {
		loss->low_pn++;
	}
}

static uint64_t
loss_age_ns(const struct client_loss *loss)
{
	uint64_t rtt_ns = loss->rtt.smoothed_ns;

	if (loss->rtt.latest_ns > rtt_ns) {
		rtt_ns = loss->rtt.latest_ns;
	}
	if (rtt_ns == 0) {
		rtt_ns = LOSS_RTT_FIRST_NS;
	}
	uint64_t age_ns = rtt_ns * 9 / 8;

	return age_ns < LOSS_GRANULARITY_NS ? LOSS_GRANULARITY_NS : age_ns;
}

void
client_loss_on_time(struct client_loss *loss, const struct client_loss_events *events,
	uint64_t now_ns)
{
	uint64_t age_ns = loss_age_ns(loss);

	for (uint64_t pn = loss->low_pn; pn < loss->acked_pn_max; pn++) {
		struct client_sent *sent = loss_slot(loss, pn);

		if (sent->state != CLIENT_SENT_FLYING) {
			continue;
		}
		if (pn + LOSS_PACKET_THRESHOLD <= loss->acked_pn_max ||
			sent->sent_ns + age_ns <= now_ns) {
			loss_settle(loss, sent);
			events->lost(events->user_data, sent);
		}
	}
	loss_raise_low(loss);
}

uint32_t
client_loss_on_ack(struct client_loss *loss, const struct client_loss_ack *ack,
	const struct client_loss_events *events, uint64_t now_ns)
{
	uint64_t end = ack->recv_upto + 1 + (uint64_t)ack->word_count * 64;
	uint32_t acked = 0;

	if (end > loss->next_pn) {
		end = loss->next_pn;
	}
	loss_sample(loss, ack, now_ns);
	for (uint64_t pn = loss->low_pn; pn < end; pn++) {
		struct client_sent *sent = loss_slot(loss, pn);

		if (sent->state != CLIENT_SENT_FLYING || !client_loss_covers(ack, pn)) {
			continue;
		}
		loss_settle(loss, sent);
		acked++;
		if (pn > loss->acked_pn_max) {
			loss->acked_pn_max = pn;
		}
		events->acked(events->user_data, sent);
	}
	if (acked > 0) {
		loss->timeouts = 0;
		loss->last_acked_ns = now_ns;
	}
	client_loss_on_time(loss, events, now_ns);
	return acked;
}

void
client_loss_settle_all(struct client_loss *loss, const struct client_loss_events *events)
{
	for (uint64_t pn = loss->low_pn; pn < loss->next_pn; pn++) {
		struct client_sent *sent = loss_slot(loss, pn);

		if (sent->state == CLIENT_SENT_FLYING) {
			loss_settle(loss, sent);
			events->lost(events->user_data, sent);
		}
	}
	loss_raise_low(loss);
}

uint64_t
client_loss_pto_ns(const struct client_loss *loss)
{
	uint64_t srtt_ns = loss->rtt.smoothed_ns, spread_ns = 4 * loss->rtt.variation_ns;

	if (srtt_ns == 0) {
		srtt_ns = LOSS_RTT_FIRST_NS;
	}
	if (spread_ns < NS_PER_MS) {
		spread_ns = NS_PER_MS;
	}
	uint64_t pto_ns = srtt_ns + spread_ns + loss->ack_delay_max_ns;

	return pto_ns < LOSS_PTO_MAX_NS ? pto_ns : LOSS_PTO_MAX_NS;
}

uint64_t
client_loss_time_deadline_ns(const struct client_loss *loss)
{
	uint64_t age_ns = loss_age_ns(loss);

	for (uint64_t pn = loss->low_pn; pn < loss->acked_pn_max; pn++) {
		const struct client_sent *sent = &loss->window[pn % CLIENT_PN_WINDOW];

		if (sent->state == CLIENT_SENT_FLYING) {
			return sent->sent_ns + age_ns;
		}
	}
	return UINT64_MAX;
}

uint64_t
client_loss_pto_deadline_ns(const struct client_loss *loss)
{
	if (loss->flying_count == 0) {
		return UINT64_MAX;
	}
	uint32_t shift = loss->timeouts < 20 ? loss->timeouts : 20;
	uint64_t wait_ns = client_loss_pto_ns(loss) << shift;

	return loss->last_sent_ns + (wait_ns < LOSS_PTO_MAX_NS ? wait_ns : LOSS_PTO_MAX_NS);
}
