/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of a repair. Decided: first everything old that has a successor is moved aside, then the
 * successors take the names, each step behind a sync of the directory. See repair.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "logstore/repair.h"

#define DECISION     "penstock-repair"
#define DECISION_KEY "end_offset="

int
repair_swap_decide(struct io *io, const char *dir, int64_t end)
{
	char text[64];
	int n = snprintf(text, sizeof(text), DECISION_KEY "%" PRId64 "\n", end);

	return file_util_replace(io, dir, DECISION, text, (size_t)n);
}

/* 1 and where the log ends; 0: nothing was decided. The file is written whole or not at all. */
static int
read_decision(struct io *io, const char *dir, int64_t *ret_end)
{
	struct file_bytes file;
	size_t key = strlen(DECISION_KEY);
	int rc = file_util_read(io, dir, DECISION, &file);

	if (rc < 0) {
		return rc == -ENOENT ? 0 : rc;
	}
	file.bytes[file.len] = 0; /* file_util_read leaves room for it */
	rc = file.len > key && memcmp(file.bytes, DECISION_KEY, key) == 0 ? 1 : -EBADMSG;
	*ret_end = rc == 1 ? strtoll((char *)file.bytes + key, NULL, 10) : 0;
	free(file.bytes);
	return rc;
}

/* The name that a file of a repair shall have. False: it is none. */
static bool
successor_of(const char *name, char ret_target[FILE_PATH_MAX])
{
	size_t len = strlen(name);
	size_t suffix = strlen(REPAIR_SUFFIX);

	if (len <= suffix || len >= FILE_PATH_MAX || strcmp(name + len - suffix, REPAIR_SUFFIX) != 0) {
		return false;
	}
	memcpy(ret_target, name, len - suffix);
	ret_target[len - suffix] = 0;
	return true;
}

/* A segment's file from `end` on: never acknowledged, and the next segment takes that base. */
static bool
lies_behind(const char *name, int64_t end)
{
	char *rest = NULL;
	int64_t base = strtoll(name, &rest, 10);

	return rest == name + 20 && base >= end &&
		(strcmp(rest, ".log") == 0 || strcmp(rest, ".index") == 0 ||
			strcmp(rest, ".timeindex") == 0 || strcmp(rest, ".seal") == 0);
}

static int
move_aside(struct io *io, const char *dir, const char *name, uint64_t wall_ms)
{
	char from[FILE_PATH_MAX];
	char to[FILE_PATH_MAX];
	struct io_stat stat;

	file_util_path(from, dir, name);
	int rc = io->ops->stat(io, from, &stat);

	if (rc < 0) {
		return rc == -ENOENT ? 0 : rc;
	}
	int n = snprintf(to, sizeof(to), "%s.damaged-%" PRIu64, from, wall_ms);

	return n < (int)sizeof(to) ? io->ops->rename(io, from, to) : -ENAMETOOLONG;
}

static int
settle(struct io *io, const char *dir, const struct file_names *names, int64_t end, uint64_t wall_ms)
{
	char target[FILE_PATH_MAX];
	char from[FILE_PATH_MAX];
	char to[FILE_PATH_MAX];
	int rc = 0;

	for (uint32_t i = 0; rc >= 0 && i < names->count; i++) {
		const char *name = names->names[i].name;

		if (successor_of(name, target)) {
			rc = move_aside(io, dir, target, wall_ms);
		} else if (lies_behind(name, end)) {
			rc = move_aside(io, dir, name, wall_ms);
		}
	}
	rc = rc < 0 ? rc : io->ops->fsync_dir(io, dir);
	for (uint32_t i = 0; rc >= 0 && i < names->count; i++) {
		if (successor_of(names->names[i].name, target)) {
			file_util_path(from, dir, names->names[i].name);
			file_util_path(to, dir, target);
			rc = io->ops->rename(io, from, to);
		}
	}
	rc = rc < 0 ? rc : io->ops->fsync_dir(io, dir);
	rc = rc < 0 ? rc : file_util_remove(io, dir, "quarantine.json");
	rc = rc < 0 ? rc : file_util_remove(io, dir, PROOFS_NAME);
	rc = rc < 0 ? rc : io->ops->fsync_dir(io, dir);
	rc = rc < 0 ? rc : file_util_remove(io, dir, DECISION);
	return rc < 0 ? rc : io->ops->fsync_dir(io, dir);
}

int
repair_swap_settle(struct io *io, const char *dir, uint64_t wall_ms)
{
	struct file_names names;
	int64_t end = 0;
	int rc = read_decision(io, dir, &end);

	if (rc == 0) {
		return 0;
	}
	rc = rc < 0 ? rc : file_util_list(io, dir, &names);
	if (rc < 0) {
		log_error("logstore", "%s: a repair that was decided cannot be completed: errno=%d", dir, -rc);
		return rc;
	}
	log_info("logstore", "%s: the repair that was decided is completed", dir);
	rc = settle(io, dir, &names, end, wall_ms);
	free(names.names);
	return rc;
}

void
repair_swap_discard(struct io *io, const char *dir)
{
	struct file_names names;
	char target[FILE_PATH_MAX];
	int64_t end = 0;

	if (read_decision(io, dir, &end) != 0 || file_util_list(io, dir, &names) < 0) {
		return;
	}
	for (uint32_t i = 0; i < names.count; i++) {
		if (successor_of(names.names[i].name, target)) {
			(void)file_util_remove(io, dir, names.names[i].name);
		}
	}
	free(names.names);
}
