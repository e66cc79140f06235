/* SPDX-License-Identifier: Apache-2.0 */
/* Frame types as words, for what tests say when they fail. */
#ifndef SUPPORT_FRAME_NAME_H
#define SUPPORT_FRAME_NAME_H

#include <stdint.h>

/* "HELLO"; "?" for a type that is none. */
const char *frame_name(uint8_t type);

#endif
