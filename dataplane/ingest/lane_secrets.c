/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrets of one start: cookie keys in two generations, boot id, reset key. Control's thread makes
 * and rotates them; every lane reads the same ones, by words and without waiting. The key that is
 * replaced is the one before the newest, so a lane that reads meanwhile knows at most a wrong old key:
 * that HELLO gets a RETRY and comes back.
 */
#include "ingest/lane.h"

static void
secrets_fill(struct lane_secrets *secrets, uint64_t *words, size_t bytes)
{
	if (secrets->rand) {
		rand_fill(secrets->rand, words, bytes);
	} else {
		rand_os_fill(words, bytes);
	}
}

static void
secrets_new_cookie_key(struct lane_secrets *secrets, uint32_t generation)
{
	uint64_t words[ARRAY_COUNT(secrets->cookie_keys[0])];

	secrets_fill(secrets, words, sizeof(words));
	for (uint32_t i = 0; i < ARRAY_COUNT(words); i++) {
		atomic_store_explicit(&secrets->cookie_keys[generation & 1][i], words[i], memory_order_relaxed);
	}
}

void
lane_secrets_init(struct lane_secrets *secrets, struct rand *rand, uint64_t now_ns)
{
	secrets->rand = rand;
	secrets_fill(secrets, &secrets->boot_id, sizeof(secrets->boot_id));
	secrets->boot_id |= 1; /* never 0, which clients take for none yet */
	secrets_new_cookie_key(secrets, 0);
	secrets_new_cookie_key(secrets, 1);
	secrets->cookie_rotated_ns = now_ns;
	atomic_store_explicit(&secrets->cookie_index, 0, memory_order_release);
}

void
lane_secrets_rotate(struct lane_secrets *secrets, uint64_t now_ns)
{
	uint32_t next;

	if (now_ns - secrets->cookie_rotated_ns < LANE_SECRETS_ROTATE_NS) {
		return;
	}
	secrets->cookie_rotated_ns = now_ns;
	next = atomic_load_explicit(&secrets->cookie_index, memory_order_relaxed) + 1;
	secrets_new_cookie_key(secrets, next);
	/* Pairs with the acquire in lane_secrets_cookie: who sees the index sees its key. */
	atomic_store_explicit(&secrets->cookie_index, next, memory_order_release);
}

struct cookie_secrets
lane_secrets_cookie(const struct lane_secrets *secrets)
{
	uint32_t index = atomic_load_explicit(&secrets->cookie_index, memory_order_acquire);
	struct cookie_secrets cookie = {.index = (uint8_t)index, .has_previous = index > 0};

	for (uint32_t i = 0; i < 4; i++) {
		uint64_t word = atomic_load_explicit(&secrets->cookie_keys[i / 2][i % 2], memory_order_relaxed);

		memcpy(cookie.secrets[i / 2] + 8 * (i % 2), &word, sizeof(word));
	}
	return cookie;
}
