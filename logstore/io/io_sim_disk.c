/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks and their versions. A block's durable bytes are what survives if nothing uncovered does; its
 * versions, oldest first, are what completed writes left since. A sync folds the newest version it
 * covers into the durable bytes and drops all older ones. Names are in io_sim_names.c.
 */
#include "logstore/io/io_sim_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"

void *
sim_grow(void *items, uint32_t *room, uint32_t needed, size_t item_bytes)
{
	uint32_t wanted = *room ? *room : 16;

	if (needed <= *room) {
		return items;
	}
	while (wanted < needed) {
		wanted *= 2;
	}
	items = realloc(items, wanted * item_bytes);
	ensure(items);
	*room = wanted;
	return items;
}

/* --- blocks ---------------------------------------------------------------------------------- */

static uint8_t *
block_copy(const uint8_t *bytes)
{
	uint8_t *copy;

	if (!bytes) {
		return NULL;
	}
	copy = malloc(SIM_BLOCK_BYTES);
	ensure(copy);
	memcpy(copy, bytes, SIM_BLOCK_BYTES);
	return copy;
}

const uint8_t *
sim_block_now(const struct sim_block *block)
{
	if (block->extent_now != SIM_EXTENT_WRITTEN) {
		return NULL;
	}
	return block->newest ? block->newest->bytes : block->durable;
}

const uint8_t *
sim_block_durable(const struct sim_block *block)
{
	return block->extent_durable == SIM_EXTENT_WRITTEN ? block->durable : NULL;
}

void
sim_block_settle(struct sim_block *block, uint8_t *bytes)
{
	struct sim_version *version = block->oldest;

	while (version) {
		struct sim_version *next = version->next;

		free(version->bytes);
		free(version);
		version = next;
	}
	free(block->durable);
	block->durable = bytes;
	block->oldest = NULL;
	block->newest = NULL;
}

struct sim_block *
sim_file_block(struct sim_file *file, uint64_t index)
{
	if (index >= file->block_count) {
		uint64_t count = index + 1;

		/* Doubling, so that a file grown block by block is not copied each time. */
		if (count < file->block_count * 2) {
			count = file->block_count * 2;
		}
		file->blocks = realloc(file->blocks, count * sizeof(*file->blocks));
		ensure(file->blocks);
		memset(file->blocks + file->block_count, 0,
			(count - file->block_count) * sizeof(*file->blocks));
		file->block_count = count;
	}
	return &file->blocks[index];
}

const struct sim_block *
sim_file_peek(const struct sim_file *file, uint64_t index)
{
	return index < file->block_count ? &file->blocks[index] : NULL;
}

static void
sim_store_mark_dirty(struct sim_store *s, struct sim_file *file, uint64_t block)
{
	struct sim_block *b = sim_file_block(file, block);

	if (b->dirty) {
		return;
	}
	b->dirty = true;
	s->dirty = sim_grow(s->dirty, &s->dirty_room, s->dirty_count + 1, sizeof(*s->dirty));
	s->dirty[s->dirty_count++] = (struct sim_dirty){.file = file, .block = block};
}

static void
block_set_extent(struct sim_store *s, struct sim_file *file, uint64_t index, uint8_t extent)
{
	struct sim_block *block = sim_file_block(file, index);

	if (block->extent_now == extent) {
		return;
	}
	if (block->extent_now == SIM_EXTENT_HOLE) {
		file->used_blocks++;
		s->used_blocks++;
	} else if (extent == SIM_EXTENT_HOLE) {
		file->used_blocks--;
		s->used_blocks--;
	}
	block->extent_now = extent;
	block->extent_stamp = ++s->stamp;
	sim_store_mark_dirty(s, file, index);
}

void
sim_store_put(struct sim_store *s, struct sim_file *file, uint64_t block, const uint8_t *bytes,
	bool cached)
{
	struct sim_version *version = calloc(1, sizeof(*version));
	struct sim_block *b;

	ensure(version);
	block_set_extent(s, file, block, SIM_EXTENT_WRITTEN);
	version->bytes = block_copy(bytes);
	version->cached = cached;
	version->stamp = ++s->stamp;
	b = sim_file_block(file, block);
	if (b->newest) {
		b->newest->next = version;
	} else {
		b->oldest = version;
	}
	b->newest = version;
	b->bad = false;
	sim_store_mark_dirty(s, file, block);
}

/* --- ranges ---------------------------------------------------------------------------------- */

/* Blocks of [first, end) that would have to be allocated. */
static uint64_t
file_holes(const struct sim_file *file, uint64_t first, uint64_t end)
{
	uint64_t holes = 0;
	uint64_t i;

	for (i = first; i < end; i++) {
		const struct sim_block *block = sim_file_peek(file, i);

		holes += !block || block->extent_now == SIM_EXTENT_HOLE;
	}
	return holes;
}

