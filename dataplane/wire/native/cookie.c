/* SPDX-License-Identifier: Apache-2.0 */
/* Address cookies, see cookie.h. Stateless, any thread. */
#include "wire/native/cookie.h"

#include "base/bytes.h"
#include "base/cursor.h"
#include "base/ensure.h"
#include "base/hash.h"

#define COOKIE_HASHED_BYTES 39 /* address 16, port 2, nonce 16, time 4, index 1 */
#define COOKIE_AHEAD_S	    1

static uint64_t
cookie_hash(const struct cookie_secrets *secrets, const struct cookie_claim *claim,
	uint32_t time_s, uint8_t index)
{
	uint8_t hashed[COOKIE_HASHED_BYTES];
	struct writer w = writer_init(hashed, sizeof(hashed));

	writer_copy(&w, claim->address, sizeof(claim->address));
	writer_le16(&w, claim->port);
	writer_copy(&w, claim->client_nonce, sizeof(claim->client_nonce));
	writer_le32(&w, time_s);
	writer_u8(&w, index);
	ensure(!w.failed);
	return hash_siphash24(secrets->secrets[index & 1], hashed, sizeof(hashed));
}

void
cookie_make(const struct cookie_secrets *secrets, const struct cookie_claim *claim, uint32_t time_s,
	uint8_t ret_cookie[COOKIE_BYTES])
{
	struct writer w = writer_init(ret_cookie, COOKIE_BYTES);

	writer_le32(&w, time_s);
	writer_u8(&w, secrets->index);
	writer_zeros(&w, 3);
	writer_le64(&w, cookie_hash(secrets, claim, time_s, secrets->index));
	ensure(!w.failed);
}

bool
cookie_check(const struct cookie_secrets *secrets, const struct cookie_claim *claim, uint32_t now_s,
	const uint8_t cookie[COOKIE_BYTES])
{
	struct reader r = reader_init(cookie, COOKIE_BYTES);
	uint32_t time_s = reader_le32(&r);
	uint8_t index = reader_u8(&r);
	bool zeros = reader_zeros(&r, 3);
	uint64_t hash = reader_le64(&r);
	uint8_t generations_ago = (uint8_t)(secrets->index - index);

	if (!zeros || generations_ago > (secrets->has_previous ? 1 : 0)) {
		return false;
	}
	if (now_s + COOKIE_AHEAD_S - time_s > COOKIE_VALID_S + COOKIE_AHEAD_S) {
		return false;
	}
	/* One 64-bit compare: nothing to learn byte by byte. */
	return hash == cookie_hash(secrets, claim, time_s, index);
}
