/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts, SIGKILL, decay, and what the oracle asks of the simulated disk. A crash first turns
 * writes in flight into versions, then decides for names, sizes and every block with uncovered
 * versions what is left; afterwards everything left is durable.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "logstore/io/io_sim_state.h"

#define SECTOR_BYTES 512
#define SECTORS	     (SIM_BLOCK_BYTES / SECTOR_BYTES)

static const uint8_t zero_block[SIM_BLOCK_BYTES];

struct crash {
	struct sim_store *store;
	const struct sim_crash_options *options;
	struct sim_crash_report report;
	struct rand rand;
	bool versions_only; /* this crash reorders and loses, but tears nothing */
};

/* --- blocks ---------------------------------------------------------------------------------- */

static uint32_t
version_count(const struct sim_block *block, bool with_in_flight)
{
	const struct sim_version *version;
	uint32_t count = 1;

	for (version = block->oldest; version; version = version->next) {
		count += with_in_flight || !version->in_flight;
	}
	return count;
}

/* Version 0 is the durable one. */
static const uint8_t *
version_bytes(const struct sim_block *block, uint32_t index)
{
	const struct sim_version *version = block->oldest;

	if (index == 0) {
		return block->durable ? block->durable : zero_block;
	}
	while (--index > 0) {
		version = version->next;
	}
	return version->bytes ? version->bytes : zero_block;
}

/* A mix is of two versions, so a block without a change cannot be torn into anything new. */
static struct sim_block_choice
choose_any(struct crash *c, uint32_t count)
{
	struct sim_block_choice choice = {
		.version = (uint32_t)rand_below(&c->rand, count),
		.mask = (uint8_t)rand_u64(&c->rand),
	};
	uint64_t dice = rand_below(&c->rand, 100);

	if (c->versions_only || dice < 40) {
		choice.fate = SIM_BLOCK_VERSION;
	} else if (dice < 60) {
		choice.fate = SIM_BLOCK_SECTORS;
	} else if (dice < 75) {
		choice.fate = SIM_BLOCK_MIXED;
	} else if (dice < 83) {
		choice.fate = SIM_BLOCK_ZEROS;
	} else if (dice < 92) {
		choice.fate = SIM_BLOCK_GARBAGE;
	} else {
		choice.fate = SIM_BLOCK_EIO;
	}
	return choice;
}

static struct sim_block_choice
crash_choose(struct crash *c, const struct sim_dirty *entry, const struct sim_block *block)
{
	uint32_t count = version_count(block, true);

	switch (c->options->mode) {
	case SIM_CRASH_LOSE_ALL:
		return (struct sim_block_choice){.fate = SIM_BLOCK_VERSION, .version = 0};
	case SIM_CRASH_KEEP_ALL:
		return (struct sim_block_choice){
			.fate = SIM_BLOCK_VERSION,
			.version = version_count(block, false) - 1,
		};
	case SIM_CRASH_CHOOSE:
		return c->options->choose(c->options->user_data, entry->file->path, entry->block,
			count);
	default:
		return choose_any(c, count);
	}
}

static void
mix_sectors(uint8_t *target, const uint8_t *other, uint8_t mask)
{
	uint32_t i;

	for (i = 0; i < SECTORS; i++) {
		if (mask & (1u << i)) {
			memcpy(target + i * SECTOR_BYTES, other + i * SECTOR_BYTES, SECTOR_BYTES);
		}
	}
}

static void
mix_bytes(struct rand *rand, uint8_t *target, const uint8_t *other)
{
	uint32_t i;

	for (i = 0; i < SIM_BLOCK_BYTES; i++) {
		if (rand_u64(rand) & 1) {
			target[i] = other[i];
		}
	}
}

static void
crash_count(struct sim_crash_report *report, const struct sim_block_choice *choice)
{
	report->blocks_at_risk++;
	switch (choice->fate) {
	case SIM_BLOCK_VERSION:
		report->blocks_old += choice->version == 0;
		report->blocks_new += choice->version > 0;
		break;
	case SIM_BLOCK_SECTORS:
	case SIM_BLOCK_MIXED:
		report->blocks_mixed++;
		break;
	case SIM_BLOCK_ZEROS:
		report->blocks_zero++;
		break;
	case SIM_BLOCK_GARBAGE:
		report->blocks_garbage++;
		break;
	default:
		report->blocks_eio++;
		break;
	}
}

