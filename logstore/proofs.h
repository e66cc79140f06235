/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `penstock-proofs` in a partition's directory: the guard entries, tail copies and all, of segments that
 * a start did not take (quarantined, offline) or that could not be sealed. Anchors tell of open segments
 * only, so without it the proofs would be gone with the first one. One guard record of kind anchor whose
 * start id is that of the start that wrote it: newer than all it holds. Keeper thread.
 */
#ifndef LOGSTORE_PROOFS_H
#define LOGSTORE_PROOFS_H

#include <stdbool.h>
#include <stdint.h>
#include "logstore/file_util.h"
#include "logstore/guard.h"

#define PROOFS_NAME "penstock-proofs"

struct logstore;

/* One usable guard entry with what is known of its record. */
struct recovery_entry {
	struct guard_entry entry;
	const uint8_t *tail;
	uint64_t start_id;
	uint64_t seq;
	bool proven;
	bool anchor;
	bool kept; /* from penstock-proofs */
};

/*
 * Writes the entries, in their order, atomically and durably; those of poison are left out. No entries:
 * nothing is written.
 */
int proofs_write(struct logstore *store, const char *dir, uint64_t start_id,
	const struct recovery_entry *entries, uint32_t count) MUST_CHECK;

struct proofs {
	struct file_bytes file; /* the caller frees; tails of entries point into it */
	struct guard_header header;
};

/* -ENOENT; -EBADMSG: damaged, or of another data directory; what reading gives. */
int proofs_read(struct logstore *store, const char *dir, struct proofs *ret) MUST_CHECK;
/* Entry `index` < header.entry_count. */
struct recovery_entry proofs_entry(const struct proofs *proofs, uint32_t index);

#endif
