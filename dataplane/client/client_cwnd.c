/* SPDX-License-Identifier: Apache-2.0 */
/* Congestion window (client_cwnd.h). */
#include "client/client_cwnd.h"

#include "base/bytes.h"
#include "base/ensure.h"
#include "client/client_loss.h"

#define CWND_TARGET_MARGIN_NS (50 * NS_PER_US)
#define CWND_PACE_ABOVE_NS    NS_PER_MS

void
client_cwnd_init(struct client_cwnd *cwnd, uint64_t datagram_bytes)
{
	*cwnd = (struct client_cwnd){
		.window_bytes = CLIENT_CWND_INITIAL_DATAGRAMS * datagram_bytes,
		.datagram_bytes = datagram_bytes,
		.round_end_pn = 1,
		.round_rtt_min_ns = UINT64_MAX,
		.slow_start = true,
	};
}

static void
cwnd_clamp(struct client_cwnd *cwnd, uint64_t datagrams_min)
{
	uint64_t min = datagrams_min * cwnd->datagram_bytes;
	uint64_t max = CLIENT_CWND_MAX_DATAGRAMS * cwnd->datagram_bytes;

	if (cwnd->window_bytes < min) {
		cwnd->window_bytes = min;
	}
	if (cwnd->window_bytes > max) {
		cwnd->window_bytes = max;
	}
}

bool
client_cwnd_allows(struct client_cwnd *cwnd, uint64_t bytes)
{
	if (cwnd->in_flight_bytes + bytes <= cwnd->window_bytes) {
		return true;
	}
	cwnd->round_used = true;
	/* A jumbo datagram larger than a collapsed window must still be able to go alone. */
	return cwnd->in_flight_bytes == 0;
}

void
client_cwnd_sent(struct client_cwnd *cwnd, uint64_t bytes)
{
	cwnd->in_flight_bytes += bytes;
}

void
client_cwnd_settled(struct client_cwnd *cwnd, uint64_t bytes)
{
	ensure(cwnd->in_flight_bytes >= bytes);
	cwnd->in_flight_bytes -= bytes;
}

/* One step at the end of a round. */
static void
cwnd_round(struct client_cwnd *cwnd, const struct client_rtt *rtt)
{
	uint64_t rtt_ns = cwnd->round_rtt_min_ns;
	uint64_t min_ns = client_rtt_min_ns(rtt);
	uint64_t margin_ns = min_ns / 2;

	if (rtt_ns == UINT64_MAX) {
		return;
	}
	if (margin_ns < CWND_TARGET_MARGIN_NS) {
		margin_ns = CWND_TARGET_MARGIN_NS;
	}
	uint64_t target_ns = min_ns + margin_ns;

	/* Below the initial window delay is no signal: it would hold two datagrams a round for good. */
	if (rtt_ns <= target_ns ||
		cwnd->window_bytes < CLIENT_CWND_INITIAL_DATAGRAMS * cwnd->datagram_bytes) {
		if (!cwnd->slow_start && cwnd->round_used) {
			cwnd->window_bytes += cwnd->datagram_bytes;
			cwnd_clamp(cwnd, CLIENT_CWND_MIN_DATAGRAMS);
		}
		return;
	}
	cwnd->slow_start = false;
	if (cwnd->window_bytes <= CLIENT_CWND_INITIAL_DATAGRAMS * cwnd->datagram_bytes) {
		return;
	}
	/* x max(0.5, 1 - 0.8 (rtt - target) / rtt), in thousandths. */
	uint64_t keep = 1000 - 800 * (rtt_ns - target_ns) / rtt_ns;

	if (keep < 500) {
		keep = 500;
	}
	cwnd->window_bytes = cwnd->window_bytes * keep / 1000;
	cwnd_clamp(cwnd, CLIENT_CWND_INITIAL_DATAGRAMS);
}

void
client_cwnd_acked(struct client_cwnd *cwnd, uint64_t acked_pn, uint64_t next_pn, uint64_t bytes,
	const struct client_rtt *rtt)
{
	if (rtt->latest_ns > 0 && rtt->latest_ns < cwnd->round_rtt_min_ns) {
		cwnd->round_rtt_min_ns = rtt->latest_ns;
	}
	if (cwnd->slow_start && cwnd->round_used) {
		cwnd->window_bytes += bytes;
		cwnd_clamp(cwnd, CLIENT_CWND_MIN_DATAGRAMS);
	}
	if (acked_pn < cwnd->round_end_pn) {
		return;
	}
	cwnd_round(cwnd, rtt);
	cwnd->round_end_pn = next_pn;
	cwnd->round_rtt_min_ns = UINT64_MAX;
	cwnd->round_used = false;
}

void
client_cwnd_congested(struct client_cwnd *cwnd, uint64_t pn, uint64_t next_pn)
{
	cwnd->slow_start = false;
	if (pn < cwnd->recovery_end_pn) {
		return;
	}
	cwnd->recovery_end_pn = next_pn;
	cwnd->window_bytes = cwnd->window_bytes * 7 / 10;
	cwnd_clamp(cwnd, CLIENT_CWND_MIN_DATAGRAMS);
}

void
client_cwnd_collapse(struct client_cwnd *cwnd, uint64_t next_pn)
{
	cwnd->slow_start = true;
	cwnd->recovery_end_pn = next_pn;
	cwnd->window_bytes = CLIENT_CWND_MIN_DATAGRAMS * cwnd->datagram_bytes;
}

void
client_cwnd_pace(struct client_cwnd *cwnd, uint64_t bytes, uint64_t srtt_ns, uint64_t now_ns)
{
	if (srtt_ns <= CWND_PACE_ABOVE_NS) {
		cwnd->pace_next_ns = 0;
		return;
	}
	/* bytes / (1.25 cwnd / srtt) */
	uint64_t gap_ns = bytes * srtt_ns * 4 / (cwnd->window_bytes * 5);

	/* Unused time may be caught up with one burst, not with more. */
	uint64_t burst_ns = gap_ns * CLIENT_CWND_BURST;
	uint64_t from_ns = cwnd->pace_next_ns;

	if (from_ns + burst_ns < now_ns) {
		from_ns = now_ns - burst_ns;
	}
	cwnd->pace_next_ns = from_ns + gap_ns;
}