/* Bytes of a block after the crash, by its fate. Caller frees. */
static uint8_t *
crash_bytes(struct crash *c, const struct sim_block *block, const struct sim_block_choice *choice)
{
	const uint8_t *chosen = version_bytes(block, choice->version);
	uint8_t *bytes = malloc(SIM_BLOCK_BYTES);

	ensure(bytes);
	memcpy(bytes, version_bytes(block, 0), SIM_BLOCK_BYTES);
	switch (choice->fate) {
	case SIM_BLOCK_VERSION:
		memcpy(bytes, chosen, SIM_BLOCK_BYTES);
		break;
	case SIM_BLOCK_SECTORS:
		mix_sectors(bytes, chosen, choice->mask);
		break;
	case SIM_BLOCK_MIXED:
		mix_bytes(&c->rand, bytes, chosen);
		break;
	case SIM_BLOCK_GARBAGE:
		rand_fill(&c->rand, bytes, SIM_BLOCK_BYTES);
		break;
	default:
		memset(bytes, 0, SIM_BLOCK_BYTES);
		break;
	}
	return bytes;
}

static uint8_t
crash_extent(struct crash *c, const struct sim_block *block)
{
	if (c->options->mode == SIM_CRASH_LOSE_ALL) {
		return block->extent_durable;
	}
	if (c->options->mode != SIM_CRASH_ANY) {
		return block->extent_now;
	}
	return rand_u64(&c->rand) & 1 ? block->extent_now : block->extent_durable;
}

static void
crash_block(struct crash *c, const struct sim_dirty *entry)
{
	struct sim_block *block = sim_file_block(entry->file, entry->block);
	struct sim_block_choice choice;
	uint8_t *bytes;

	if (block->oldest) {
		choice = crash_choose(c, entry, block);
		ensure(choice.version < version_count(block, true));
		crash_count(&c->report, &choice);
		bytes = crash_bytes(c, block, &choice);
		block->bad = choice.fate == SIM_BLOCK_EIO;
		sim_block_settle(block, bytes);
	}
	block->extent_now = crash_extent(c, block);
	block->extent_durable = block->extent_now;
	if (block->extent_now != SIM_EXTENT_WRITTEN) {
		sim_block_settle(block, NULL);
		block->bad = false;
	}
	block->dirty = false;
}

/* --- sizes and names ------------------------------------------------------------------------- */

static void
crash_size(struct crash *c, struct sim_file *file)
{
	uint32_t pick = file->size_count;

	if (file->size_count > 0) {
		if (c->options->mode == SIM_CRASH_LOSE_ALL) {
			pick = 0;
		} else if (c->options->mode == SIM_CRASH_ANY) {
			pick = (uint32_t)rand_below(&c->rand, file->size_count + 1);
		}
		c->report.sizes_reverted += pick < file->size_count;
		file->size_durable = pick > 0 ? file->sizes[pick - 1].bytes : file->size_durable;
		file->size_count = 0;
	}
	file->size = file->size_durable;
}

/* What is beyond the size is not there; what is in front of it but was never allocated, a hole. */
static void
crash_trim(struct sim_store *s, struct sim_file *file)
{
	uint64_t i;

	s->used_blocks -= file->used_blocks;
	file->used_blocks = 0;
	for (i = 0; i < file->block_count; i++) {
		struct sim_block *block = &file->blocks[i];

		if (i * SIM_BLOCK_BYTES >= file->size) {
			sim_block_settle(block, NULL);
			block->extent_now = SIM_EXTENT_HOLE;
			block->extent_durable = SIM_EXTENT_HOLE;
			block->bad = false;
		}
		file->used_blocks += block->extent_now != SIM_EXTENT_HOLE;
	}
	s->used_blocks += file->used_blocks;
}

