/* SPDX-License-Identifier: Apache-2.0 */
/* A producer's address as people write it. Any thread. */
#ifndef CTRL_PEER_TEXT_H
#define CTRL_PEER_TEXT_H

#include <stddef.h>
#include "dataplane.h"

#define PEER_TEXT_BYTES 64

/* "192.0.2.7:40000" or "[2001:db8::7]:40000", ended within room bytes. */
void peer_text(const struct packet_peer *peer, char *ret_text, size_t room);

#endif
