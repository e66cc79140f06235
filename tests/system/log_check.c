/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offline oracle for system tests: reads the segments of a topic from a data directory as plain
 * files, with no code of logstore/, and prints one JSON object: records, digest (sum of
 * record_digest), CRC failures, offset gaps, and order and duplicates by the producers' own numbers.
 *
 *   log_check DATA_DIR TOPIC [--order]
 *
 * --order: values begin with "PRODUCER:NUMBER:", numbers rising per producer and partition.
 * A file ends at the first zero length (prepared space) or at its end.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "batcher/record_digest.h"
#include "wire/record_batch.h"

#define PARTITIONS_MAX 1024
#define SEGMENTS_MAX   4096
#define PRODUCERS_MAX  256

struct check {
	bool order;
	uint64_t records, digest, batches, crc_failures, gaps, bad_batches, out_of_order, duplicates;
	int64_t next_offset;
	int64_t last_number[PRODUCERS_MAX]; /* of the partition being read */
};

static void
check_order(struct check *c, const struct record_view *record)
{
	char text[64];
	unsigned producer;
	long long number;
	size_t len = record->value_len > 0 ? (size_t)record->value_len : 0;

	snprintf(text, sizeof(text), "%.*s", (int)(len < sizeof(text) - 1 ? len : sizeof(text) - 1),
		(const char *)record->value);
	if (sscanf(text, "%u:%lld:", &producer, &number) != 2 || producer >= PRODUCERS_MAX) {
		c->out_of_order++;
		return;
	}
	if (number == c->last_number[producer]) {
		c->duplicates++;
	} else if (number < c->last_number[producer]) {
		c->out_of_order++;
	}
	c->last_number[producer] = number;
}

static void
check_batch(struct check *c, const uint8_t *bytes, const struct record_batch *batch)
{
	size_t len = record_batch_total_bytes(batch);
	struct record_iterator it;
	struct record_view record;
	int rc;

	c->batches++;
	c->crc_failures += record_batch_crc(bytes, len) != batch->crc;
	c->gaps += batch->base_offset != c->next_offset;
	c->next_offset = batch->base_offset + batch->last_offset_delta + 1;
	if (record_iterator_init(&it, bytes, len) < 0) {
		c->bad_batches++;
		return;
	}
	while ((rc = record_iterator_next(&it, &record)) == 1) {
		c->records++;
		c->digest += record_digest(record.key, record.key_len, record.value, record.value_len);
		if (c->order) {
			check_order(c, &record);
		}
	}
	c->bad_batches += rc < 0;
}

static void
check_segment(struct check *c, const char *path)
{
	struct stat st;
	FILE *file = fopen(path, "rb");
	uint8_t *bytes;
	struct record_batch_iterator it;
	int rc;

	if (!file || fstat(fileno(file), &st) < 0) {
		perror(path);
		exit(1);
	}
	bytes = malloc((size_t)st.st_size + 1);
	if (!bytes || fread(bytes, 1, (size_t)st.st_size, file) != (size_t)st.st_size) {
		perror(path);
		exit(1);
	}
	fclose(file);
	record_batch_iterator_init(&it, bytes, (size_t)st.st_size);
	while ((rc = record_batch_iterator_next(&it)) == 1) {
		check_batch(c, it.bytes, &it.batch);
	}
	/* Zeros, or the few bytes that they leave, end a segment that is not sealed. */
	c->bad_batches += it.len > 0 || (rc == -EBADMSG && it.batch.batch_length > 0);
	free(bytes);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
check_partition(struct check *c, const char *dir)
{
	char *names[SEGMENTS_MAX];
	size_t count = 0;
	struct dirent *entry;
	DIR *handle = opendir(dir);

	if (!handle) {
		return;
	}
	while ((entry = readdir(handle)) != NULL && count < SEGMENTS_MAX) {
		size_t len = strlen(entry->d_name);

		if (len == 24 && strcmp(entry->d_name + 20, ".log") == 0) {
			names[count++] = strdup(entry->d_name);
		}
	}
	closedir(handle);
	qsort(names, count, sizeof(names[0]), compare_names);
	c->next_offset = 0;
	memset(c->last_number, 0xff, sizeof(c->last_number));
	for (size_t i = 0; i < count; i++) {
		char path[1024];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		check_segment(c, path);
		free(names[i]);
	}
}

int
main(int argc, char **argv)
{
	struct check check = {.order = argc == 4 && strcmp(argv[3], "--order") == 0};
	uint32_t partitions = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: log_check DATA_DIR TOPIC [--order]\n");
		return 64;
	}
	for (; partitions < PARTITIONS_MAX; partitions++) {
		char dir[1024];
		struct stat st;

		snprintf(dir, sizeof(dir), "%s/%s-%u", argv[1], argv[2], partitions);
		if (stat(dir, &st) < 0) {
			break;
		}
		check_partition(&check, dir);
	}
	printf("{\"partitions\": %u, \"batches\": %" PRIu64 ", \"records\": %" PRIu64
	       ", \"digest\": \"%016" PRIx64 "\", \"crc_failures\": %" PRIu64 ", \"gaps\": %" PRIu64
	       ", \"bad_batches\": %" PRIu64 ", \"out_of_order\": %" PRIu64 ", \"duplicates\": %" PRIu64
	       "}\n",
		partitions, check.batches, check.records, check.digest, check.crc_failures, check.gaps,
		check.bad_batches, check.out_of_order, check.duplicates);
	return check.crc_failures || check.gaps || check.bad_batches || check.out_of_order ||
		       check.duplicates
		? 2
		: 0;
}