static void
crash_names(struct crash *c)
{
	struct sim_store *s = c->store;
	struct sim_names names;
	uint32_t keep = s->op_count;
	uint32_t i;

	if (c->options->mode == SIM_CRASH_LOSE_ALL) {
		keep = 0;
	} else if (c->options->mode == SIM_CRASH_ANY) {
		keep = (uint32_t)rand_below(&c->rand, s->op_count + 1);
	}
	sim_names_copy(&s->base, &names);
	for (i = 0; i < s->op_count; i++) {
		if (i < keep || s->ops[i].synced) {
			sim_names_apply(&names, &s->ops[i]);
		} else {
			c->report.names_reverted++;
		}
	}
	sim_names_prune(&names);
	sim_store_reset_names(s, &names);
}

/* --- the crash ------------------------------------------------------------------------------- */

/* A request in flight may have reached the device: its blocks get one more version. */
static void
crash_land(const struct sim_disk *sim, struct crash *c)
{
	uint32_t i;

	for (i = 0; i < sim->in_flight_count; i++) {
		const struct sim_request *r = sim->in_flight[i];
		struct sim_file *file = c->store->files[r->file->number];
		uint64_t at;

		if (r->op != IO_FAULT_WRITE) {
			continue;
		}
		c->report.writes_in_flight++;
		for (at = 0; at < r->len; at += SIM_BLOCK_BYTES) {
			uint64_t block = (r->position + at) / SIM_BLOCK_BYTES;
			uint8_t extent = sim_file_block(file, block)->extent_now;

			sim_store_put(c->store, file, block, r->data + at, false);
			sim_file_block(file, block)->newest->in_flight = true;
			if (c->options->mode == SIM_CRASH_KEEP_ALL) {
				sim_file_block(file, block)->extent_now = extent;
			}
		}
	}
}

static void
crash_settle(struct crash *c)
{
	struct sim_store *s = c->store;
	uint32_t i;

	c->versions_only = c->options->mode == SIM_CRASH_ANY && rand_below(&c->rand, 3) == 0;
	for (i = 0; i < s->dirty_count; i++) {
		crash_block(c, &s->dirty[i]);
	}
	s->dirty_count = 0;
	for (i = 0; i < s->file_count; i++) {
		if (s->files[i] && !s->files[i]->is_directory) {
			crash_size(c, s->files[i]);
			crash_trim(s, s->files[i]);
		}
	}
	crash_names(c);
}

static struct crash
crash_begin(struct sim_store *store, const struct sim_crash_options *options)
{
	struct crash c = {.store = store, .options = options};

	ensure(options->mode != SIM_CRASH_CHOOSE || options->choose);
	rand_init(&c.rand, options->seed);
	return c;
}

/* The process is gone: its descriptors, locks and slots with it. */
static void
sim_kill_views(struct sim_disk *sim)
{
	uint32_t i;

	for (i = 0; i < sim->view_count; i++) {
		struct sim_view *view = sim->views[i];
		uint32_t slot;

		for (slot = 0; slot < view->slots_max && !view->dead; slot++) {
			if (view->slots[slot] >= 0) {
				sim->store.files[view->slots[slot]]->open_count--;
			}
		}
		view->dead = true;
	}
	for (i = 0; i < sim->fd_count; i++) {
		if (sim->fds[i].file) {
			sim_fd_close(sim, SIM_FD_FIRST + (int)i);
		}
	}
	sim->fd_count = 0;
}

static void
sim_drop_in_flight(struct sim_disk *sim)
{
	uint32_t i;

	for (i = 0; i < sim->in_flight_count; i++) {
		sim->in_flight[i]->file->in_flight--;
		sim->in_flight[i]->file->orphan_locks -= sim->in_flight[i]->holds_lock;
		sim_request_free(sim->in_flight[i]);
	}
	sim->in_flight_count = 0;
}

void
sim_crash(struct sim_disk *sim, const struct sim_crash_options *options,
	struct sim_crash_report *ret_report)
{
	struct crash c = crash_begin(&sim->store, options);

	sim_advance(sim);
	crash_land(sim, &c);
	sim_drop_in_flight(sim);
	sim_kill_views(sim);
	crash_settle(&c);
	sim_trace(sim, &(struct sim_event){.kind = SIM_EVENT_CRASH, .path = ""});
	if (ret_report) {
		*ret_report = c.report;
	}
}

