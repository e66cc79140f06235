/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credit of one session: absolute limits from the server against what the client has charged. Both
 * only grow, so a lost or late ACK is harmless. A batch is charged once when it is first sent in a
 * session and once more when it is sent again after a refusal; plain retransmissions are free.
 *
 * What never arrived and is not sent again (given up, or sent again for another charge) stays charged:
 * the server cannot know of it, and if it did arrive late it would be beyond the credit without. So
 * credit seeps away, slowly; the last of it ends the session (client_transmit_starved).
 * Invariant: used <= limit, for bytes and packets apart. I/O thread only.
 */
#ifndef CLIENT_CLIENT_CREDIT_H
#define CLIENT_CLIENT_CREDIT_H

#include <stdbool.h>
#include <stdint.h>

struct client_credit {
	uint64_t limit_bytes;
	uint64_t limit_packets;
	uint64_t used_bytes;
	uint64_t used_packets;
};

/* A new session starts with what its ACCEPT granted and nothing used. */
static inline void
client_credit_init(struct client_credit *credit, uint64_t limit_bytes, uint64_t limit_packets)
{
	*credit = (struct client_credit){
		.limit_bytes = limit_bytes,
		.limit_packets = limit_packets,
	};
}

/*
 * Takes limits of an ACK. Smaller ones come from reordered ACKs and change nothing. True if there is
 * more now.
 */
static inline bool
client_credit_raise(struct client_credit *credit, uint64_t limit_bytes, uint64_t limit_packets)
{
	bool more = false;

	if (limit_bytes > credit->limit_bytes) {
		credit->limit_bytes = limit_bytes;
		more = true;
	}
	if (limit_packets > credit->limit_packets) {
		credit->limit_packets = limit_packets;
		more = true;
	}
	return more;
}

static inline bool
client_credit_allows(const struct client_credit *credit, uint64_t bytes)
{
	return credit->used_bytes + bytes <= credit->limit_bytes &&
	       credit->used_packets + 1 <= credit->limit_packets;
}

/* One batch of that many bytes in one datagram. */
static inline void
client_credit_charge(struct client_credit *credit, uint64_t bytes)
{
	credit->used_bytes += bytes;
	credit->used_packets++;
}

#endif
