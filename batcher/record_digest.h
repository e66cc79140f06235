/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content hash of one record, for comparing sent = logged = windowed. Sums of it do not depend
 * on order, and a record that is lost or counted twice changes the sum. Keyed SipHash-2-4 with
 * fixed keys: a check against mistakes, not against forgery. Any thread.
 */
#ifndef BATCHER_RECORD_DIGEST_H
#define BATCHER_RECORD_DIGEST_H

#include <stdint.h>
#include <string.h>
#include "base/bytes.h"
#include "base/hash.h"

/*
 * The key hashes under 16 bytes "penstock record 1"; the value hashes under (that hash, both
 * lengths) as its key, so that moving a byte from key to value, or null for empty, changes the
 * digest.
 */
static inline uint64_t
record_digest(const void *key, int32_t key_len, const void *value, int32_t value_len)
{
	static const uint8_t first[16] = {
		'p', 'e', 'n', 's', 't', 'o', 'c', 'k', ' ', 'r', 'e', 'c', 'o', 'r', 'd', '1'};
	uint8_t second[16];

	store_le64(second, hash_siphash24(first, key, key_len < 0 ? 0 : (size_t)key_len));
	store_le32(second + 8, (uint32_t)key_len);
	store_le32(second + 12, (uint32_t)value_len);
	return hash_siphash24(second, value, value_len < 0 ? 0 : (size_t)value_len);
}

#endif