static void
sim_store_set_size(struct sim_store *s, struct sim_file *file, uint64_t bytes)
{
	if (file->size == bytes) {
		return;
	}
	file->size = bytes;
	file->sizes = sim_grow(file->sizes, &file->size_room, file->size_count + 1,
		sizeof(*file->sizes));
	file->sizes[file->size_count++] = (struct sim_size){.bytes = bytes, .stamp = ++s->stamp};
}

int
sim_store_write(struct sim_store *s, struct sim_file *file, uint64_t position,
	const uint8_t *bytes, uint64_t len, bool cached)
{
	uint64_t end = position + len;
	uint64_t at = position;

	if (s->used_blocks + file_holes(file, position / SIM_BLOCK_BYTES,
		bytes_ceil(end, SIM_BLOCK_BYTES) / SIM_BLOCK_BYTES) > s->capacity_blocks) {
		return -ENOSPC;
	}
	while (at < end) {
		uint64_t index = at / SIM_BLOCK_BYTES;
		uint64_t from = at % SIM_BLOCK_BYTES;
		uint64_t piece = SIM_BLOCK_BYTES - from < end - at ? SIM_BLOCK_BYTES - from : end - at;
		uint8_t block[SIM_BLOCK_BYTES] = {0};
		const uint8_t *now = sim_block_now(sim_file_block(file, index));

		if (!bytes && piece == SIM_BLOCK_BYTES) {
			sim_store_put(s, file, index, NULL, cached);
		} else {
			if (now) {
				memcpy(block, now, sizeof(block));
			}
			if (bytes) {
				memcpy(block + from, bytes + (at - position), piece);
			} else {
				memset(block + from, 0, piece);
			}
			sim_store_put(s, file, index, block, cached);
		}
		at += piece;
	}
	if (end > file->size) {
		sim_store_set_size(s, file, end);
	}
	return 0;
}

int
sim_store_read(const struct sim_file *file, uint64_t position, uint8_t *bytes, uint64_t len)
{
	uint64_t at = position;
	uint64_t end = position + len;

	while (at < end) {
		uint64_t from = at % SIM_BLOCK_BYTES;
		uint64_t piece = SIM_BLOCK_BYTES - from < end - at ? SIM_BLOCK_BYTES - from : end - at;
		const struct sim_block *block = sim_file_peek(file, at / SIM_BLOCK_BYTES);
		const uint8_t *now = block ? sim_block_now(block) : NULL;

		if (block && block->bad) {
			return -EIO;
		}
		if (now) {
			memcpy(bytes + (at - position), now + from, piece);
		} else {
			memset(bytes + (at - position), 0, piece);
		}
		at += piece;
	}
	return 0;
}

/* As ext4 does it: the rest of the last block is zeroed through the page cache, later blocks go. */
void
sim_store_truncate(struct sim_store *s, struct sim_file *file, uint64_t bytes)
{
	uint64_t keep = bytes_ceil(bytes, SIM_BLOCK_BYTES);
	uint64_t i;

	if (bytes < file->size && bytes < keep) {
		const struct sim_block *last = sim_file_peek(file, bytes / SIM_BLOCK_BYTES);

		if (last && last->extent_now == SIM_EXTENT_WRITTEN) {
			uint8_t block[SIM_BLOCK_BYTES] = {0};
			const uint8_t *now = sim_block_now(last);

			if (now) {
				memcpy(block, now, bytes % SIM_BLOCK_BYTES);
			}
			sim_store_put(s, file, bytes / SIM_BLOCK_BYTES, block, true);
		}
	}
	for (i = keep / SIM_BLOCK_BYTES; bytes < file->size && i < file->block_count; i++) {
		if (file->blocks[i].extent_now != SIM_EXTENT_HOLE) {
			sim_store_put(s, file, i, NULL, true);
			block_set_extent(s, file, i, SIM_EXTENT_HOLE);
		}
	}
	sim_store_set_size(s, file, bytes);
}

int
sim_store_allocate(struct sim_store *s, struct sim_file *file, uint64_t bytes)
{
	uint64_t blocks = bytes_ceil(bytes, SIM_BLOCK_BYTES) / SIM_BLOCK_BYTES;
	uint64_t i;

	if (s->used_blocks + file_holes(file, 0, blocks) > s->capacity_blocks) {
		return -ENOSPC;
	}
	for (i = 0; i < blocks; i++) {
		if (sim_file_block(file, i)->extent_now == SIM_EXTENT_HOLE) {
			block_set_extent(s, file, i, SIM_EXTENT_UNWRITTEN);
		}
	}
	if (bytes > file->size) {
		sim_store_set_size(s, file, bytes);
	}
	return 0;
}

