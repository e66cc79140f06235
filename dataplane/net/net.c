/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The net stack's port: options, the way in, reply frames, announcements (net.h). One a lane and
 * queue, lane's lcore only.
 */
#include "net/net.h"

#include <errno.h>
#include <string.h>
#include "base/ensure.h"
#include "net/net_packet.h"

#define FRAME_MIN	  60
#define ANNOUNCEMENTS	  3
#define ANNOUNCE_EVERY_NS NS_PER_S

/* An address that a host may own: unicast, not loopback, not unspecified. */
static bool
address_ownable(const uint8_t *address)
{
	if (net_is_mapped(address)) {
		return address[12] != 0 && address[12] != 127 && address[12] < 224;
	}
	/* ::/96 holds the unspecified, the loopback and the old compatible addresses. */
	return address[0] != 0xff && (load_be64(address) != 0 || load_be32(address + 8) != 0);
}

int
net_port_init(struct net_port *port, const struct net_options *options)
{
	if (options->address_count > NET_ADDRESSES_MAX || options->dscp > 63 ||
		options->vlan_id > 4094 || options->udp_port_count == 0 ||
		options->udp_port_first == 0 ||
		(uint32_t)options->udp_port_first + options->udp_port_count > 65536) {
		return -EINVAL;
	}
	for (uint32_t i = 0; i < options->address_count; i++) {
		if (!address_ownable(options->addresses[i])) {
			return -EINVAL;
		}
	}
	if (!options->queue.kernel_stack && options->answer && options->address_count == 0) {
		return -EINVAL;
	}
	memset(port, 0, sizeof(*port));
	port->queue = options->queue;
	port->answer = options->answer && !options->queue.kernel_stack;
	port->vlan_id = options->vlan_id;
	port->traffic_class = (uint8_t)(options->dscp << 2);
	port->udp_port_first = options->udp_port_first;
	port->udp_port_count = options->udp_port_count;
	port->address_count = options->address_count;
	memcpy(port->addresses, options->addresses, sizeof(port->addresses));
	port->announce_ns = UINT64_MAX;
	port->ip_csum_trial = port->l4_csum_trial = NET_CSUM_TRIAL;
	return 0;
}

void
net_distrust_checksums(struct net_port *port)
{
	atomic_store_explicit(&port->csum_distrusted, true, memory_order_relaxed);
}

uint32_t
net_port_groups(const struct net_port *port, uint8_t (*ret_macs)[6], uint32_t max)
{
	static const uint8_t all_nodes[6] = {0x33, 0x33, 0, 0, 0, 1};
	uint32_t n = 0;

	for (uint32_t i = 0; i < port->address_count && n < max; i++) {
		uint8_t group[16];

		if (net_is_mapped(port->addresses[i])) {
			continue;
		}
		if (n == 0) {
			memcpy(ret_macs[n++], all_nodes, 6);
		}
		if (n < max) {
			ndp_group_of(port->addresses[i], group, ret_macs[n++]);
		}
	}
	return n;
}

bool
net_address_is_own(const struct net_port *port, const uint8_t *address)
{
	for (uint32_t i = 0; i < port->address_count; i++) {
		if (memcmp(port->addresses[i], address, 16) == 0) {
			return true;
		}
	}
	return false;
}

bool
net_ip4_is_own(const struct net_port *port, const uint8_t *ip4)
{
	uint8_t mapped[16];

	net_map_ip4(mapped, ip4);
	return net_address_is_own(port, mapped);
}

struct net_result
net_input(struct net_port *port, struct packet_view *view, uint64_t now_ns)
{
	struct net_packet packet = {
		.port = port,
		.view = view,
		.now_ns = now_ns,
		.at = view->data,
		.left = view->len,
		.info = NET_NO_INFO,
	};
	struct net_result result;

	if (unlikely(view->flags & PACKET_MULTI_SEGMENT)) {
		return net_dropped(LANE_multi_segment);
	}
	if (view->flags & PACKET_KERNEL_STACK) {
		return (struct net_result){NET_UDP, LANE_native, NET_NO_INFO};
	}
	result = ethernet_input(&packet);
	result.info = packet.info;
	return result;
}

/* --- replies ------------------------------------------------------------------------------------- */

struct net_target
net_reply_target(const struct net_packet *p)
{
	struct net_target target = {.vlan_tci = p->view->peer.vlan_tci};

	memcpy(target.mac, p->view->peer.mac, 6);
	return target;
}

uint8_t *
net_reply_begin(struct net_port *port, const struct net_target *target, uint16_t ethertype,
	uint32_t len)
{
	uint32_t frame_len = ETHERNET_HEADER + (target->vlan_tci ? VLAN_TAG : 0) + len;
	struct packet_view *view = &port->replies[port->reply_count];

	frame_len = frame_len < FRAME_MIN ? FRAME_MIN : frame_len;
	if (port->reply_count == NET_REPLIES_MAX ||
		!port->queue.tx_alloc(port->queue.nic, frame_len, view)) {
		return NULL;
	}
	port->reply_count++;
	memset(view->data, 0, view->len);
	return view->data + ethernet_fill(port, target, ethertype, view->data);
}

/* --- announcements --------------------------------------------------------------------------------- */

void
net_announce(struct net_port *port, uint64_t now_ns)
{
	if (!port->answer) {
		return;
	}
	port->announced = 0;
	port->announce_ns = now_ns;
	port->tentative_until_ns = now_ns + ANNOUNCE_EVERY_NS;
}

void
net_tick(struct net_port *port, uint64_t now_ns)
{
	if (likely(now_ns < port->announce_ns)) {
		return;
	}
	arp_announce(port);
	if (port->announced == 0) {
		port->tentative_until_ns = now_ns + ANNOUNCE_EVERY_NS;
		ndp_probe(port);
	} else if (port->announced == 1) {
		port->tentative_until_ns = 0;
		ndp_announce(port);
	}
	port->announced++;
	port->announce_ns =
		port->announced < ANNOUNCEMENTS ? now_ns + ANNOUNCE_EVERY_NS : UINT64_MAX;
}

uint64_t
net_deadline_ns(const struct net_port *port)
{
	return port->announce_ns;
}
