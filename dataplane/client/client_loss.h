/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packet numbers, loss and round-trip time of one session (after RFC 9002, with the rules of the
 * native protocol). Every datagram of a session takes the next pn and one slot of the window until it
 * is acknowledged or declared lost; a pn is never used twice, so an RTT sample is never ambiguous and
 * loss is repaired one packet at a time.
 *
 * A pn is lost when one 3 higher is acknowledged, or when it is older than 9/8 of the RTT and a
 * higher one is acknowledged. `low` is the lowest pn still waited for: the server takes all below it
 * as settled. Invariant: next - low <= window. Time comes in as an argument. I/O thread only.
 */
#ifndef CLIENT_CLIENT_LOSS_H
#define CLIENT_CLIENT_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#define CLIENT_PN_WINDOW	1024
#define CLIENT_PN_RESERVE	16 /* of the window, for probes and control frames */
#define CLIENT_PTO_COLLAPSE	3  /* probe timeouts in a row */

struct client_rtt {
	uint64_t smoothed_ns; /* 0: no sample yet */
	uint64_t variation_ns;
	uint64_t latest_ns;
	uint64_t min_ns[2]; /* of this and the previous five seconds */
	uint64_t min_from_ns;
};

enum client_sent_state {
	CLIENT_SENT_NONE,
	CLIENT_SENT_FLYING,
	CLIENT_SENT_SETTLED,
};

/* What is known of one datagram. `batch_token` names the batch it carried, 0 none. */
struct client_sent {
	uint64_t pn;
	uint64_t sent_ns;
	uint64_t batch_token;
	uint32_t bytes;
	uint8_t state; /* enum client_sent_state */
	uint8_t type;  /* frame type */
};

struct client_loss_events {
	void *user_data;
	void (*acked)(void *user_data, const struct client_sent *sent);
	void (*lost)(void *user_data, const struct client_sent *sent);
};

struct client_loss {
	struct client_sent window[CLIENT_PN_WINDOW]; /* [pn % CLIENT_PN_WINDOW] */
	struct client_rtt rtt;
	uint64_t next_pn;
	uint64_t low_pn;
	uint64_t acked_pn_max;
	uint64_t echo_pn_max;
	uint64_t last_sent_ns;
	uint64_t last_acked_ns; /* last ACK that settled something, or the start */
	uint64_t ack_delay_max_ns;
	uint32_t flying_count;
	uint32_t timeouts; /* probe timeouts since the last ACK */
	uint32_t window_packets;
};

/* The parts of an ACK that this file judges. */
struct client_loss_ack {
	uint64_t recv_upto;
	uint64_t echo_pn;
	uint32_t echo_send_us;
	uint32_t echo_delay_us;
	const uint64_t *words;
	uint32_t word_count;
};

void client_loss_init(struct client_loss *loss, uint32_t window_packets, uint64_t ack_delay_max_ns,
	uint64_t now_ns);
/* True if another pn may be used, keeping `reserve` of the window free. */
bool client_loss_room(const struct client_loss *loss, uint32_t reserve);
/* Records a datagram as sent; returns its pn. The window must have room. */
uint64_t client_loss_sent(struct client_loss *loss, uint8_t type, uint32_t bytes,
	uint64_t batch_token, uint64_t now_ns);
/* True if an ACK covers pn as received or settled. */
bool client_loss_covers(const struct client_loss_ack *ack, uint64_t pn);
/* Settles what the ACK covers, samples the RTT, then declares losses. Returns pns newly acked. */
uint32_t client_loss_on_ack(struct client_loss *loss, const struct client_loss_ack *ack,
	const struct client_loss_events *events, uint64_t now_ns);
/* Declares what is lost by age now. */
void client_loss_on_time(struct client_loss *loss, const struct client_loss_events *events,
	uint64_t now_ns);
/* Gives up waiting for everything in flight (three timeouts, or the session's end). */
void client_loss_settle_all(struct client_loss *loss, const struct client_loss_events *events);
/* Probe timeout without back-off: srtt + max(4 rttvar, 1 ms) + the server's ack delay. */
uint64_t client_loss_pto_ns(const struct client_loss *loss);
/* Instants: when the next packet is lost by age; when the next probe is due. UINT64_MAX: none. */
uint64_t client_loss_time_deadline_ns(const struct client_loss *loss);
uint64_t client_loss_pto_deadline_ns(const struct client_loss *loss);

/* Smallest RTT of the last ten seconds, 0 without a sample. */
uint64_t client_rtt_min_ns(const struct client_rtt *rtt);
void client_rtt_sample(struct client_rtt *rtt, uint64_t sample_ns, uint64_t now_ns);

#endif
