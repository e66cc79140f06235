/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A start over a damaged data directory on the simulated disk. The input: [how it ended][which
 * file][damages of that file ...], each damage a byte, a run of bytes, zeros, or a cut. A directory with
 * several segments, checkpoints and a guard ring is made once and copied. Whatever is damaged: the
 * start ends; a read gives exactly what was written or an error; and what was acknowledged is there
 * unless the start refused, the partition says that it is quarantined, or nothing proves it any more. The
 * two starts after it say the same, and leave a quarantined partition's segments as they are to the byte. Then the
 * loss that a repair names is accepted: it serves all but that, takes more, and the next start finds it so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/ensure.h"
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "support/log_bench.h"

#define FILES_MAX     64
#define DAMAGES_MAX   16
#define READ_BYTES    4096
#define DAMAGE_MAX    8192
#define MODES	      3
#define GUARD_PREFIX  "penstock-guard-"

enum damage {
	DAMAGE_BYTE,
	DAMAGE_RUN,
	DAMAGE_ZEROS, /* from there on, a block */
	DAMAGE_CUT,
	DAMAGE_COUNT,
};

struct file_list {
	char names[FILES_MAX][128];
	uint32_t count;
	const char *dir;
	char dirs[8][64];
	uint32_t dir_count;
};

struct base {
	struct sim_disk *disk;
	struct log_bench_partition partition;
};

/* --- the directory that is damaged ------------------------------------------------------------- */

static void
append_some(struct log_bench *b, int batches)
{
	for (int i = 0; i < batches; i++) {
		ensure(log_bench_append(b, 0, 1 + i % 3, 100 + 301 * (uint32_t)i));
		log_bench_run_ns(b, NS_PER_MS);
	}
	log_bench_drain(b);
}

static void
base_make(struct log_bench *b, int mode, struct base *ret_base)
{
	struct log_bench_options options;
	struct log_command roll = {.kind = LOG_COMMAND_ROLL};

	log_bench_options_init(&options, 7);
	options.spare_bytes = 64 << 10;
	options.guard_bytes = 256 << 10;
	options.cache_bytes = 256 << 10;
	options.group_max_bytes = 64 << 10;
	log_bench_init(b, &options);
	log_bench_open(b);
	log_bench_create(b, "topic", 0, NULL);
	append_some(b, 9);
	roll.partition_index = b->partitions[0].index;
	ensure(log_bench_command(b, &roll) == 0);
	append_some(b, 5);
	log_bench_run_ns(b, 11 * NS_PER_S); /* checkpoints, anchors, marks */
	append_some(b, 4);
	if (mode == 0) {
		ensure(log_bench_stop(b));
	} else if (mode == 1) {
		log_bench_sigkill(b);
	} else {
		log_bench_crash(b, SIM_CRASH_LOSE_ALL, 1);
	}
	ret_base->disk = b->disk;
	ret_base->partition = b->partitions[0];
}

/* --- damage ---------------------------------------------------------------------------------------- */

