/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Losses: SO_RXQ_OVFL counts what the full socket buffer dropped, as of the last datagram;
 * nic_udp_overflow asks SO_MEMINFO for those since, so that E1 holds at rest too.
 */
#include "nic/nic_udp.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/ip.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include "base/bytes.h"

#define ECN_MASK 3
#define ECN_CE	 3
#define DSCP_SHIFT 2

static void
address_map(uint8_t *ret_address, const void *ip4)
{
	memset(ret_address, 0, 10);
	memset(ret_address + 10, 0xff, 2);
	memcpy(ret_address + 12, ip4, 4);
}

/* --- messages in --------------------------------------------------------------------------------- */

/* SO_RXQ_OVFL is a u32 that wraps; the lane alone writes the wide value. */
static void
received_overflow(struct nic_udp *udp, uint32_t drops)
{
	uint64_t before = atomic_load_explicit(&udp->overflow, memory_order_relaxed);

	atomic_store_explicit(
		&udp->overflow, before + (uint32_t)(drops - (uint32_t)before), memory_order_relaxed);
}

static void
received_control(struct nic_udp *udp, struct msghdr *header, struct packet_view *view)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		const uint8_t *at = CMSG_DATA(c);

		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
			uint32_t drops;

			memcpy(&drops, at, sizeof(drops));
			received_overflow(udp, drops);
		} else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
			(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)) {
			/* One byte, or a little-endian int whose low byte it is. */
			if ((at[0] & ECN_MASK) == ECN_CE) {
				view->flags |= PACKET_ECN_CE;
			}
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			address_map(view->peer.local_address,
				at + offsetof(struct in_pktinfo, ipi_addr));
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(view->peer.local_address, at, 16);
		}
	}
}

void
nic_udp_received(struct nic_udp *udp, struct msghdr *header, struct packet_view *view)
{
	const union nic_udp_name *name = header->msg_name;

	if (udp->family == AF_INET) {
		address_map(view->peer.address, &name->ip4.sin_addr);
		view->peer.port = be16toh(name->ip4.sin_port);
	} else {
		memcpy(view->peer.address, &name->ip6.sin6_addr, 16);
		view->peer.port = be16toh(name->ip6.sin6_port);
	}
	memcpy(view->peer.local_address, udp->address, 16);
	received_control(udp, header, view);
}

/* --- messages out -------------------------------------------------------------------------------- */

/* Returns the name's length. */
static socklen_t
name_fill(union nic_udp_name *name, int family, const uint8_t *address, uint16_t port)
{
	memset(name, 0, sizeof(*name));
	name->any.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		name->ip4.sin_port = htobe16(port);
		memcpy(&name->ip4.sin_addr, address + 12, 4);
		return sizeof(name->ip4);
	}
	name->ip6.sin6_port = htobe16(port);
	memcpy(&name->ip6.sin6_addr, address, 16);
	return sizeof(name->ip6);
}

/* With a wildcard socket the answer must leave from the address that was asked. */
static void
address_source(const struct nic_udp *udp, struct msghdr *header, const struct packet_peer *peer,
	struct nic_udp_control *room)
{
	bool ip4 = udp->family == AF_INET;
	size_t len = ip4 ? sizeof(struct in_pktinfo) : sizeof(struct in6_pktinfo);
	struct cmsghdr *c;

	memset(room, 0, sizeof(*room));
	header->msg_control = room->bytes;
	header->msg_controllen = CMSG_SPACE(len);
	c = CMSG_FIRSTHDR(header);
	c->cmsg_len = CMSG_LEN(len);
	c->cmsg_level = ip4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = ip4 ? IP_PKTINFO : IPV6_PKTINFO;
	if (ip4) {
		memcpy(CMSG_DATA(c) + offsetof(struct in_pktinfo, ipi_spec_dst),
			peer->local_address + 12, 4);
	} else {
		memcpy(CMSG_DATA(c), peer->local_address, 16);
	}
}

void
nic_udp_address(const struct nic_udp *udp, struct msghdr *header, const struct packet_peer *peer,
	struct nic_udp_control *room)
{
	header->msg_namelen = name_fill(header->msg_name, udp->family, peer->address, peer->port);
	header->msg_control = NULL;
	header->msg_controllen = 0;
	if (udp->wildcard) {
		address_source(udp, header, peer, room);
	}
}

