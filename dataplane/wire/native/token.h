/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reset tokens: the first 16 bytes of HMAC-SHA256(reset_key, session_id), so that a server that lost
 * its sessions can still end them, and nobody else can. By libcrypto; allocates inside, so only on
 * paths that are rare or rate-limited (ACCEPT, RESET). Any thread.
 */
#ifndef WIRE_NATIVE_TOKEN_H
#define WIRE_NATIVE_TOKEN_H

#include <stdint.h>

#define TOKEN_RESET_KEY_BYTES 32
#define TOKEN_RESET_BYTES     16

/* session_id goes in as 8 bytes, little-endian. */
void token_reset(const uint8_t key[TOKEN_RESET_KEY_BYTES], uint64_t session_id,
	uint8_t ret_token[TOKEN_RESET_BYTES]);

#endif
