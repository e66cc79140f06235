/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packet numbers seen (pn_window.h). A sender keeps pn - low < 1024 and low is applied first, so a
 * pn never lies beyond the ring; who breaks that was turned away before (pn_bad). Every loop is
 * bounded by the ring's 16 words or amortised over the packets that set the bits.
 */
#include "ingest/pn_window.h"

#include <string.h>
#include "base/ensure.h"

#define WORD(pn) (((pn) / 64) % PN_WINDOW_WORDS)
#define BIT(pn)  (1ull << ((pn) % 64))

void
pn_window_init(struct pn_window *window)
{
	memset(window, 0, sizeof(*window));
}

/* Moves upto over what follows it without a hole. */
static void
pn_window_advance(struct pn_window *window)
{
	for (;;) {
		uint64_t next = window->upto + 1;

		if (!(window->words[WORD(next)] & BIT(next))) {
			break;
		}
		window->words[WORD(next)] &= ~BIT(next);
		window->upto = next;
	}
	if (window->highest < window->upto) {
		window->highest = window->upto;
	}
}

void
pn_window_settle(struct pn_window *window, uint64_t low)
{
	if (low == 0 || low - 1 <= window->upto) {
		return;
	}
	if (low - 1 - window->upto >= PN_WINDOW_BITS) {
		memset(window->words, 0, sizeof(window->words));
		window->upto = low - 1;
	}
	while (window->upto < low - 1) {
		uint64_t next = window->upto + 1;

		if (next % 64 == 0 && low - 1 - window->upto >= 64) {
			window->words[WORD(next)] = 0;
			window->upto += 64;
		} else {
			window->words[WORD(next)] &= ~BIT(next);
			window->upto = next;
		}
	}
	pn_window_advance(window);
}

bool
pn_window_seen(const struct pn_window *window, uint64_t pn)
{
	if (pn <= window->upto) {
		return true;
	}
	ensure(pn - window->upto <= PN_WINDOW_BITS);
	return (window->words[WORD(pn)] & BIT(pn)) != 0;
}

bool
pn_window_receive(struct pn_window *window, uint64_t pn)
{
	bool next = pn == window->highest + 1;

	ensure(pn > window->upto);
	ensure(pn - window->upto <= PN_WINDOW_BITS);
	window->words[WORD(pn)] |= BIT(pn);
	if (pn > window->highest) {
		window->highest = pn;
	}
	pn_window_advance(window);
	return !next;
}

uint32_t
pn_window_bitmap(const struct pn_window *window, uint64_t ret_words[PN_WINDOW_WORDS])
{
	uint64_t first = window->upto + 1;
	uint32_t shift = first % 64;
	uint32_t count = (uint32_t)((window->highest - window->upto + 63) / 64);

	ensure(count <= PN_WINDOW_WORDS);
	for (uint32_t w = 0; w < count; w++) {
		uint64_t from = window->words[WORD(first + 64ull * w)] >> shift;

		if (shift > 0) {
			uint64_t next = window->words[WORD(first + 64ull * w + 64)];

			/* The 16th word takes its upper bits from the low ones of the first: same
			 * ring word. */
			from |= next << (64 - shift);
		}
		ret_words[w] = from;
	}
	return count;
}
