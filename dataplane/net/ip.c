/* SPDX-License-Identifier: Apache-2.0 */
/* What IPv4 and IPv6 have in common: room, fragments, protocols, checksums over a payload. */
#include "net/checksum.h"
#include "net/net_packet.h"

bool
ip_fits(const struct net_packet *p, uint32_t need, struct net_result *ret_result)
{
	if (unlikely(p->left < need)) {
		*ret_result = net_dropped(LANE_ip_truncated);
		return false;
	}
	return true;
}

/* Never reassembled: our clients stay below the path's MTU, all else is trouble. */
struct net_result
ip_fragment(void)
{
	return net_dropped(LANE_ip_fragment);
}

struct net_result
ip_deliver(struct net_packet *p, uint8_t protocol)
{
	if (likely(protocol == PROTOCOL_UDP)) {
		return udp_input(p);
	}
	if (protocol == PROTOCOL_ICMP && p->ip4) {
		return icmp_input(p);
	}
	if (protocol == PROTOCOL_ICMP6 && !p->ip4) {
		return icmp6_input(p);
	}
	return net_dropped(LANE_ip_proto);
}

/* Over the pseudo-header of the packet's peer and the next len bytes, checksum field included. */
bool
ip_checksum_right(const struct net_packet *p, uint8_t protocol, uint32_t len)
{
	const struct packet_peer *peer = &p->view->peer;
	uint64_t sum;

	if (p->ip4) {
		sum = checksum_pseudo4(
			peer->address + 12, peer->local_address + 12, protocol, (uint16_t)len);
	} else {
		/* The addresses of the packet itself: a group is not in the peer's. */
		sum = checksum_pseudo6(p->ip + 8, p->ip + 24, protocol, len);
	}
	return checksum_finish(checksum_add(sum, p->at, len)) == 0;
}

enum ip_csum_word
ip_checksum_word(const struct net_packet *p, uint32_t good, uint32_t bad, uint32_t trial)
{
	uint32_t flags = p->view->flags;

	if (!(flags & (good | bad)) ||
		unlikely(atomic_load_explicit(&p->port->csum_distrusted, memory_order_relaxed))) {
		return IP_CSUM_LOOK;
	}
	if (flags & bad) {
		return IP_CSUM_KNOWN_BAD;
	}
	return unlikely(trial > 0) ? IP_CSUM_ON_TRIAL : IP_CSUM_KNOWN_GOOD;
}

bool
ip_checksum_trial(struct net_packet *p, uint32_t *trial, bool right)
{
	(*trial)--;
	if (!right) {
		p->info = LANE_csum_offload_wrong;
		net_distrust_checksums(p->port);
	}
	return right;
}
