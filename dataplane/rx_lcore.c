/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One turn of a lane, run to completion: the first place to look for how packets become append
 * requests. lane_poll is a table of contents; each line is one stage over the whole burst. Answers
 * are taken before packets, so that a full append ring and a full done ring cannot block each
 * other. Nothing here blocks, allocates or logs; the clock was read by the loop
 * (the wall clock by admission_tick, once a millisecond).
 */
#include "base/ensure.h"
#include "ingest/lane.h"

/* Owners of answered batches go back; acks become due. */
static uint32_t
lane_take_done(struct lane *lane)
{
	struct append_done done[LANE_DONE_BURST];
	uint32_t total = 0;

	for (uint32_t shard = 0; shard < lane->options.shard_count; shard++) {
		uint32_t rounds = 0, n;

		do {
			n = ring_take(lane->options.append_done[shard], done, LANE_DONE_BURST);
			for (uint32_t i = 0; i < n; i++) {
				native_data_done(lane, &done[i]);
			}
			total += n;
		} while (n == LANE_DONE_BURST && ++rounds < 16);
	}
	return total;
}

static uint32_t
lane_take_answers(struct lane *lane)
{
	struct control_answer answers[16];
	uint32_t n = ring_take(lane->options.control_answer, answers, ARRAY_COUNT(answers));

	for (uint32_t i = 0; i < n; i++) {
		switch (answers[i].kind) {
		case CONTROL_PRODUCER:
			native_setup_answer(lane, &answers[i]);
			break;
		case CONTROL_FENCE:
			native_session_fence(&lane->sessions, answers[i].producer_id,
				answers[i].producer_epoch);
			break;
		default:
			ensure(answers[i].kind == CONTROL_RESOLVE);
			resolve_answer(lane, &answers[i]);
			break;
		}
	}
	return n;
}

static uint32_t
lane_receive(struct lane *lane)
{
	uint32_t n;

	/* Where an empty rx is a system call, idle turns skip most of them. */
	if (lane->caps.idle_rx_every > 1 && lane->idle_turns > 0 &&
		lane->idle_turns % lane->caps.idle_rx_every != 0) {
		return 0;
	}
	n = lane->nic->ops->rx(lane->nic, lane->views, lane->options.burst);
	lane->counters[LANE_rx_packets] += n;
	lane->counters[LANE_owners_taken] += n;
	for (uint32_t i = 0; i < n; i++) {
		lane->counters[LANE_rx_bytes] += lane->views[i].len;
		__builtin_prefetch(lane->views[i].data);
	}
	return n;
}

/* Views -> UDP payloads; what the net stack used or dropped is counted and forgotten. */
static uint32_t
lane_parse(struct lane *lane, uint32_t count)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct packet_view *view = &lane->views[i];
		struct net_result result = net_input(&lane->net, view, lane->now_ns);

		if (result.info != NET_NO_INFO) {
			lane->counters[result.info]++;
		}
		if (result.verdict != NET_UDP) {
			lane->counters[result.counter]++;
			lane_out_release(lane, view->owner);
			continue;
		}
		struct datagram *datagram = &lane->datagrams[n++];

		datagram->payload = view->data;
		datagram->len = view->len;
		datagram->flags = view->flags;
		datagram->owner = view->owner;
		datagram->rx_time_ns = view->rx_time_ns != 0 ? view->rx_time_ns : lane->now_ns;
		datagram->peer = &view->peer;
		datagram->kept = false;
		native_input_parse(lane, datagram);
	}
	return n;
}