int
sim_crash_copy(const struct sim_disk *sim, const struct sim_crash_options *options,
	struct sim_disk **ret_copy, struct sim_crash_report *ret_report)
{
	struct sim_disk *copy;
	struct crash c;
	int rc = sim_disk_create(&sim->options, &copy);

	if (rc < 0) {
		return rc;
	}
	sim_store_fini(&copy->store);
	sim_store_copy(&sim->store, &copy->store);
	c = crash_begin(&copy->store, options);
	crash_land(sim, &c);
	crash_settle(&c);
	if (ret_report) {
		*ret_report = c.report;
	}
	*ret_copy = copy;
	return 0;
}

void
sim_sigkill(struct sim_disk *sim)
{
	uint32_t kept = 0;
	uint32_t i;

	sim_advance(sim);
	for (i = 0; i < sim->in_flight_count; i++) {
		struct sim_request *r = sim->in_flight[i];

		if (r->op == IO_FAULT_READ) {
			r->file->in_flight--;
			sim_request_free(r);
			continue;
		}
		if (r->op == IO_FAULT_WRITE && !r->holds_lock && r->file->lock_fd >= 0) {
			r->holds_lock = true;
			r->file->orphan_locks++;
		}
		r->view = NULL;
		sim->in_flight[kept++] = r;
	}
	sim->in_flight_count = kept;
	sim_kill_views(sim);
	sim_trace(sim, &(struct sim_event){.kind = SIM_EVENT_SIGKILL, .path = ""});
}

/* --- knobs and decay ------------------------------------------------------------------------- */

uint64_t
sim_op_count(const struct sim_disk *sim, enum io_fault_op op)
{
	return sim->op_counts[op];
}

uint64_t
sim_fault_count(const struct sim_disk *sim)
{
	return sim->faults_fired;
}

void
sim_set_flush_delay(struct sim_disk *sim, uint64_t delay_ns)
{
	sim->flush_delay_ns = delay_ns;
}

void
sim_set_write_delay(struct sim_disk *sim, const char *path_contains, uint64_t delay_ns)
{
	sim->write_delay_ns = delay_ns;
	(void)snprintf(sim->write_delay_path, sizeof(sim->write_delay_path), "%s", path_contains);
}

void
sim_set_capacity(struct sim_disk *sim, uint64_t capacity_bytes)
{
	sim->store.capacity_blocks = capacity_bytes / SIM_BLOCK_BYTES;
}

static struct sim_block *
sim_block_at(struct sim_disk *sim, const char *path, uint64_t position, int *ret_error)
{
	uint32_t number = sim_store_lookup(&sim->store, path);

	*ret_error = number == SIM_NO_FILE ? -ENOENT : -ERANGE;
	if (number == SIM_NO_FILE || position >= sim->store.files[number]->size) {
		return NULL;
	}
	return sim_file_block(sim->store.files[number], position / SIM_BLOCK_BYTES);
}

static void
flip(uint8_t **bytes, uint64_t at, uint32_t bit)
{
	if (!*bytes) {
		*bytes = calloc(1, SIM_BLOCK_BYTES);
		ensure(*bytes);
	}
	(*bytes)[at] ^= (uint8_t)(1u << bit);
}

int
sim_flip_bit(struct sim_disk *sim, const char *path, uint64_t position, uint32_t bit)
{
	struct sim_version *version;
	struct sim_block *block;
	int rc;

	ensure(bit < 8);
	block = sim_block_at(sim, path, position, &rc);
	if (!block) {
		return rc;
	}
	if (block->extent_now == SIM_EXTENT_HOLE) {
		return -ERANGE; /* nothing lies there that could decay */
	}
	block->extent_now = SIM_EXTENT_WRITTEN;
	block->extent_durable = SIM_EXTENT_WRITTEN;
	flip(&block->durable, position % SIM_BLOCK_BYTES, bit);
	for (version = block->oldest; version; version = version->next) {
		flip(&version->bytes, position % SIM_BLOCK_BYTES, bit);
	}
	return 0;
}

