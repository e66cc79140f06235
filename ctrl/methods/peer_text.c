/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/methods/peer_text.h"

#include <arpa/inet.h>
#include <stdio.h>

void
peer_text(const struct packet_peer *peer, char *ret_text, size_t room)
{
	char address[INET6_ADDRSTRLEN];

	if (packet_address_is_ip4(peer->address)) {
		inet_ntop(AF_INET, peer->address + 12, address, sizeof(address));
		snprintf(ret_text, room, "%s:%u", address, peer->port);
	} else {
		inet_ntop(AF_INET6, peer->address, address, sizeof(address));
		snprintf(ret_text, room, "[%s]:%u", address, peer->port);
	}
}
