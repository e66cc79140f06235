/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated disk's state, without requests or views: files of 4 KiB blocks with their uncovered
 * versions, names with their unsynced changes. Private to io_sim*.c. Single thread. Running out of
 * memory aborts: this is a test tool.
 */
#ifndef LOGSTORE_IO_IO_SIM_DISK_H
#define LOGSTORE_IO_IO_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_BLOCK_BYTES 4096
#define SIM_ROOT	0u
#define SIM_NO_FILE	UINT32_MAX
#define SIM_STRING_BUCKETS 1024

enum sim_extent {
	SIM_EXTENT_HOLE,
	SIM_EXTENT_UNWRITTEN, /* allocated, reads as zeros */
	SIM_EXTENT_WRITTEN,
};

/* Content of a block that reads see and no flush has covered. */
struct sim_version {
	struct sim_version *next; /* newer */
	uint64_t stamp;		  /* of completion; flushes cover stamps up to their own */
	uint8_t *bytes;		  /* NULL: zeros */
	bool cached;		  /* in the page cache: only a sync of its own file covers it */
	bool doomed;		  /* a flush that should have covered it failed: none will */
	bool in_flight;		  /* only during a crash */
};

struct sim_block {
	uint8_t *durable; /* NULL: zeros */
	struct sim_version *oldest;
	struct sim_version *newest;
	uint64_t extent_stamp; /* when extent_now last changed */
	uint8_t extent_now;    /* enum sim_extent */
	uint8_t extent_durable;
	bool bad;   /* unreadable until written again */
	bool dirty; /* is in the disk's dirty list */
};

struct sim_size {
	uint64_t bytes;
	uint64_t stamp;
};

struct sim_file {
	uint32_t number;
	bool is_directory;
	struct sim_block *blocks;
	uint64_t block_count;
	uint64_t size; /* now */
	uint64_t size_durable;
	struct sim_size *sizes; /* uncovered changes, oldest first; the last is `size` */
	uint32_t size_count;
	uint32_t size_room;
	uint64_t used_blocks; /* not holes */
	uint32_t open_count;
	uint32_t in_flight;
	uint32_t orphan_locks; /* writes of a killed process that keep its flock */
	int lock_fd;	       /* -1 none */
	bool loose;	       /* lost a name: perhaps nothing holds it any more */
	const char *path;      /* last name, interned */
};

struct sim_name {
	uint32_t dir;
	uint32_t file;
	const char *name; /* interned */
};

struct sim_names {
	struct sim_name *items;
	uint32_t count;
	uint32_t room;
};

enum sim_name_op_kind {
	SIM_NAME_LINK,
	SIM_NAME_UNLINK,
	SIM_NAME_RENAME,
};

/* One change of names, atomic. */
struct sim_name_op {
	enum sim_name_op_kind kind;
	uint32_t file;
	uint32_t dir; /* LINK, UNLINK: here; RENAME: from */
	const char *name;
	uint32_t to_dir;
	const char *to_name;
	bool synced;
};

/* Interned: lives as long as the disk. */
struct sim_string {
	struct sim_string *next;
	size_t len;
	char text[];
};

struct sim_dirty {
	struct sim_file *file;
	uint64_t block;
};

struct sim_store {
	struct sim_file **files; /* by number; NULL: gone */
	uint32_t file_count;
	uint32_t file_room;
	struct sim_names now;
	struct sim_names base; /* durable, before the first op of the log */
	struct sim_name_op *ops;
	uint32_t op_count;
	uint32_t op_room;
	struct sim_dirty *dirty;
	uint32_t dirty_count;
	uint32_t dirty_room;
	uint32_t loose_count;
	struct sim_string *strings[SIM_STRING_BUCKETS];
	uint64_t stamp; /* of the last change */
	uint64_t used_blocks;
	uint64_t capacity_blocks;
};

/* Which versions a sync covers. */
struct sim_cover {
	const struct sim_file *own; /* its cached versions, extents and size too; NULL: none */
	bool device;		    /* direct versions of all files, else of `own` */
	bool everything;	    /* sync_fs */
	uint64_t stamp;
};

