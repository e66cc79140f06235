/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vectors of AUTH and FRAG, which this version does not offer, judged by others than who made them: keys by
 * OpenSSL's HKDF, protected frames by its AES-128-GCM, and what comes out by the codec. Whoever builds either
 * finds vectors that two implementations agree on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include "base/bytes.h"
#include "base/cursor.h"
#include "support/vector.h"
#include "wire/native/frame.h"
#include "wire/record_batch.h"

#define FRAG_HEADER_BYTES 16
#define IV_BYTES	  12
#define KEY_BYTES	  16
#define PN_KEY_SHIFT	  22
#define SESSION		  0x1a2b3c4d00100005ull

/* n, n + 1, ... as the notes of the vectors say. */
static void
count_up(uint8_t *ret_bytes, uint8_t first, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		ret_bytes[i] = (uint8_t)(first + i);
	}
}

static void
hkdf(int mode, const uint8_t *key, size_t key_len, const char *word, const void *more, size_t more_len,
	uint8_t *ret_bytes, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
	uint8_t info[64];
	size_t word_len = strlen(word);
	char digest[] = "SHA256";
	OSSL_PARAM parameters[5];

	memcpy(info, word, word_len);
	if (more_len > 0) {
		memcpy(info + word_len, more, more_len);
	}
	parameters[0] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	parameters[1] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	parameters[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key, key_len);
	parameters[3] = OSSL_PARAM_construct_octet_string(
		mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY ? OSSL_KDF_PARAM_SALT : OSSL_KDF_PARAM_INFO, info,
		word_len + more_len);
	parameters[4] = OSSL_PARAM_construct_end();
	assert_int_equal(EVP_KDF_derive(context, ret_bytes, len, parameters), 1);
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
}

static void
expect_vector(const char *path, const uint8_t *bytes, size_t len)
{
	static struct vector vector;

	vector_load(&vector, path);
	assert_int_equal(vector.len, len);
	assert_memory_equal(vector.bytes, bytes, len);
}

/* Key and iv of a direction's packets of that key number. */
static void
key_of(const char *direction, uint32_t number, uint8_t ret_key_iv[KEY_BYTES + IV_BYTES])
{
	uint8_t nonces[32], psk[32], prk[32], secret[32], session[8], count[4];

	count_up(nonces, 0x10, 32);
	count_up(psk, 0, 32);
	store_le64(session, SESSION);
	store_le32(count, number);
	hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, psk, 32, "", nonces, 32, prk, 32);
	expect_vector("native_auth/prk.hex", prk, 32);
	hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, prk, 32, direction, session, 8, secret, 32);
	expect_vector(strstr(direction, "c2s") ? "native_auth/secret_c2s.hex" : "native_auth/secret_s2c.hex", secret, 32);
	hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, secret, 32, "pn1 key", count, 4, ret_key_iv, KEY_BYTES + IV_BYTES);
}

static void
keys_are_what_openssl_derives(void **state)
{
	static const uint8_t zeros[32];
	uint8_t psk[32], extract[32], key[32], key_iv[KEY_BYTES + IV_BYTES];

	count_up(psk, 0, 32);
	hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, psk, 32, "", zeros, 32, extract, 32);
	hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, extract, 32, "pn1 hello", NULL, 0, key, 32);
	expect_vector("native_auth/hello_key.hex", key, 32);
	hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, extract, 32, "pn1 accept", NULL, 0, key, 32);
	expect_vector("native_auth/accept_key.hex", key, 32);
	key_of("pn1 c2s", 0, key_iv);
	expect_vector("native_auth/key_c2s_0.hex", key_iv, sizeof(key_iv));
	key_of("pn1 c2s", 1, key_iv);
	expect_vector("native_auth/key_c2s_1.hex", key_iv, sizeof(key_iv));
	key_of("pn1 s2c", 0, key_iv);
	expect_vector("native_auth/key_s2c_0.hex", key_iv, sizeof(key_iv));
}

/* Opens a protected frame in place; false: its tag is wrong. */
static bool
open_frame(uint8_t *bytes, size_t len)
{
	bool server = bytes[3] & FRAME_FROM_SERVER, encrypted = load_le16(bytes + 4) & FRAME_ENCRYPTED;
	uint64_t pn = load_le64(bytes + 16);
	uint8_t key_iv[KEY_BYTES + IV_BYTES], *iv = key_iv + KEY_BYTES;
	int body = (int)(len - FRAME_HEADER_BYTES - FRAME_TAG_BYTES), hidden = encrypted ? body : 0, done = 0, more = 0;
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

	key_of(server ? "pn1 s2c" : "pn1 c2s", (uint32_t)(pn >> PN_KEY_SHIFT), key_iv);
	for (uint32_t i = 0; i < 8; i++) {
		iv[IV_BYTES - 1 - i] ^= (uint8_t)(pn >> 8 * i);
	}
	assert_int_equal(EVP_DecryptInit_ex(context, EVP_aes_128_gcm(), NULL, key_iv, iv), 1);
	assert_int_equal(
		EVP_DecryptUpdate(context, NULL, &done, bytes, FRAME_HEADER_BYTES + body - hidden), 1);
	if (hidden > 0) {
		assert_int_equal(EVP_DecryptUpdate(context, bytes + FRAME_HEADER_BYTES, &done,
					 bytes + FRAME_HEADER_BYTES, hidden), 1);
	}
	assert_int_equal(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, FRAME_TAG_BYTES,
				 bytes + FRAME_HEADER_BYTES + body), 1);
	bool good = EVP_DecryptFinal_ex(context, bytes + FRAME_HEADER_BYTES + body, &more) == 1;

	EVP_CIPHER_CTX_free(context);
	return good;
}

