/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The question that the server's net stack never asks: which MAC address has this IP address? ARP
 * (RFC 826) and neighbour solicitation (RFC 4861, 4.3) as a host on the link sends them, for clients
 * over nic/nic.h. One lcore's net_port at a time; no cache, no routes.
 */
#ifndef SUPPORT_NEIGHBOUR_H
#define SUPPORT_NEIGHBOUR_H

#include "net/net.h"

/* Queues one question from our address (IPv4 mapped) in port->replies. False: no buffer. */
bool neighbour_ask(struct net_port *port, const uint8_t *our_address, const uint8_t *address);
/* True if the frame, as received, answers for that address. Changes nothing in it. */
bool neighbour_answers(const struct packet_view *view, const uint8_t *address, uint8_t *ret_mac);

#endif
