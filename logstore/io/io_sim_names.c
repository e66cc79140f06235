/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of the simulated disk. The present is a flat list of (directory, name, file); what a crash
 * may leave is `base` plus, in order, the logged changes that are synced or that the crash keeps. A
 * change is atomic, and synced by a sync of either directory it touches, together with every earlier
 * change of the same file, as journaling file systems do it.
 */
#include "logstore/io/io_sim_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"

#define SIM_PATH_MAX 640

const char *
sim_store_intern(struct sim_store *s, const char *text, size_t len)
{
	struct sim_string **bucket;
	struct sim_string *string;
	uint32_t hash = 2166136261u;
	size_t i;

	for (i = 0; i < len; i++) {
		hash = (hash ^ (uint8_t)text[i]) * 16777619u;
	}
	bucket = &s->strings[hash % SIM_STRING_BUCKETS];
	for (string = *bucket; string; string = string->next) {
		if (string->len == len && memcmp(string->text, text, len) == 0) {
			return string->text;
		}
	}
	string = malloc(sizeof(*string) + len + 1);
	ensure(string);
	string->len = len;
	memcpy(string->text, text, len);
	string->text[len] = '\0';
	string->next = *bucket;
	*bucket = string;
	return string->text;
}

/* --- sets of names --------------------------------------------------------------------------- */

static uint32_t
names_index(const struct sim_names *names, uint32_t dir, const char *name)
{
	uint32_t i;

	for (i = 0; i < names->count; i++) {
		if (names->items[i].dir == dir && strcmp(names->items[i].name, name) == 0) {
			return i;
		}
	}
	return UINT32_MAX;
}

uint32_t
sim_names_find(const struct sim_names *names, uint32_t dir, const char *name)
{
	uint32_t i = names_index(names, dir, name);

	return i == UINT32_MAX ? SIM_NO_FILE : names->items[i].file;
}

bool
sim_names_has_file(const struct sim_names *names, uint32_t file)
{
	uint32_t i;

	for (i = 0; i < names->count; i++) {
		if (names->items[i].file == file) {
			return true;
		}
	}
	return false;
}

static void
names_remove(struct sim_names *names, uint32_t index)
{
	memmove(&names->items[index], &names->items[index + 1],
		(names->count - index - 1) * sizeof(*names->items));
	names->count--;
}

static void
names_set(struct sim_names *names, uint32_t dir, const char *name, uint32_t file)
{
	uint32_t i = names_index(names, dir, name);

	if (i != UINT32_MAX) {
		names->items[i].file = file;
		return;
	}
	names->items = sim_grow(names->items, &names->room, names->count + 1,
		sizeof(*names->items));
	names->items[names->count++] = (struct sim_name){.dir = dir, .file = file, .name = name};
}

void
sim_names_apply(struct sim_names *names, const struct sim_name_op *op)
{
	uint32_t from;

	if (op->kind == SIM_NAME_LINK) {
		names_set(names, op->dir, op->name, op->file);
		return;
	}
	from = names_index(names, op->dir, op->name);
	if (from == UINT32_MAX || names->items[from].file != op->file) {
		return;
	}
	names_remove(names, from);
	if (op->kind == SIM_NAME_RENAME) {
		names_set(names, op->to_dir, op->to_name, op->file);
	}
}

void
sim_names_copy(const struct sim_names *names, struct sim_names *ret_copy)
{
	*ret_copy = (struct sim_names){0};
	ret_copy->items = sim_grow(NULL, &ret_copy->room, names->count + 1,
		sizeof(*ret_copy->items));
	ret_copy->count = names->count;
	if (names->count > 0) {
		memcpy(ret_copy->items, names->items, names->count * sizeof(*names->items));
	}
}

void
sim_names_prune(struct sim_names *names)
{
	bool again = true;

	while (again) {
		uint32_t i;

		again = false;
		for (i = names->count; i > 0; i--) {
			uint32_t dir = names->items[i - 1].dir;

			if (dir != SIM_ROOT && !sim_names_has_file(names, dir)) {
				names_remove(names, i - 1);
				again = true;
			}
		}
	}
}

/* --- paths ----------------------------------------------------------------------------------- */

struct sim_file *
sim_store_file(const struct sim_store *s, uint32_t number)
{
	return number < s->file_count ? s->files[number] : NULL;
}

int
sim_store_parent(const struct sim_store *s, const char *path, uint32_t *ret_dir,
	const char **ret_name)
{
	const char *at = path;
	const char *slash;
	uint32_t dir = SIM_ROOT;

	if (*path == '\0' || *path == '/' || strstr(path, "..")) {
		return -EINVAL;
	}
	while ((slash = strchr(at, '/'))) {
		char component[256];
		size_t len = (size_t)(slash - at);

		if (len == 0 || len >= sizeof(component)) {
			return -EINVAL;
		}
		memcpy(component, at, len);
		component[len] = '\0';
		dir = sim_names_find(&s->now, dir, component);
		if (dir == SIM_NO_FILE) {
			return -ENOENT;
		}
		if (!s->files[dir]->is_directory) {
			return -ENOTDIR;
		}
		at = slash + 1;
	}
	if (*at == '\0' || strlen(at) > 255) {
		return *at == '\0' ? -EINVAL : -ENAMETOOLONG;
	}
	*ret_dir = dir;
	*ret_name = at;
	return 0;
}

