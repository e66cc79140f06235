/* SPDX-License-Identifier: Apache-2.0 */
/* What a partition's directory says before any segment is read: names, leader epochs, seals. See recovery.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "logstore/recovery.h"

#define EPOCHS_MAX 4096

/* --- names ------------------------------------------------------------------------------------- */

static struct recovery_base *
base_of(struct recovery_context *c, int64_t base)
{
	for (uint32_t i = 0; i < c->base_count; i++) {
		if (c->bases[i].base == base) {
			return &c->bases[i];
		}
	}
	struct recovery_base *b = &c->bases[c->base_count++];

	*b = (struct recovery_base){.base = base};
	return b;
}

static int
compare_bases(const void *a, const void *b)
{
	const struct recovery_base *x = a;
	const struct recovery_base *y = b;

	return x->base < y->base ? -1 : x->base > y->base;
}

static bool
has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name);
	size_t n = strlen(suffix);

	return len > n && strcmp(name + len - n, suffix) == 0;
}

int
recovery_names_read(struct recovery_context *c)
{
	int rc = file_util_list(c->io, c->p->dir, &c->names);

	if (rc < 0) {
		return rc;
	}
	c->bases = calloc(c->names.count + c->entry_count + 1, sizeof(c->bases[0]));
	if (!c->bases) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < c->names.count; i++) {
		const char *name = c->names.names[i].name;
		char *end = NULL;
		int64_t base = strtoll(name, &end, 10);

		if (has_suffix(name, ".tmp") || has_suffix(name, ".deleted") ||
			has_suffix(name, REPAIR_SUFFIX)) {
			(void)file_util_remove(c->io, c->p->dir, name);
		} else if (end != name + 20) {
			continue;
		} else if (strcmp(end, ".log") == 0) {
			base_of(c, base)->has_log = true;
		} else if (strcmp(end, ".seal") == 0) {
			base_of(c, base)->has_seal = true;
		} else if (strcmp(end, ".index") == 0 || strcmp(end, ".timeindex") == 0) {
			base_of(c, base)->has_index = true;
		}
	}
	/* Segments whose rename the crash took back still have their .prep name. */
	for (uint32_t i = 0; i < c->entry_count; i++) {
		const struct guard_entry *e = &c->entries[i].entry;
		char path[FILE_PATH_MAX];
		struct io_stat stat;

		c->relaxed |= (e->flags & GUARD_RELAXED) != 0;
		if (e->flags & GUARD_POISON) {
			continue;
		}
		file_util_spare_path(path, e->file_id, "prep");
		struct recovery_base *b = base_of(c, e->segment_base);

		if (!b->has_log && c->io->ops->stat(c->io, path, &stat) == 0) {
			b->has_log = true;
			b->prep_id = e->file_id;
		}
	}
	qsort(c->bases, c->base_count, sizeof(c->bases[0]), compare_bases);
	return 0;
}

int
recovery_names_finish(struct recovery_context *c, int64_t base, uint64_t prep_id)
{
	char from[FILE_PATH_MAX];
	char to[FILE_PATH_MAX];

	file_util_spare_path(from, prep_id, "prep");
	file_util_segment_path(to, c->p->dir, base, ".log");
	int rc = c->io->ops->rename(c->io, from, to);

	rc = rc < 0 ? rc : c->io->ops->fsync_dir(c->io, c->p->dir);
	return rc < 0 ? rc : c->io->ops->fsync_dir(c->io, ".");
}

/* A segment that the guard proves is missing, not absent: that is for the chain of segments to judge. */
static bool
is_proven(const struct recovery_context *c, int64_t base)
{
	bool proven = false;

	for (uint32_t i = 0; i < c->entry_count && !proven; i++) {
		const struct recovery_entry *e = &c->entries[i];

		proven = e->proven && !(e->entry.flags & GUARD_POISON) && e->entry.segment_base == base;
	}
	return proven;
}

void
recovery_names_drop_orphans(struct recovery_context *c)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < c->base_count; i++) {
		struct recovery_base *b = &c->bases[i];
		char name[FILE_PATH_MAX];

		if (b->has_log || b->has_seal || !b->has_index || is_proven(c, b->base)) {
			c->bases[kept++] = *b;
			continue;
		}
		file_util_segment_path(name, NULL, b->base, ".index");
		(void)file_util_remove(c->io, c->p->dir, name);
		file_util_segment_path(name, NULL, b->base, ".timeindex");
		(void)file_util_remove(c->io, c->p->dir, name);
	}
	c->base_count = kept;
}

int
recovery_names_read_epochs(struct recovery_context *c)
{
	struct file_bytes file = {0};
	struct checkpoint_file_reader reader;
	int rc = file_util_read(c->io, c->p->dir, "leader-epoch-checkpoint", &file);

	c->epochs = calloc(EPOCHS_MAX + 1, sizeof(c->epochs[0]));
	if (!c->epochs) {
		free(file.bytes);
		return -ENOMEM;
	}
	rc = rc < 0 ? rc : checkpoint_file_open(&reader, file.bytes, file.len);
	while (rc >= 0 && c->epoch_count < EPOCHS_MAX) {
		rc = checkpoint_file_next_epoch(&reader, &c->epochs[c->epoch_count]);
		if (rc <= 0) {
			break;
		}
		c->epoch_count++;
	}
	free(file.bytes);
	return rc == -ENOENT ? 0 : rc;
}

/* After a cut, or where readers may have seen more than is durable: reused offsets need a new epoch. */
int
recovery_names_raise_epoch(struct recovery_context *c, int64_t end, int32_t *ret_epoch)
{
	size_t room = 64 + ((size_t)c->epoch_count + 1) * 40;
	uint8_t *text = malloc(room);
	uint32_t kept = 0;

	if (!text) {
		return -ENOMEM;
	}
	int32_t epoch = c->epoch_count > 0 ? c->epochs[c->epoch_count - 1].epoch + 1 : 1;

	while (kept < c->epoch_count && c->epochs[kept].start_offset < end) {
		kept++;
	}
	c->epochs[kept] = (struct checkpoint_epoch){.epoch = epoch, .start_offset = end};
	c->epoch_count = kept + 1;
	struct writer w = writer_init(text, room);

	checkpoint_file_begin(&w, c->epoch_count);
	for (uint32_t i = 0; i < c->epoch_count; i++) {
		checkpoint_file_add_epoch(&w, c->epochs[i].epoch, c->epochs[i].start_offset);
	}
	int rc = w.failed ? -ENOBUFS
			  : file_util_replace(c->io, c->p->dir, "leader-epoch-checkpoint", text,
				    writer_len(&w));

	free(text);
	if (rc == 0) {
		*ret_epoch = epoch;
	}
	return rc;
}

/* --- seals ------------------------------------------------------------------------------------- */

int
recovery_names_read_seal(struct recovery_context *c, int64_t base, struct seal *ret_seal)
{
	struct file_bytes file;
	char name[FILE_PATH_MAX];

	file_util_segment_path(name, NULL, base, ".seal");
	int rc = file_util_read(c->io, c->p->dir, name, &file);

	rc = rc < 0 ? rc : seal_parse(file.bytes, file.len, ret_seal);
	free(file.bytes);
	if (rc == 0 && (memcmp(ret_seal->topic_id, c->p->topic_id, 16) != 0 ||
			       ret_seal->partition != c->p->partition || ret_seal->base_offset != base)) {
		return -EBADMSG;
	}
	return rc;
}
