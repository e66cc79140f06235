/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plug-in compiled against another version of penstock_worker.h of the same ABI: OTHER_OLD, when
 * tables, infos and records were shorter, or OTHER_NEW, when they have grown. It emits "good N" if
 * the daemon filled in what both know, zero behind, and nothing outside. For plugin_test.
 */
#include <stddef.h>
#include <stdint.h>

struct other_worker {
	uint32_t struct_bytes;
	uint32_t abi;
	const char *name;
	const char *version;
	uint32_t flags;
	int (*open)(const void *job, void **ret_user);
	int (*process)(void *user, void *task);
#ifdef OTHER_NEW
	void (*close)(void *user, int reason);
	int (*add)(void *user, void *task);
	int (*merge)(void *user, void *into, const void *from);
#endif
};

struct other_info {
	uint32_t struct_bytes;
	uint32_t attempt;
	const char *job;
	int64_t batch_sequence;
	int64_t batch_time_ns;
#ifdef OTHER_NEW
	int64_t known[5];
	uint32_t firing;
	uint32_t reason;
	uint64_t later[8];
#endif
};

struct other_record {
	const char *topic;
	uint32_t partition;
	int32_t key_len;
	int32_t value_len;
	int32_t header_count;
	int64_t offset;
	int64_t timestamp_ms;
	const void *key;
	const void *value;
#ifdef OTHER_NEW
	uint64_t later[10];
#endif
};

struct other_slice {
	uint32_t struct_bytes;
	uint32_t partition;
#ifdef OTHER_NEW
	const char *topic;
	uint32_t extent_count;
	uint32_t reserved;
	int64_t from;
	int64_t until;
	uint64_t later[4];
#endif
};

#define GUARD UINT64_C(0xfeedfacecafebeef)

void penstock_task_info_sized(const void *task, struct other_info *ret_info, size_t info_bytes);
int penstock_slice_get_sized(
	const void *task, uint32_t index, struct other_slice *ret_slice, size_t slice_bytes);
void penstock_cursor_open(uint64_t *cursor, const void *task);
int penstock_cursor_next_sized(
	uint64_t *cursor, struct other_record *ret_records, uint32_t max, size_t record_bytes);
int penstock_emit_text(void *task, const char *key, const char *format, ...);
__attribute__((visibility("default"))) const struct other_worker *penstock_worker_entry(
	uint32_t host_abi);

static int
info_good(const void *task)
{
	struct {
		struct other_info info;
		uint64_t guard;
	} room = {.guard = GUARD};

	penstock_task_info_sized(task, &room.info, sizeof(room.info));
#ifdef OTHER_NEW
	if (room.info.later[7] != 0 || room.info.struct_bytes >= sizeof(room.info)) {
		return 0;
	}
#else
	if (room.info.struct_bytes != sizeof(room.info)) {
		return 0;
	}
#endif
	return room.guard == GUARD && room.info.attempt == 1 && room.info.batch_sequence == 1;
}

static int
slice_good(const void *task)
{
	struct {
		struct other_slice slice;
		uint64_t guard;
	} room = {.guard = GUARD};

	if (penstock_slice_get_sized(task, 0, &room.slice, sizeof(room.slice)) != 0) {
		return 0;
	}
#ifdef OTHER_NEW
	if (room.slice.later[3] != 0 || room.slice.from != 0 || room.slice.until != 3) {
		return 0;
	}
#endif
	return room.guard == GUARD && room.slice.partition == 0;
}

/* The number of records, -1 if one is wrong. */
static int
records_good(const void *task)
{
	struct {
		struct other_record records[3];
		uint64_t guard;
	} room = {.guard = GUARD};
	uint64_t cursor[24];

	penstock_cursor_open(cursor, task);
	if (penstock_cursor_next_sized(cursor, room.records, 3, sizeof(room.records[0]) - 8) >= 0 &&
		sizeof(room.records[0]) == 56) {
		return -1; /* too short to hold a record */
	}
	penstock_cursor_open(cursor, task);

	int n = penstock_cursor_next_sized(cursor, room.records, 3, sizeof(room.records[0]));

	for (int i = 0; i < n; i++) {
		const struct other_record *r = &room.records[i];

		if (r->offset != i || r->value_len != 2 || *(const char *)r->value != 'v' ||
			((const char *)r->value)[1] != '1' + i) {
			return -1;
		}
#ifdef OTHER_NEW
		if (r->later[9] != 0) {
			return -1;
		}
#endif
	}
	return room.guard == GUARD ? n : -1;
}

static int
other_process(void *user, void *task)
{
	(void)user;
	if (!info_good(task) || !slice_good(task)) {
		return penstock_emit_text(task, "info", "bad");
	}
	return penstock_emit_text(task, "good", "%d", records_good(task));
}

const struct other_worker *
penstock_worker_entry(uint32_t host_abi)
{
	static const struct other_worker other = {
		.struct_bytes = sizeof(other),
		.abi = 1,
		.name = "other",
		.process = other_process,
	};

	return host_abi == 1 ? &other : NULL;
}