/* --- syncs ----------------------------------------------------------------------------------- */

static bool
cover_takes(const struct sim_cover *cover, const struct sim_file *file,
	const struct sim_version *version)
{
	bool own = cover->everything || cover->own == file;

	return version->stamp <= cover->stamp && (own || (cover->device && !version->cached));
}

static void
block_cover(const struct sim_cover *cover, const struct sim_file *file, struct sim_block *block)
{
	struct sim_version *version;
	struct sim_version *newest = NULL;

	for (version = block->oldest; version; version = version->next) {
		if (cover_takes(cover, file, version) && !version->doomed) {
			newest = version;
		}
	}
	while (newest && block->oldest) {
		version = block->oldest;
		block->oldest = version->next;
		free(block->durable);
		block->durable = version->bytes;
		if (version == newest) {
			newest = NULL;
		}
		free(version);
	}
	if (!block->oldest) {
		block->newest = NULL;
	}
	if ((cover->everything || cover->own == file) && block->extent_stamp <= cover->stamp) {
		block->extent_durable = block->extent_now;
	}
}

static void
file_cover_size(struct sim_file *file, uint64_t stamp)
{
	uint32_t covered = 0;

	while (covered < file->size_count && file->sizes[covered].stamp <= stamp) {
		file->size_durable = file->sizes[covered++].bytes;
	}
	if (covered > 0) {
		memmove(file->sizes, file->sizes + covered,
			(file->size_count - covered) * sizeof(*file->sizes));
		file->size_count -= covered;
	}
}

void
sim_store_cover(struct sim_store *s, const struct sim_cover *cover)
{
	uint32_t kept = 0;
	uint32_t i;

	for (i = 0; i < s->dirty_count; i++) {
		struct sim_dirty entry = s->dirty[i];
		struct sim_block *block = sim_file_block(entry.file, entry.block);

		block_cover(cover, entry.file, block);
		if (block->oldest || block->extent_now != block->extent_durable) {
			s->dirty[kept++] = entry;
		} else {
			block->dirty = false;
		}
	}
	s->dirty_count = kept;
	for (i = 0; i < s->file_count; i++) {
		if (s->files[i] && (cover->everything || cover->own == s->files[i])) {
			file_cover_size(s->files[i], cover->stamp);
		}
	}
}

void
sim_store_doom(struct sim_store *s, const struct sim_cover *cover)
{
	uint32_t i;

	for (i = 0; i < s->dirty_count; i++) {
		struct sim_dirty entry = s->dirty[i];
		struct sim_version *version = sim_file_block(entry.file, entry.block)->oldest;

		for (; version; version = version->next) {
			version->doomed |= cover_takes(cover, entry.file, version);
		}
	}
}

/* --- life ------------------------------------------------------------------------------------ */

static void
file_free(struct sim_file *file)
{
	uint64_t i;

	for (i = 0; i < file->block_count; i++) {
		sim_block_settle(&file->blocks[i], NULL);
	}
	free(file->blocks);
	free(file->sizes);
	free(file);
}

static bool
store_file_needed(const struct sim_store *s, const struct sim_file *file)
{
	uint32_t i;

	if (file->number == SIM_ROOT || file->open_count > 0 || file->in_flight > 0 ||
		sim_names_has_file(&s->now, file->number) ||
		sim_names_has_file(&s->base, file->number)) {
		return true;
	}
	for (i = 0; i < s->op_count; i++) {
		if (s->ops[i].file == file->number) {
			return true;
		}
	}
	return false;
}

static void
store_drop_file(struct sim_store *s, uint32_t number)
{
	struct sim_file *file = s->files[number];
	uint32_t kept = 0;
	uint32_t i;

	for (i = 0; i < s->dirty_count; i++) {
		if (s->dirty[i].file != file) {
			s->dirty[kept++] = s->dirty[i];
		}
	}
	s->dirty_count = kept;
	s->used_blocks -= file->used_blocks;
	s->loose_count -= file->loose;
	file_free(file);
	s->files[number] = NULL;
}

void
sim_store_loosen(struct sim_store *s, struct sim_file *file)
{
	s->loose_count += !file->loose;
	file->loose = true;
}

void
sim_store_collect(struct sim_store *s)
{
	uint32_t i;

	for (i = 0; s->loose_count > 0 && i < s->file_count; i++) {
		if (s->files[i] && s->files[i]->loose && !store_file_needed(s, s->files[i])) {
			store_drop_file(s, i);
		}
	}
}

