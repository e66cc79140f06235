/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes over kernel UDP sockets: what needs nothing. At start. */
#ifndef CTRL_PORTS_SOCKET_H
#define CTRL_PORTS_SOCKET_H

#include "ctrl/daemon/ports.h"

/* One lane's queue. Negative errno with the error told. */
int ports_socket_open(struct wiring *wiring, const struct ports_row *row, uint32_t lane,
	struct wiring_error *error) MUST_CHECK;

#endif
