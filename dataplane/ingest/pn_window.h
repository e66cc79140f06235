/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a receiver remembers of packet numbers: every pn <= upto is received or settled, and a
 * bitmap of the 1,024 after it. The bitmap is a ring indexed by pn, so advancing never shifts it. A
 * pure value, single owner. Bits at or below upto are always zero.
 */
#ifndef INGEST_PN_WINDOW_H
#define INGEST_PN_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define PN_WINDOW_BITS  1024
#define PN_WINDOW_WORDS (PN_WINDOW_BITS / 64)

struct pn_window {
	uint64_t upto;
	uint64_t highest; /* highest pn received, or upto if that is higher */
	uint64_t words[PN_WINDOW_WORDS];
};

void pn_window_init(struct pn_window *window);
/* The sender's pn_low_delta says that all below low are settled. Forward only. */
void pn_window_settle(struct pn_window *window, uint64_t low);
/* pn was received before, or settled. pn must be at most upto + 1024. */
bool pn_window_seen(const struct pn_window *window, uint64_t pn);
/*
 * Notes an unseen pn as received. True if a gap appeared or closed by it, that is, if it is not
 * simply the next one: then an ACK is due at once.
 */
bool pn_window_receive(struct pn_window *window, uint64_t pn);
/* Bitmap as an ACK has it: bit i of word w = upto + 1 + 64 w + i. Returns the words in use, 0..16.
 */
uint32_t pn_window_bitmap(const struct pn_window *window, uint64_t ret_words[PN_WINDOW_WORDS]);

#endif