static void
protected_frames_open_and_hold_their_crc(void **state)
{
	static const struct {
		const char *path, *body; /* the plain frame that has the same body */
		uint64_t pn;
	} rows[] = {
		{"native_auth/data.hex", "native/data.hex", 7},
		{"native_auth/data_encrypted.hex", "native/data.hex", 7},
		{"native_auth/data_key_1.hex", "native/data.hex", 1u << PN_KEY_SHIFT},
		{"native_auth/data_encrypted_key_1.hex", "native/data.hex", 1u << PN_KEY_SHIFT},
		{"native_auth/ack_encrypted.hex", "native/ack.hex", 3},
	};
	static struct vector hidden, plain, spoilt;

	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct frame frame;

		vector_load(&hidden, rows[i].path);
		vector_load(&plain, rows[i].body);
		assert_int_equal(hidden.len, plain.len + FRAME_TAG_BYTES);
		for (size_t at = 0; at < hidden.len; at += 13) {
			spoilt = hidden;
			/* Bytes that choose the key or what is hidden are looked at by the tag too. */
			spoilt.bytes[at] ^= 0x40;
			assert_false(open_frame(spoilt.bytes, spoilt.len));
		}
		assert_true(open_frame(hidden.bytes, hidden.len));
		assert_int_equal(frame_decode(hidden.bytes, hidden.len,
					 hidden.bytes[3] & FRAME_FROM_SERVER ? FRAME_SIDE_CLIENT : FRAME_SIDE_SERVER, &frame),
			FRAME_OK);
		assert_int_equal(frame.pn, rows[i].pn);
		assert_int_equal(frame.body_len, plain.len - FRAME_HEADER_BYTES);
		assert_memory_equal(frame.body, plain.bytes + FRAME_HEADER_BYTES, frame.body_len);
	}
}

/* head_crc covers all of a fragment, where of DATA the batch's own CRC takes over. */
static void
fragments_make_a_batch(void **state)
{
	static const char *const paths[] = {"native/frag_0.hex", "native/frag_1.hex", "native/frag_2.hex"};
	static struct vector vector, whole;
	static uint8_t batch[VECTOR_BYTES_MAX];
	struct record_batch header;
	uint32_t offset = 0, fragment_bytes = 0;

	vector_load(&whole, "record_batch/large.hex");
	for (uint32_t i = 0; i < 3; i++) {
		struct frame frame;
		struct reader r;
		uint32_t len;

		vector_load(&vector, paths[i]);
		assert_int_equal(frame_decode(vector.bytes, vector.len, FRAME_SIDE_SERVER, &frame), FRAME_OK);
		assert_int_equal(frame.type, FRAME_FRAG);
		assert_int_equal(frame.pn, 20 + i);
		r = reader_init(frame.body, frame.body_len);
		assert_int_equal(reader_le32(&r), 42);
		assert_int_equal(reader_le32(&r), whole.len);
		assert_int_equal(reader_le32(&r), offset);
		assert_int_equal(reader_le16(&r), i);
		assert_int_equal(reader_le16(&r), 3);
		len = frame.body_len - FRAG_HEADER_BYTES;
		fragment_bytes = i == 0 ? len : fragment_bytes;
		assert_true(i == 2 ? len <= fragment_bytes : len == fragment_bytes);
		memcpy(batch + offset, frame.body + FRAG_HEADER_BYTES, len);
		offset += len;
		vector.bytes[vector.len - 1] ^= 1;
		assert_int_equal(
			frame_decode(vector.bytes, vector.len, FRAME_SIDE_SERVER, &frame), FRAME_FAULT_CRC);
	}
	assert_int_equal(offset, whole.len);
	assert_memory_equal(batch, whole.bytes, whole.len);
	assert_int_equal(record_batch_decode(batch, offset, &header), 0);
	assert_int_equal(header.base_sequence, 42);
	assert_int_equal(header.record_count, 3);
	assert_int_equal(record_batch_crc(batch, offset), header.crc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_what_openssl_derives),
		cmocka_unit_test(protected_frames_open_and_hold_their_crc),
		cmocka_unit_test(fragments_make_a_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