void
sim_store_init(struct sim_store *s, uint64_t capacity_bytes)
{
	struct sim_file *root = calloc(1, sizeof(*root));

	ensure(root);
	*s = (struct sim_store){.capacity_blocks = capacity_bytes / SIM_BLOCK_BYTES};
	root->is_directory = true;
	root->lock_fd = -1;
	root->path = sim_store_intern(s, ".", 1);
	s->files = sim_grow(s->files, &s->file_room, 1, sizeof(*s->files));
	s->files[s->file_count++] = root;
}

void
sim_store_fini(struct sim_store *s)
{
	uint32_t i;

	for (i = 0; i < s->file_count; i++) {
		if (s->files[i]) {
			file_free(s->files[i]);
		}
	}
	for (i = 0; i < SIM_STRING_BUCKETS; i++) {
		struct sim_string *string = s->strings[i];

		while (string) {
			struct sim_string *next = string->next;

			free(string);
			string = next;
		}
	}
	free(s->files);
	free(s->now.items);
	free(s->base.items);
	free(s->ops);
	free(s->dirty);
}

static void
block_clone(const struct sim_block *from, struct sim_block *to)
{
	const struct sim_version *version;

	*to = *from;
	to->durable = block_copy(from->durable);
	to->oldest = NULL;
	to->newest = NULL;
	for (version = from->oldest; version; version = version->next) {
		struct sim_version *copy = malloc(sizeof(*copy));

		ensure(copy);
		*copy = *version;
		copy->next = NULL;
		copy->bytes = block_copy(version->bytes);
		if (to->newest) {
			to->newest->next = copy;
		} else {
			to->oldest = copy;
		}
		to->newest = copy;
	}
}

static struct sim_file *
file_clone(struct sim_store *copy, const struct sim_file *file)
{
	struct sim_file *f = malloc(sizeof(*f));
	uint64_t i;

	ensure(f);
	*f = *file;
	f->open_count = 0;
	f->in_flight = 0;
	f->orphan_locks = 0;
	f->lock_fd = -1;
	f->path = sim_store_intern(copy, file->path, strlen(file->path));
	f->blocks = calloc(file->block_count + 1, sizeof(*f->blocks));
	f->sizes = malloc((file->size_room + 1) * sizeof(*f->sizes));
	ensure(f->blocks);
	ensure(f->sizes);
	if (file->size_count > 0) {
		memcpy(f->sizes, file->sizes, file->size_count * sizeof(*f->sizes));
	}
	for (i = 0; i < file->block_count; i++) {
		block_clone(&file->blocks[i], &f->blocks[i]);
	}
	return f;
}

static void
names_clone(struct sim_store *copy, const struct sim_names *from, struct sim_names *to)
{
	uint32_t i;

	sim_names_copy(from, to);
	for (i = 0; i < to->count; i++) {
		to->items[i].name = sim_store_intern(copy, to->items[i].name,
			strlen(to->items[i].name));
	}
}

void
sim_store_copy(const struct sim_store *s, struct sim_store *ret_copy)
{
	struct sim_store c = {
		.stamp = s->stamp,
		.used_blocks = s->used_blocks,
		.capacity_blocks = s->capacity_blocks,
		.loose_count = s->loose_count,
	};
	uint32_t i;

	c.files = sim_grow(c.files, &c.file_room, s->file_count, sizeof(*c.files));
	c.file_count = s->file_count;
	for (i = 0; i < s->file_count; i++) {
		c.files[i] = s->files[i] ? file_clone(&c, s->files[i]) : NULL;
	}
	names_clone(&c, &s->now, &c.now);
	names_clone(&c, &s->base, &c.base);
	c.ops = sim_grow(c.ops, &c.op_room, s->op_count + 1, sizeof(*c.ops));
	c.op_count = s->op_count;
	for (i = 0; i < s->op_count; i++) {
		struct sim_name_op *op = &c.ops[i];

		*op = s->ops[i];
		op->name = sim_store_intern(&c, op->name, strlen(op->name));
		if (op->to_name) {
			op->to_name = sim_store_intern(&c, op->to_name, strlen(op->to_name));
		}
	}
	c.dirty = sim_grow(c.dirty, &c.dirty_room, s->dirty_count + 1, sizeof(*c.dirty));
	c.dirty_count = s->dirty_count;
	for (i = 0; i < s->dirty_count; i++) {
		c.dirty[i] = (struct sim_dirty){
			.file = c.files[s->dirty[i].file->number],
			.block = s->dirty[i].block,
		};
	}
	*ret_copy = c;
}