/* --- losses -------------------------------------------------------------------------------------- */

/* The lane's last word plus what the kernel has counted since. */
uint64_t
nic_udp_overflow(const struct nic_udp *udp)
{
	uint64_t seen = atomic_load_explicit(&udp->overflow, memory_order_relaxed);
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t len = sizeof(info);
	uint32_t newer;

	if (getsockopt(udp->fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0 ||
		len <= SK_MEMINFO_DROPS * sizeof(info[0])) {
		return seen;
	}
	/* The lane may have noted more between the two reads: then the difference is negative. */
	newer = info[SK_MEMINFO_DROPS] - (uint32_t)seen;
	return (int32_t)newer > 0 ? seen + newer : seen;
}

/* --- open and close ------------------------------------------------------------------------------ */

static int
set_flag(int fd, int level, int name)
{
	int on = 1;

	return setsockopt(fd, level, name, &on, sizeof(on)) < 0 ? -errno : 0;
}

static int
open_options(const struct nic_udp *udp, uint32_t rcvbuf_bytes)
{
	int level = udp->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	int bytes = (int)rcvbuf_bytes;
	int rc = 0;

	if (udp->family == AF_INET6) {
		rc = set_flag(udp->fd, IPPROTO_IPV6, IPV6_V6ONLY);
	}
	if (rc == 0) {
		rc = set_flag(udp->fd, SOL_SOCKET, SO_RXQ_OVFL);
	}
	if (rc == 0) {
		rc = set_flag(udp->fd, level, level == IPPROTO_IP ? IP_RECVTOS : IPV6_RECVTCLASS);
	}
	if (rc == 0 && udp->wildcard) {
		rc = set_flag(udp->fd, level, level == IPPROTO_IP ? IP_PKTINFO : IPV6_RECVPKTINFO);
	}
	if (rc < 0) {
		return rc;
	}
	/* The forced form goes past net.core.rmem_max; an ordinary user gets as much as that allows. */
	if (setsockopt(udp->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 &&
		setsockopt(udp->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0) {
		return -errno;
	}
	return 0;
}

/* Returns the port. */
static int
open_bind(const struct nic_udp *udp, uint16_t port)
{
	union nic_udp_name name;
	socklen_t len = name_fill(&name, udp->family, udp->address, port);

	if (bind(udp->fd, &name.any, len) < 0 || getsockname(udp->fd, &name.any, &len) < 0) {
		return -errno;
	}
	return be16toh(udp->family == AF_INET ? name.ip4.sin_port : name.ip6.sin6_port);
}

int
nic_udp_open(struct nic_udp *udp, const uint8_t *address, uint16_t port, uint32_t rcvbuf_bytes)
{
	static const uint8_t zeros[16];
	bool ip4 = packet_address_is_ip4(address);
	int rc;

	memcpy(udp->address, address, 16);
	udp->family = ip4 ? AF_INET : AF_INET6;
	udp->wildcard = memcmp(ip4 ? address + 12 : address, zeros, ip4 ? 4 : 16) == 0;
	atomic_init(&udp->overflow, 0);
	udp->fd = socket(udp->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (udp->fd < 0) {
		return -errno;
	}
	rc = open_options(udp, rcvbuf_bytes);
	if (rc == 0) {
		rc = open_bind(udp, port);
	}
	if (rc < 0) {
		close(udp->fd);
	}
	return rc;
}

int
nic_udp_set_dscp(struct nic_udp *udp, uint8_t dscp)
{
	bool ip4 = udp->family == AF_INET;
	int traffic_class = dscp << DSCP_SHIFT;

	return setsockopt(udp->fd, ip4 ? IPPROTO_IP : IPPROTO_IPV6, ip4 ? IP_TOS : IPV6_TCLASS,
		       &traffic_class, sizeof(traffic_class)) < 0
		       ? -errno
		       : 0;
}

void
nic_udp_close(struct nic_udp *udp)
{
	close(udp->fd);
}