int
sim_break_block(struct sim_disk *sim, const char *path, uint64_t position)
{
	int rc;
	struct sim_block *block = sim_block_at(sim, path, position, &rc);

	if (!block) {
		return rc;
	}
	block->bad = true;
	return 0;
}

/* --- the oracle ------------------------------------------------------------------------------ */

static bool
sim_name_durable(const struct sim_disk *sim, uint32_t file)
{
	struct sim_names names;
	bool found;

	sim_store_durable_names(&sim->store, &names);
	found = sim_names_has_file(&names, file);
	free(names.items);
	return found;
}

static bool
block_covered(const struct sim_block *block, uint64_t from, uint64_t len)
{
	const uint8_t *now = block ? sim_block_now(block) : NULL;
	const uint8_t *durable = block ? sim_block_durable(block) : NULL;

	if (block && block->bad) {
		return false;
	}
	now = now ? now : zero_block;
	durable = durable ? durable : zero_block;
	return memcmp(now + from, durable + from, len) == 0;
}

bool
sim_covered(const struct sim_disk *sim, const char *path, uint64_t position, uint64_t len)
{
	uint32_t number = sim_store_lookup(&sim->store, path);
	const struct sim_file *file;
	uint64_t at;

	if (number == SIM_NO_FILE || !sim_name_durable(sim, number)) {
		return false;
	}
	file = sim->store.files[number];
	if (position + len > file->size || position + len > file->size_durable) {
		return false;
	}
	for (at = position; at < position + len;) {
		uint64_t from = at % SIM_BLOCK_BYTES;
		uint64_t piece = position + len - at;

		piece = SIM_BLOCK_BYTES - from < piece ? SIM_BLOCK_BYTES - from : piece;
		if (!block_covered(sim_file_peek(file, at / SIM_BLOCK_BYTES), from, piece)) {
			return false;
		}
		at += piece;
	}
	return true;
}

bool
sim_at_risk(const struct sim_disk *sim, const char *path, uint64_t position, uint64_t len)
{
	uint32_t number = sim_store_lookup(&sim->store, path);
	uint64_t first = position / SIM_BLOCK_BYTES;
	uint64_t end = bytes_ceil(position + len, SIM_BLOCK_BYTES) / SIM_BLOCK_BYTES;
	uint64_t i;

	if (number == SIM_NO_FILE) {
		return false;
	}
	for (i = first; i < end; i++) {
		const struct sim_block *block = sim_file_peek(sim->store.files[number], i);

		if (block && (block->oldest || block->extent_now != block->extent_durable)) {
			return true;
		}
	}
	for (i = 0; i < sim->in_flight_count; i++) {
		const struct sim_request *r = sim->in_flight[i];

		if (r->op == IO_FAULT_WRITE && r->file->number == number &&
			r->position < end * SIM_BLOCK_BYTES &&
			first * SIM_BLOCK_BYTES < r->position + r->len) {
			return true;
		}
	}
	return false;
}

int64_t
sim_durable_read(const struct sim_disk *sim, const char *path, uint64_t position, void *bytes,
	uint64_t len)
{
	uint32_t number = sim_store_lookup(&sim->store, path);
	const struct sim_file *file;
	uint64_t i;

	if (number == SIM_NO_FILE) {
		return -ENOENT;
	}
	file = sim->store.files[number];
	for (i = 0; i < len; i++) {
		uint64_t at = position + i;
		const struct sim_block *block = sim_file_peek(file, at / SIM_BLOCK_BYTES);
		const uint8_t *durable = block ? sim_block_durable(block) : NULL;

		((uint8_t *)bytes)[i] = durable ? durable[at % SIM_BLOCK_BYTES] : 0;
	}
	return (int64_t)len;
}

uint64_t
sim_trace_count(const struct sim_disk *sim)
{
	return sim->trace_count;
}

const struct sim_event *
sim_trace_get(const struct sim_disk *sim, uint64_t index)
{
	uint64_t max = sim->options.trace_max;

	if (index >= sim->trace_count || max == 0 || sim->trace_count - index > max) {
		return NULL;
	}
	return &sim->trace[index % max];
}
