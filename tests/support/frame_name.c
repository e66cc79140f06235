/* SPDX-License-Identifier: Apache-2.0 */
#include "support/frame_name.h"

#include "wire/native/frame.h"

const char *
frame_name(uint8_t type)
{
	switch (type) {
	case FRAME_HELLO:
		return "HELLO";
	case FRAME_DATA:
		return "DATA";
	case FRAME_FRAG:
		return "FRAG";
	case FRAME_PING:
		return "PING";
	case FRAME_RESOLVE:
		return "RESOLVE";
	case FRAME_CLOSE:
		return "CLOSE";
	case FRAME_PROBE:
		return "PROBE";
	case FRAME_RETRY:
		return "RETRY";
	case FRAME_ACCEPT:
		return "ACCEPT";
	case FRAME_ACK:
		return "ACK";
	case FRAME_RESET:
		return "RESET";
	case FRAME_RESOLVED:
		return "RESOLVED";
	case FRAME_CLOSED:
		return "CLOSED";
	case FRAME_PROBED:
		return "PROBED";
	case FRAME_VERSION:
		return "VERSION";
	default:
		return "?";
	}
}