static void
lane_dispatch(struct lane *lane, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		native_input_prefetch(lane, &lane->datagrams[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		struct datagram *datagram = &lane->datagrams[i];

		if (datagram->live) {
			native_input_frame(lane, datagram);
		}
		if (!datagram->kept) {
			lane_out_release(lane, datagram->owner);
		}
	}
}

/* Announcements and replies of the net stack. */
static void
lane_net_replies(struct lane *lane)
{
	struct net_port *net = &lane->net;

	if (unlikely(atomic_load_explicit(&lane->announce_asked, memory_order_relaxed))) {
		atomic_store_explicit(&lane->announce_asked, false, memory_order_relaxed);
		net_announce(net, lane->now_ns);
	}
	net_tick(net, lane->now_ns);
	for (uint32_t i = 0; i < net->reply_count; i++) {
		if (lane->tx_count == LANE_TX_MAX) {
			lane_out_flush(lane);
		}
		lane->tx[lane->tx_count++] = net->replies[i];
	}
	net->reply_count = 0;
}

/* Packets that the driver has taken. */
static uint64_t
lane_tx_gone(const struct lane *lane)
{
	return lane->counters[LANE_tx_sent] - lane->counters[LANE_tx_queued];
}

static void
lane_publish(struct lane *lane, uint32_t work)
{
	lane->counters[LANE_turns]++;
	lane->counters[LANE_turns_empty] += work == 0;
	lane->idle_turns = work == 0 ? lane->idle_turns + 1 : 0;
	session_row_publish(lane);
	lane_latency_publish(lane);
	if (work > 0) {
		counter_publish(&lane->counter_set, LANE_COUNTER_COUNT);
	}
}

uint32_t
lane_poll(struct lane *lane, uint64_t now_ns)
{
	uint64_t ended = lane->counters[LANE_sessions_closed];
	uint64_t gone = lane_tx_gone(lane);
	uint32_t work = 0, received;

	lane->now_ns = now_ns;
	admission_tick(lane);            /* budgets, once a millisecond */
	work += lane_take_done(lane);    /* the log's answers: owners, sequences, credit */
	work += lane_take_answers(lane); /* control's answers: ACCEPT, RESOLVED; epochs that rose */
	received = lane_receive(lane);   /* one rx burst */
	work += received;
	received = lane_parse(lane, received); /* net stack, frame header */
	lane_dispatch(lane, received);         /* session, order, admission */
	work += route_offer(lane);             /* append requests into the shards' rings */
	native_session_sweep(lane);            /* idle sessions */
	work += ack_send(lane);                /* what is due */
	lane_net_replies(lane);                /* ARP, NDP, ICMP */
	lane_out_flush(lane);                   /* one tx burst; also retries what waits */
	lane_out_release_flush(lane);              /* rx buffers back, in bulk */
	native_session_reap(lane);             /* ended sessions that the log is done with */
	work += (uint32_t)(lane->counters[LANE_sessions_closed] - ended);
	if (atomic_load_explicit(&lane->drain_asked, memory_order_acquire)) {
		work += lane_drain_turn(lane);
	}
	work += (uint32_t)(lane_tx_gone(lane) - gone); /* also an answer nobody asked for is published */
	lane_publish(lane, work);                      /* counters, latencies, rows */
	return work;
}

bool
lane_arm(struct lane *lane)
{
	return lane->nic->ops->rx_arm(lane->nic);
}

void
lane_disarm(struct lane *lane)
{
	lane->nic->ops->rx_disarm(lane->nic);
}

uint64_t
lane_deadline_ns(const struct lane *lane)
{
	uint64_t deadline = ack_deadline_ns(lane);
	uint64_t net = net_deadline_ns(&lane->net);

	deadline = net < deadline ? net : deadline;
	if (lane->sessions.open_count > 0 && lane->sweep_ns < deadline) {
		deadline = lane->sweep_ns;
	}
	if (lane->latency_dirty && lane->latency_publish_ns < deadline) {
		deadline = lane->latency_publish_ns;
	}
	if (lane->admission.groups > 1 && lane->admission.group_end_ns < deadline) {
		deadline = lane->admission.group_end_ns;
	}
	/* A full ring or driver is tried again soon; who makes room there does not wake us. */
	if (lane->pending_count > 0 || lane->ended_first != SESSION_NONE || lane->tx_queued > 0) {
		uint64_t again = lane->now_ns + LANE_ADMISSION_PERIOD_NS;

		deadline = again < deadline ? again : deadline;
	}
	return deadline;
}
