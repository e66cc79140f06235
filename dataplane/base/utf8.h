/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Any thread. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at the front of `bytes`, or 0: none of at most len bytes, or a NUL. */
size_t utf8_step(const uint8_t *bytes, size_t len);
/* True if all len bytes are characters, none of them NUL. */
bool utf8_valid(const uint8_t *bytes, size_t len);

#endif
