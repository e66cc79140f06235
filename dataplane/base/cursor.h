/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one bounds-checked reader and the one bounds-checked writer of every codec in the tree.
 * Sticky error: after the first access past the end every read returns 0 (or NULL) and every write
 * is dropped, so a parser reads all its fields in a straight line and checks `failed` once. A count
 * read from the wire must still be bounded before it drives a loop.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/bytes.h"
#include "base/compiler.h"

struct reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

static inline struct reader
reader_init(const void *bytes, size_t len)
{
	return (struct reader){.at = bytes, .end = (const uint8_t *)bytes + len};
}

static inline size_t
reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

/* The next len bytes in place, or NULL and failed. A zero len gives a non-NULL pointer. */
static inline const uint8_t *
reader_bytes(struct reader *r, size_t len)
{
	const uint8_t *p = r->at;

	if (unlikely(r->failed || reader_left(r) < len)) {
		r->failed = true;
		return NULL;
	}
	r->at += len;
	return p;
}

static inline void
reader_skip(struct reader *r, size_t len)
{
	(void)reader_bytes(r, len);
}

static inline uint8_t
reader_u8(struct reader *r)
{
	const uint8_t *p = reader_bytes(r, 1);

	return p ? *p : 0;
}

#define READER_FIXED(order, bits)                                                                  \
	static inline uint##bits##_t reader_##order##bits(struct reader *r)                        \
	{                                                                                          \
		const uint8_t *p = reader_bytes(r, bits / 8);                                      \
		return p ? load_##order##bits(p) : 0;                                              \
	}
READER_FIXED(le, 16)
READER_FIXED(le, 32)
READER_FIXED(le, 64)
READER_FIXED(be, 16)
READER_FIXED(be, 32)
READER_FIXED(be, 64)

/* Copies len bytes out; zeros the target if they are not there. */
void reader_copy(struct reader *r, void *target, size_t len);
/* Kafka's zigzag varints (KIP-98 records). More than 5 or 10 bytes: failed. */
int32_t reader_varint(struct reader *r);
int64_t reader_varlong(struct reader *r);
/* True if the next len bytes are there and all zero; consumes them. */
bool reader_zeros(struct reader *r, size_t len);

struct writer {
	uint8_t *begin;
	uint8_t *at;
	uint8_t *end;
	bool failed;
};

static inline struct writer
writer_init(void *bytes, size_t room)
{
	return (struct writer){.begin = bytes, .at = bytes, .end = (uint8_t *)bytes + room};
}

static inline size_t
writer_len(const struct writer *w)
{
	return (size_t)(w->at - w->begin);
}

static inline size_t
writer_left(const struct writer *w)
{
	return (size_t)(w->end - w->at);
}

/* Room for len bytes in place to be filled by the caller, or NULL and failed. */
static inline uint8_t *
writer_room(struct writer *w, size_t len)
{
	uint8_t *p = w->at;

	if (unlikely(w->failed || writer_left(w) < len)) {
		w->failed = true;
		return NULL;
	}
	w->at += len;
	return p;
}

static inline void
writer_u8(struct writer *w, uint8_t v)
{
	uint8_t *p = writer_room(w, 1);

	if (p) {
		*p = v;
	}
}

#define WRITER_FIXED(order, bits)                                                                  \
	static inline void writer_##order##bits(struct writer *w, uint##bits##_t v)                \
	{                                                                                          \
		uint8_t *p = writer_room(w, bits / 8);                                             \
		if (p) {                                                                           \
			store_##order##bits(p, v);                                                 \
		}                                                                                  \
	}
WRITER_FIXED(le, 16)
WRITER_FIXED(le, 32)
WRITER_FIXED(le, 64)
WRITER_FIXED(be, 16)
WRITER_FIXED(be, 32)
WRITER_FIXED(be, 64)

void writer_copy(struct writer *w, const void *source, size_t len);
void writer_zeros(struct writer *w, size_t len);
void writer_varint(struct writer *w, int32_t v);
void writer_varlong(struct writer *w, int64_t v);
/* Bytes that writer_varlong would take for v, 1..10. */
size_t varlong_len(int64_t v);

#endif
