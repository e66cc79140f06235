/* SPDX-License-Identifier: Apache-2.0 */
/* Reset tokens, see token.h. Stateless, any thread. */
#include "wire/native/token.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "base/bytes.h"
#include "base/ensure.h"

void
token_reset(const uint8_t key[TOKEN_RESET_KEY_BYTES], uint64_t session_id,
	uint8_t ret_token[TOKEN_RESET_BYTES])
{
	uint8_t message[8];
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned digest_len = 0;

	store_le64(message, session_id);
	/* Fails only if libcrypto has no SHA-256 or no memory: no server without it. */
	ensure(HMAC(EVP_sha256(), key, TOKEN_RESET_KEY_BYTES, message, sizeof(message), digest,
		       &digest_len) != NULL);
	ensure(digest_len >= TOKEN_RESET_BYTES);
	memcpy(ret_token, digest, TOKEN_RESET_BYTES);
}