void *sim_grow(void *items, uint32_t *room, uint32_t needed, size_t item_bytes);
void sim_store_init(struct sim_store *s, uint64_t capacity_bytes);
void sim_store_fini(struct sim_store *s);
/* Deep copy of files, names and uncovered versions; nothing is open or in flight in it. */
void sim_store_copy(const struct sim_store *s, struct sim_store *ret_copy);
const char *sim_store_intern(struct sim_store *s, const char *text, size_t len);
/* The file may be free to go; sim_store_collect looks. */
void sim_store_loosen(struct sim_store *s, struct sim_file *file);

/* --- content --------------------------------------------------------------------------------- */

/* The bytes of a block as reads see them; NULL: zeros. */
const uint8_t *sim_block_now(const struct sim_block *block);
const uint8_t *sim_block_durable(const struct sim_block *block);
/* The block, in an array grown to hold it. */
struct sim_block *sim_file_block(struct sim_file *file, uint64_t index);
/* NULL if the file has none there (a hole). */
const struct sim_block *sim_file_peek(const struct sim_file *file, uint64_t index);
/* Adds a version of a whole block; bytes are copied, NULL: zeros. Converts the extent. */
void sim_store_put(struct sim_store *s, struct sim_file *file, uint64_t block,
	const uint8_t *bytes, bool cached);
/* Any bytes anywhere: read, change, put. -ENOSPC. NULL: zeros. Grows the file if need be. */
int sim_store_write(struct sim_store *s, struct sim_file *file, uint64_t position,
	const uint8_t *bytes, uint64_t len, bool cached);
/* Reads what is there now. -EIO: a bad block. Beyond the size: zeros; the caller checks. */
int sim_store_read(const struct sim_file *file, uint64_t position, uint8_t *bytes, uint64_t len);
void sim_store_truncate(struct sim_store *s, struct sim_file *file, uint64_t bytes);
/* -ENOSPC */
int sim_store_allocate(struct sim_store *s, struct sim_file *file, uint64_t bytes);
void sim_store_cover(struct sim_store *s, const struct sim_cover *cover);
/* A failed sync: what it should have covered never will be. */
void sim_store_doom(struct sim_store *s, const struct sim_cover *cover);

/* --- names ----------------------------------------------------------------------------------- */

struct sim_file *sim_store_file(const struct sim_store *s, uint32_t number);
/* Directory number and last component of a path. -ENOENT, -ENOTDIR, -EINVAL. */
int sim_store_parent(const struct sim_store *s, const char *path, uint32_t *ret_dir,
	const char **ret_name);
/* File of a path as names are now ("." is the root), or SIM_NO_FILE. */
uint32_t sim_store_lookup(const struct sim_store *s, const char *path);
uint32_t sim_names_find(const struct sim_names *names, uint32_t dir, const char *name);
/* Applies one op if its source is there. */
void sim_names_apply(struct sim_names *names, const struct sim_name_op *op);
void sim_names_copy(const struct sim_names *names, struct sim_names *ret_copy);
/* Drops entries whose directory cannot be reached from the root. */
void sim_names_prune(struct sim_names *names);
bool sim_names_has_file(const struct sim_names *names, uint32_t file);
struct sim_file *sim_store_create(struct sim_store *s, uint32_t dir, const char *name,
	bool is_directory);
/* Logs a change and applies it to the present. */
void sim_store_change_name(struct sim_store *s, const struct sim_name_op *op);
/* Everything in that directory is durable from now on. */
void sim_store_sync_dir(struct sim_store *s, uint32_t dir);
void sim_store_sync_names(struct sim_store *s);
/* Names as a crash that loses all unsynced changes would leave them. Caller frees items. */
void sim_store_durable_names(const struct sim_store *s, struct sim_names *ret_names);
/* Frees files that no name, present or possible after a crash, nor descriptor holds. */
void sim_store_collect(struct sim_store *s);
/* After a crash: names are `names` (taken over), nothing is unsynced. */
void sim_store_reset_names(struct sim_store *s, struct sim_names *names);
/* Drops all versions of a block and makes `bytes` (taken over, NULL: zeros) its durable content. */
void sim_block_settle(struct sim_block *block, uint8_t *bytes);

#endif
