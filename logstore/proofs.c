/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs beside a log that was not taken. See proofs.h. */
#include "logstore/proofs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "logstore/store.h"

/* What an entry was in the guard; only in this file. */
#define PROOFS_ANCHOR (1u << 30)
#define PROOFS_PROVEN (1u << 31)

static int
build(struct guard_builder *b, const struct recovery_entry *entries, uint32_t count)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		struct guard_entry e = entries[i].entry;

		if (e.flags & GUARD_POISON) {
			continue;
		}
		e.flags |= (entries[i].anchor ? PROOFS_ANCHOR : 0) | (entries[i].proven ? PROOFS_PROVEN : 0);
		rc = guard_builder_add(b, &e, entries[i].tail);
	}
	return rc;
}

int
proofs_write(struct logstore *store, const char *dir, uint64_t start_id,
	const struct recovery_entry *entries, uint32_t count)
{
	struct guard_builder b;
	struct guard_header header = {.kind = GUARD_ANCHOR, .start_id = start_id, .seq = 1};
	uint64_t room = GUARD_HEADER_BYTES;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (!(entries[i].entry.flags & GUARD_POISON)) {
			room += GUARD_ENTRY_BYTES + (entries[i].entry.end_pos & (store->block_bytes - 1));
			kept++;
		}
	}
	room = bytes_ceil(room, store->block_bytes);
	if (kept == 0) {
		return 0;
	}
	if (room > UINT32_MAX) {
		return -EFBIG;
	}
	uint8_t *bytes = malloc(room);
	int rc = bytes ? guard_builder_init(&b, bytes, (uint32_t)room, store->block_bytes, kept) : -ENOMEM;

	rc = rc < 0 ? rc : build(&b, entries, count);
	if (rc == 0) {
		memcpy(header.directory_id, store->directory_id, sizeof(header.directory_id));
		uint32_t len = guard_builder_finish(&b, &header);

		rc = file_util_replace(store->options.keeper_io, dir, PROOFS_NAME, bytes, len);
	}
	free(bytes);
	return rc;
}

int
proofs_read(struct logstore *store, const char *dir, struct proofs *ret)
{
	struct proofs p = {0};
	int rc = file_util_read(store->options.keeper_io, dir, PROOFS_NAME, &p.file);

	if (rc < 0) {
		return rc;
	}
	if (guard_record_parse(p.file.bytes, p.file.len, store->block_bytes, &p.header) < 0 ||
		p.header.kind != GUARD_ANCHOR ||
		memcmp(p.header.directory_id, store->directory_id, sizeof(p.header.directory_id)) != 0) {
		free(p.file.bytes);
		return -EBADMSG;
	}
	*ret = p;
	return 0;
}

struct recovery_entry
proofs_entry(const struct proofs *proofs, uint32_t index)
{
	struct recovery_entry e = {.start_id = proofs->header.start_id, .seq = index, .kept = true};

	ensure(index < proofs->header.entry_count);
	e.tail = guard_record_entry(proofs->file.bytes, index, &e.entry);
	e.anchor = (e.entry.flags & PROOFS_ANCHOR) != 0;
	e.proven = (e.entry.flags & PROOFS_PROVEN) != 0;
	e.entry.flags &= ~(PROOFS_ANCHOR | PROOFS_PROVEN);
	return e;
}