uint32_t
sim_store_lookup(const struct sim_store *s, const char *path)
{
	const char *name;
	uint32_t dir;

	if (strcmp(path, ".") == 0) {
		return SIM_ROOT;
	}
	if (sim_store_parent(s, path, &dir, &name) < 0) {
		return SIM_NO_FILE;
	}
	return sim_names_find(&s->now, dir, name);
}

/* --- changes --------------------------------------------------------------------------------- */

static void
store_set_path(struct sim_store *s, uint32_t file, uint32_t dir, const char *name)
{
	char path[SIM_PATH_MAX];
	int len;

	if (dir == SIM_ROOT) {
		s->files[file]->path = sim_store_intern(s, name, strlen(name));
		return;
	}
	len = snprintf(path, sizeof(path), "%s/%s", s->files[dir]->path, name);
	ensure(len > 0 && (size_t)len < sizeof(path));
	s->files[file]->path = sim_store_intern(s, path, (size_t)len);
}

void
sim_store_change_name(struct sim_store *s, const struct sim_name_op *op)
{
	struct sim_name_op logged = *op;

	logged.synced = false;
	logged.name = sim_store_intern(s, op->name, strlen(op->name));
	if (op->kind == SIM_NAME_UNLINK) {
		sim_store_loosen(s, s->files[op->file]);
	} else if (op->kind == SIM_NAME_RENAME) {
		uint32_t target = sim_names_find(&s->now, op->to_dir, op->to_name);

		if (target != SIM_NO_FILE) {
			sim_store_loosen(s, s->files[target]);
		}
		logged.to_name = sim_store_intern(s, op->to_name, strlen(op->to_name));
		store_set_path(s, op->file, op->to_dir, op->to_name);
	} else {
		store_set_path(s, op->file, op->dir, op->name);
	}
	sim_names_apply(&s->now, &logged);
	s->ops = sim_grow(s->ops, &s->op_room, s->op_count + 1, sizeof(*s->ops));
	s->ops[s->op_count++] = logged;
}

struct sim_file *
sim_store_create(struct sim_store *s, uint32_t dir, const char *name, bool is_directory)
{
	struct sim_file *file = calloc(1, sizeof(*file));

	ensure(file);
	file->number = s->file_count;
	file->is_directory = is_directory;
	file->lock_fd = -1;
	s->files = sim_grow(s->files, &s->file_room, s->file_count + 1, sizeof(*s->files));
	s->files[s->file_count++] = file;
	sim_store_change_name(s, &(struct sim_name_op){
		.kind = SIM_NAME_LINK,
		.file = file->number,
		.dir = dir,
		.name = name,
	});
	return file;
}

/* Moves the synced head of the log into the base. */
static void
store_fold_names(struct sim_store *s)
{
	uint32_t folded = 0;

	while (folded < s->op_count && s->ops[folded].synced) {
		sim_names_apply(&s->base, &s->ops[folded++]);
	}
	if (folded > 0) {
		memmove(s->ops, s->ops + folded, (s->op_count - folded) * sizeof(*s->ops));
		s->op_count -= folded;
	}
	sim_store_collect(s);
}

void
sim_store_sync_dir(struct sim_store *s, uint32_t dir)
{
	uint32_t i;
	uint32_t j;

	for (i = 0; i < s->op_count; i++) {
		struct sim_name_op *op = &s->ops[i];
		bool here = op->dir == dir || (op->kind == SIM_NAME_RENAME && op->to_dir == dir);

		if (op->synced || !here) {
			continue;
		}
		for (j = 0; j <= i; j++) {
			s->ops[j].synced |= s->ops[j].file == op->file;
		}
	}
	store_fold_names(s);
}

void
sim_store_sync_names(struct sim_store *s)
{
	uint32_t i;

	for (i = 0; i < s->op_count; i++) {
		s->ops[i].synced = true;
	}
	store_fold_names(s);
}

void
sim_store_durable_names(const struct sim_store *s, struct sim_names *ret_names)
{
	uint32_t i;

	sim_names_copy(&s->base, ret_names);
	for (i = 0; i < s->op_count; i++) {
		if (s->ops[i].synced) {
			sim_names_apply(ret_names, &s->ops[i]);
		}
	}
	sim_names_prune(ret_names);
}

void
sim_store_reset_names(struct sim_store *s, struct sim_names *names)
{
	uint32_t i;

	free(s->now.items);
	free(s->base.items);
	s->now = *names;
	sim_names_copy(&s->now, &s->base);
	s->op_count = 0;
	for (i = 0; i < s->file_count; i++) {
		if (s->files[i]) {
			sim_store_loosen(s, s->files[i]);
		}
	}
	sim_store_collect(s);
}