static void
list_one(void *user_data, const char *name, bool is_directory)
{
	struct file_list *files = user_data;

	if (is_directory && files->dir[0] == '\0' && files->dir_count < 8) {
		(void)snprintf(files->dirs[files->dir_count++], sizeof(files->dirs[0]), "%s", name);
	} else if (!is_directory && files->count < FILES_MAX) {
		(void)snprintf(files->names[files->count++], sizeof(files->names[0]), "%s%s%s", files->dir,
			files->dir[0] ? "/" : "", name);
	}
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
list_all(struct io *io, struct file_list *files)
{
	memset(files, 0, sizeof(*files));
	files->dir = "";
	ensure(io->ops->list(io, ".", list_one, files) == 0);
	for (uint32_t i = 0; i < files->dir_count; i++) {
		files->dir = files->dirs[i];
		ensure(io->ops->list(io, files->dir, list_one, files) == 0);
	}
	qsort(files->names, files->count, sizeof(files->names[0]), by_name);
}

static void
damage_once(struct io *io, int fd, const struct io_stat *stat, struct reader *r)
{
	static uint8_t bytes[DAMAGE_MAX];
	uint8_t kind = reader_u8(r) % DAMAGE_COUNT;
	uint64_t at = reader_be32(r) % stat->size_bytes;
	uint8_t value = reader_u8(r);
	uint64_t len = kind == DAMAGE_BYTE ? 1 : kind == DAMAGE_RUN ? 1 + reader_u8(r) : 4096;

	if (kind == DAMAGE_CUT) {
		ensure(io->ops->truncate(io, fd, at) == 0);
		return;
	}
	len = len < stat->size_bytes - at ? len : stat->size_bytes - at;
	ensure(io->ops->pread(io, fd, bytes, len, at) == 0);
	for (uint64_t i = 0; i < len; i++) {
		bytes[i] = kind == DAMAGE_ZEROS ? 0 : bytes[i] ^ value;
	}
	ensure(io->ops->pwrite(io, fd, bytes, len, at) == 0);
}

/* True: the file is a guard ring. */
static bool
damage(struct sim_disk *disk, struct reader *r)
{
	struct file_list files;
	struct io_stat stat;
	struct io *io;
	const char *name;
	bool guard;
	int fd;

	ensure(sim_disk_view(disk, 0, &io) == 0);
	list_all(io, &files);
	ensure(files.count > 0);
	name = files.names[reader_u8(r) % files.count];
	for (int i = 0; reader_left(r) > 0 && i < DAMAGES_MAX; i++) {
		/* A cut makes the file shorter for the next one. */
		ensure(io->ops->stat(io, name, &stat) == 0);
		if (stat.size_bytes == 0) {
			break;
		}
		fd = io->ops->open(io, name, 0);
		ensure(fd >= 0);
		damage_once(io, fd, &stat, r);
		io->ops->close(io, fd);
	}
	guard = strncmp(name, GUARD_PREFIX, strlen(GUARD_PREFIX)) == 0;
	io->ops->destroy(io);
	return guard;
}

/* --- what the start makes of it ------------------------------------------------------------------------ */

static bool
same_batch(const struct log_bench_batch *model, const uint8_t *bytes, uint32_t len)
{
	return len >= model->len && (int64_t)load_be64(bytes) == model->base_offset &&
		memcmp(bytes + 8, model->bytes + 8, 4) == 0 &&
		memcmp(bytes + 16, model->bytes + 16, model->len - 16) == 0;
}

/* The model's batch that begins at this offset. */
static const struct log_bench_batch *
batch_at(const struct log_bench_partition *p, int64_t base_offset)
{
	for (uint32_t k = 0; k < p->answered; k++) {
		if (p->batches[k].base_offset == base_offset) {
			return &p->batches[k];
		}
	}
	return NULL;
}

/* Reads on from an offset. Returns where to go on, or -1: the log refused. */
static int64_t
check_read(struct log_bench *b, int64_t from, int64_t until)
{
	struct read_done done = log_bench_read(b, 0, from, until, READ_BYTES);
	const struct log_bench_batch *model;

	if (done.error != 0) {
		return -1;
	}
	ensure(done.data_len > 0);
	for (uint32_t pos = 0; pos < done.data_len; pos += model->len) {
		model = batch_at(&b->partitions[0], (int64_t)load_be64(done.data + pos));
		ensure(model != NULL);
		ensure(same_batch(model, done.data + pos, done.data_len - pos));
	}
	ensure(done.next_offset > from);
	from = done.next_offset;
	log_bench_release(b, 0, &done);
	return from;
}

/*
 * `unproven`: the guard itself was damaged behind a crash. Its newest records are proven by later ones
 * only, so that a group whose record and mark are both gone counts as never acknowledged.
 */
static void
check_partition(struct log_bench *b, bool unproven)
{
	const struct log_recovery_report *report = &b->reports[0];
	struct log_partition_status status = log_bench_status(b, 0);
	int64_t durable = b->partitions[0].durable;
	int64_t at = 0;

	if (report->quarantined) {
		ensure(report->reason[0] != '\0');
	} else if (status.state != LOG_PARTITION_OFFLINE && !unproven) {
		ensure(status.log_end_offset >= durable);
	}
	while (at >= 0 && at < status.high_watermark) {
		at = check_read(b, at, status.high_watermark);
	}
	/* What was lost with its proof is not there at later starts, and its offsets are given again. */
	for (uint32_t k = 0; k < b->partitions[0].answered; k++) {
		if (b->partitions[0].batches[k].base_offset >= status.log_end_offset) {
			b->partitions[0].batches[k].base_offset = -1;
		}
	}
	if (b->partitions[0].durable > status.log_end_offset) {
		b->partitions[0].durable = status.log_end_offset;
	}
	/* It answers: whether it takes more or not. */
	b->partitions[0].end = status.log_end_offset;
	b->partitions[0].next_sequence = 0;
	b->partitions[0].epoch++;
	ensure(log_bench_append(b, 0, 1, 10));
	log_bench_drain(b);
	ensure(!b->stalled);
}

/* Names, lengths and bytes of all segment files. */
static uint32_t
segments_crc(struct sim_disk *disk)
{
	static uint8_t bytes[1 << 20];
	struct file_list files;
	struct io_stat stat;
	struct io *io;
	uint32_t crc = 0;

	ensure(sim_disk_view(disk, 0, &io) == 0);
	list_all(io, &files);
	for (uint32_t i = 0; i < files.count; i++) {
		const char *name = files.names[i];
		size_t len = strlen(name);

		if (strchr(name, '/') == NULL || strcmp(name + len - 4, ".log") != 0) {
			continue;
		}
		int fd = io->ops->open(io, name, IO_OPEN_READ_ONLY);

		ensure(fd >= 0);
		ensure(io->ops->stat(io, name, &stat) == 0);
		ensure(stat.size_bytes <= sizeof(bytes));
		ensure(io->ops->pread(io, fd, bytes, stat.size_bytes, 0) == 0);
		io->ops->close(io, fd);
		crc = crc32c_update(crc, name, len + 1);
		crc = crc32c_update(crc, bytes, stat.size_bytes);
	}
	io->ops->destroy(io);
	return crc;
}

/* What the first start left is what the later ones find. */
static void
check_later_starts(struct log_bench *b, bool unproven)
{
	for (int i = 0; i < 2; i++) {
		bool quarantined = log_bench_status(b, 0).state == LOG_PARTITION_QUARANTINED;
		uint32_t crc = segments_crc(b->disk);

		log_bench_sigkill(b);
		if (log_bench_try_open(b) < 0) {
			return;
		}
		ensure(b->reports[0].quarantined || !quarantined);
		ensure(segments_crc(b->disk) == crc || !quarantined);
		check_partition(b, unproven);
	}
}

/* --- what a repair makes of it ------------------------------------------------------------------ */

static enum log_repair_verdict
repair(struct log_bench *b, struct log_repair *asked)
{
	struct log_command command = {.kind = LOG_COMMAND_REPAIR,
		.partition_index = b->partitions[0].index,
		.repair = *asked};

	(void)log_bench_command(b, &command);
	*asked = command.repair;
	return command.repair.verdict;
}

/* Every offset is in a batch of the model, or in what was given up. */
static void
check_all_but(struct log_bench *b, const struct log_repair *lost)
{
	struct log_partition_status status = log_bench_status(b, 0);
	int64_t at = status.log_start_offset;

	ensure(status.state == LOG_PARTITION_SERVING);
	while (at < status.high_watermark) {
		struct read_done done = log_bench_read(b, 0, at, status.high_watermark, READ_BYTES);

		ensure(done.error == 0);
		ensure(done.next_offset > at);
		for (uint32_t pos = 0; pos < done.data_len;) {
			int64_t base = (int64_t)load_be64(done.data + pos);
			const struct log_bench_batch *model = batch_at(&b->partitions[0], base);

			ensure(model != NULL);
			ensure(same_batch(model, done.data + pos, done.data_len - pos));
			ensure(base <= at || (at >= lost->loss_from && base <= lost->loss_until));
			at = base + model->record_count;
			pos += model->len;
		}
		ensure(at == done.next_offset || (at >= lost->loss_from && done.next_offset <= lost->loss_until));
		at = done.next_offset;
		if (done.data) {
			log_bench_release(b, 0, &done);
		}
	}
}

/* The bench takes answers for those of its batches in their order: those that were refused are none. */
static void
forget_refused(struct log_bench_partition *p)
{
	while (p->offered > p->answered) {
		p->offered--;
		free(p->batches[p->offered].bytes);
		p->batches[p->offered].bytes = NULL;
	}
}

static void
check_repair(struct log_bench *b)
{
	struct log_repair asked = {0};

	if (log_bench_status(b, 0).state != LOG_PARTITION_QUARANTINED) {
		return;
	}
	if (repair(b, &asked) == LOG_REPAIR_LOSS) {
		asked = (struct log_repair){
			.accept_loss = true, .from = asked.loss_from, .until = asked.loss_until};
		(void)repair(b, &asked);
	}
	ensure(asked.verdict == LOG_REPAIR_DONE);
	check_all_but(b, &asked);
	forget_refused(&b->partitions[0]);
	b->partitions[0].end = log_bench_status(b, 0).log_end_offset;
	b->partitions[0].next_sequence = 0;
	b->partitions[0].epoch++;
	ensure(log_bench_append(b, 0, 1, 10));
	log_bench_drain(b);
	ensure(!b->stalled);
	log_bench_sigkill(b);
	ensure(log_bench_try_open(b) == 0);
	check_all_but(b, &asked);
}

/* Starts over damage have much to say. */
static void
no_log(void *user_data, enum log_level level, const char *line)
{
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct log_bench benches[MODES];
	static struct base bases[MODES];
	struct reader r = reader_init(bytes, len);
	int mode = reader_u8(&r) % MODES;
	struct log_bench *b = &benches[mode];

	log_set_sink(no_log, NULL);
	if (!bases[mode].disk) {
		base_make(b, mode, &bases[mode]);
	}
	ensure(sim_crash_copy(bases[mode].disk, &(struct sim_crash_options){.mode = SIM_CRASH_KEEP_ALL},
		       &b->disk, NULL) == 0);
	b->partitions[0] = bases[mode].partition;
	b->partitions[0].index = UINT32_MAX;
	b->stalled = false;
	bool unproven = damage(b->disk, &r) && mode != 0;

	if (log_bench_try_open(b) == 0) {
		/* Not found: its directory tells another topic. The daemon says so by name. */
		if (b->partitions[0].index != UINT32_MAX) {
			check_partition(b, unproven);
			check_later_starts(b, unproven);
		}
		if (b->store && b->partitions[0].index != UINT32_MAX) {
			check_repair(b);
		}
		if (b->store) {
			log_bench_drop(b);
		}
	}
	/* The batches of check_partition, whether they were taken or not. */
	for (uint32_t i = bases[mode].partition.offered; i < bases[mode].partition.offered + 4; i++) {
		free(b->partitions[0].batches[i].bytes);
		b->partitions[0].batches[i].bytes = NULL;
	}
	sim_disk_destroy(b->disk);
	b->disk = bases[mode].disk;
	return 0;
}
