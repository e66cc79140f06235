/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP (RFC 792, RFC 1122) and ICMPv6 (RFC 4443): echo is answered, errors that come in are counted
 * and ignored (our datagrams fit any path), and a closed UDP port gets one kind of error out, at
 * a low rate. Never an answer to a group address (RFC 1122, 3.2.2; RFC 4443, 2.4).
 */
#include "net/checksum.h"
#include "net/net_packet.h"

#define ICMP_ECHO_REPLY	     0
#define ICMP_UNREACHABLE     3
#define ICMP_ECHO	     8
#define ICMP_PORT	     3
#define ICMP6_UNREACHABLE    1
#define ICMP6_PORT	     4
#define ICMP6_ECHO	     128
#define ICMP6_ECHO_REPLY     129
#define ICMP6_ERROR_LAST     127
#define ECHO_PER_S	     1000
#define UNREACHABLE_PER_S    100
#define QUOTE_BEHIND_IP	     8

/* Begins a reply to the packet's peer: IP header filled, zeros behind it for len bytes. */
static uint8_t *
icmp_begin(struct net_packet *p, uint32_t len)
{
	uint32_t header = p->ip4 ? IP4_HEADER : IP6_HEADER;
	struct net_target target = net_reply_target(p);
	uint8_t *ip = net_reply_begin(
		p->port, &target, p->ip4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6, header + len);

	if (!ip) {
		return NULL;
	}
	if (p->ip4) {
		ipv4_fill(p->port, &p->view->peer, PROTOCOL_ICMP, len, ip);
	} else {
		ipv6_fill(p->port, &p->view->peer, PROTOCOL_ICMP6, len, ip);
	}
	return ip + header;
}

static void
icmp_finish(const struct net_packet *p, uint8_t *at, uint32_t len)
{
	const struct packet_peer *peer = &p->view->peer;
	uint64_t sum = p->ip4 ? 0
			      : checksum_pseudo6(peer->local_address, peer->address, PROTOCOL_ICMP6, len);
	uint16_t checksum = checksum_finish(checksum_add(sum, at, len));

	memcpy(at + 2, &checksum, 2);
}

/* Counts are the caller's: false if the rate is used up. */
static bool
icmp_echo(struct net_packet *p)
{
	uint8_t *at;

	if (!net_rate_allow(&p->port->icmp_rate, p->now_ns, ECHO_PER_S)) {
		return false;
	}
	at = icmp_begin(p, p->left);
	if (!at) {
		p->info = LANE_tx_no_buffer;
		return true;
	}
	memcpy(at, p->at, p->left);
	at[0] = p->ip4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY;
	store_be16(at + 2, 0);
	icmp_finish(p, at, p->left);
	return true;
}

enum icmp_kind {
	ICMP_KIND_ECHO,
	ICMP_KIND_BAD,
	ICMP_KIND_ERROR, /* an error, or anything that we have no use for */
};

static struct net_result
icmp_judge(struct net_packet *p, enum icmp_kind kind)
{
	if (kind == ICMP_KIND_BAD) {
		return net_dropped(LANE_icmp_bad);
	}
	if (kind == ICMP_KIND_ERROR || p->group || !p->port->answer) {
		return net_dropped(LANE_icmp_ignored);
	}
	return icmp_echo(p) ? net_consumed(LANE_icmp) : net_dropped(LANE_icmp_rate);
}

struct net_result
icmp_input(struct net_packet *p)
{
	enum icmp_kind kind = ICMP_KIND_ERROR;

	if (p->left < ICMP_HEADER || checksum_finish(checksum_add(0, p->at, p->left)) != 0) {
		kind = ICMP_KIND_BAD;
	} else if (p->at[0] == ICMP_ECHO) {
		kind = p->at[1] == 0 ? ICMP_KIND_ECHO : ICMP_KIND_BAD;
	}
	return icmp_judge(p, kind);
}

/* Informational messages other than echo (listener reports, router discovery) go to ndp_input. */
struct net_result
icmp6_input(struct net_packet *p)
{
	uint8_t type = p->left > 0 ? p->at[0] : 0;
	enum icmp_kind kind = ICMP_KIND_ERROR;

	if (type > ICMP6_ERROR_LAST && type != ICMP6_ECHO) {
		return ndp_input(p, type);
	}
	if (p->left < ICMP_HEADER || !ip_checksum_right(p, PROTOCOL_ICMP6, p->left)) {
		kind = ICMP_KIND_BAD;
	} else if (type == ICMP6_ECHO) {
		kind = p->at[1] == 0 ? ICMP_KIND_ECHO : ICMP_KIND_BAD;
	}
	return icmp_judge(p, kind);
}

void
icmp_port_unreachable(struct net_packet *p)
{
	uint32_t quote = (p->ip4 ? IP4_HEADER : IP6_HEADER) + QUOTE_BEHIND_IP;
	uint8_t *at;

	if (!p->port->answer || p->group ||
		!net_rate_allow(&p->port->unreachable_rate, p->now_ns, UNREACHABLE_PER_S)) {
		return;
	}
	quote = quote < p->ip_len ? quote : p->ip_len;
	at = icmp_begin(p, ICMP_HEADER + quote);
	if (!at) {
		p->info = LANE_tx_no_buffer;
		return;
	}
	at[0] = p->ip4 ? ICMP_UNREACHABLE : ICMP6_UNREACHABLE;
	at[1] = p->ip4 ? ICMP_PORT : ICMP6_PORT;
	memcpy(at + ICMP_HEADER, p->ip, quote);
	icmp_finish(p, at, ICMP_HEADER + quote);
}
