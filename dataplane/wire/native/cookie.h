/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address cookies: proof that a client receives at its source address, kept by the client, so that a
 * server holds no state before it. 16 bytes: time_s u32, secret_index u8, 3 zeros, SipHash-2-4 of
 * address, port, client nonce, time and index. Checking costs no memory and no lookup. Pure
 * functions.
 */
#ifndef WIRE_NATIVE_COOKIE_H
#define WIRE_NATIVE_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#define COOKIE_BYTES	    16
#define COOKIE_SECRET_BYTES 16
#define COOKIE_VALID_S	    10

/* Two generations: index and index - 1 are accepted. A plain value; who makes and rotates it is the caller. */
struct cookie_secrets {
	uint8_t secrets[2][COOKIE_SECRET_BYTES]; /* generation i in secrets[i & 1] */
	uint8_t index;				 /* of the current one */
	bool has_previous;
};

/* Whom a cookie is for. */
struct cookie_claim {
	uint8_t address[16]; /* IPv6, or IPv4 mapped (::ffff:a.b.c.d) */
	uint16_t port;	     /* host order */
	uint8_t client_nonce[16];
};

/* time_s: any seconds clock that cookie_check is given too. */
void cookie_make(const struct cookie_secrets *secrets, const struct cookie_claim *claim,
	uint32_t time_s, uint8_t ret_cookie[COOKIE_BYTES]);
/*
 * True if made for this claim by one of the two secrets at most COOKIE_VALID_S ago, or up to one
 * second ahead (lanes read their clocks at different instants). Constant time in the hash.
 */
bool cookie_check(const struct cookie_secrets *secrets, const struct cookie_claim *claim,
	uint32_t now_s, const uint8_t cookie[COOKIE_BYTES]);

#endif
