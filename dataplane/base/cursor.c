/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the cursors that are too long to be inline: varints, copies, zeros. Any thread. */
#include "base/cursor.h"

void
reader_copy(struct reader *r, void *target, size_t len)
{
	const uint8_t *p = reader_bytes(r, len);

	if (len == 0) {
		return;
	}
	if (p) {
		memcpy(target, p, len);
	} else {
		memset(target, 0, len);
	}
}

/* An unsigned LEB128 of at most bytes_max bytes; bits past `bits` make it malformed. */
static uint64_t
reader_leb128(struct reader *r, int bytes_max, int bits)
{
	uint64_t v = 0;

	for (int i = 0; i < bytes_max; i++) {
		uint8_t byte = reader_u8(r);
		int shift = 7 * i;

		if (r->failed) {
			return 0;
		}
		if (shift + 7 > bits && (byte & 0x7f) >> (bits - shift)) {
			break;
		}
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			return v;
		}
	}
	r->failed = true;
	return 0;
}

int32_t
reader_varint(struct reader *r)
{
	uint32_t v = (uint32_t)reader_leb128(r, 5, 32);

	return (int32_t)((v >> 1) ^ (0 - (v & 1)));
}

int64_t
reader_varlong(struct reader *r)
{
	uint64_t v = reader_leb128(r, 10, 64);

	return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

bool
reader_zeros(struct reader *r, size_t len)
{
	const uint8_t *p = reader_bytes(r, len);
	uint8_t seen = 0;

	if (!p) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		seen |= p[i];
	}
	return seen == 0;
}

void
writer_copy(struct writer *w, const void *source, size_t len)
{
	uint8_t *p = writer_room(w, len);

	if (p && len > 0) {
		memcpy(p, source, len);
	}
}

void
writer_zeros(struct writer *w, size_t len)
{
	uint8_t *p = writer_room(w, len);

	if (p && len > 0) {
		memset(p, 0, len);
	}
}

void
writer_varint(struct writer *w, int32_t v)
{
	/* Sign extension makes the 64-bit zigzag of a 32-bit value equal to its 32-bit zigzag. */
	writer_varlong(w, v);
}

void
writer_varlong(struct writer *w, int64_t v)
{
	size_t len = varlong_len(v);
	uint64_t zigzag = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
	uint8_t *p = writer_room(w, len);

	if (!p) {
		return;
	}
	for (size_t i = 0; i + 1 < len; i++) {
		p[i] = (uint8_t)(zigzag | 0x80);
		zigzag >>= 7;
	}
	p[len - 1] = (uint8_t)zigzag;
}

size_t
varlong_len(int64_t v)
{
	uint64_t zigzag = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
	size_t bits = 64 - (size_t)__builtin_clzll(zigzag | 1);

	return (bits + 6) / 7;
}
