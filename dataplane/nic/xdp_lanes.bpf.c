/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which packets of an interface net_af_xdp gets: UDP to the ports of our lanes. All others go on to the
 * kernel, so that it keeps its addresses, ARP, ICMP and SSH there (net_mode: kernel). Without a program of
 * its own the driver takes the whole queue.
 *
 * Loaded by the driver (devarg xdp_prog=), which wants a map of this name and fills it: its queue i is entry i.
 * Ports are constants, for the driver sets no variables: compile again for others, as docs/operations.md tells.
 * eal_preflight.c reads them back from the object. IP fragments, IPv4 options and IPv6 extension headers are not
 * the native protocol's and go to the kernel. Runs in the kernel, once a packet.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#ifndef LANE_PORT_FIRST
#define LANE_PORT_FIRST 9292 /* native.port */
#endif
#ifndef LANE_PORTS
#define LANE_PORTS 16
#endif
#define TEXT_OF(number)	      #number
#define TEXT(number)	      TEXT_OF(number)
#define VLAN_BYTES	      4
#define IP4_FRAGMENT	      0x3fff /* more fragments, or an offset */
#define IP4_HEADER_WORDS      5
#define QUEUES_MAX	      64

const struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

/* For the preflight. */
const char lanes[] SEC("penstock") = "penstock-lanes=" TEXT(LANE_PORT_FIRST) "+" TEXT(LANE_PORTS);
const char lanes_license[] SEC("license") = "Apache-2.0";

/* Where the UDP header begins if one directly follows the IP header; NULL otherwise. */
static __always_inline const struct udphdr *
udp_of(const void *at, const void *end, __be16 type)
{
	const struct iphdr *ip4 = at;
	const struct ipv6hdr *ip6 = at;

	if (type == bpf_htons(ETH_P_IP)) {
		bool whole = (const void *)(ip4 + 1) <= end && ip4->ihl == IP4_HEADER_WORDS &&
			     ip4->protocol == IPPROTO_UDP && !(ip4->frag_off & bpf_htons(IP4_FRAGMENT));

		return whole ? (const void *)(ip4 + 1) : NULL;
	}
	if (type == bpf_htons(ETH_P_IPV6)) {
		bool plain = (const void *)(ip6 + 1) <= end && ip6->nexthdr == IPPROTO_UDP;

		return plain ? (const void *)(ip6 + 1) : NULL;
	}
	return NULL;
}

SEC("xdp")
int
xdp_lanes(struct xdp_md *packet)
{
	const void *data = (const void *)(long)packet->data, *end = (const void *)(long)packet->data_end;
	const struct ethhdr *ethernet = data;
	const void *at = ethernet + 1;
	const struct udphdr *udp;
	__be16 type;
	__u16 port;

	if (at > end) {
		return XDP_PASS;
	}
	type = ethernet->h_proto;
	if (type == bpf_htons(ETH_P_8021Q)) {
		if (at + VLAN_BYTES > end) {
			return XDP_PASS;
		}
		type = *(const __be16 *)(at + 2);
		at += VLAN_BYTES;
	}
	udp = udp_of(at, end, type);
	if (!udp || (const void *)(udp + 1) > end) {
		return XDP_PASS;
	}
	port = bpf_ntohs(udp->dest);
	if (port < LANE_PORT_FIRST || port - LANE_PORT_FIRST >= LANE_PORTS) {
		return XDP_PASS;
	}
	/* A queue without a socket: the kernel's. */
	return (int)bpf_redirect_map((void *)(long)&xsks_map, packet->rx_queue_index, XDP_PASS);
}
