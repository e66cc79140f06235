/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model: whole pipelines in one thread and virtual time, with faults that follow from a seed.
 *
 *   model_test [--server NAME] [--seeds FROM:TO]     runs FROM <= seed < TO
 *   model_test [--server NAME] --seed N              replays one and prints what happens
 *
 * A seed that fails prints the one command that replays it.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/compiler.h"
#include "model_run.h"

#define TEST_SEEDS_DEFAULT 1000
/* So many seeds hold every kind of fault, or the run proves less than it says. */
#define TEST_SEEDS_OF_ALL 100

static const struct test_server {
	const char *name;
	struct model_server *(*create)(const struct model_server_options *options);
} test_servers[] = {
	{"reference", model_server_reference},
	{"lanes", model_server_lanes},
	{"pipeline", model_server_pipeline},
};

struct test_totals {
	uint64_t runs, failures, records, durable, failed, steps;
	uint64_t datagrams, lost, duplicated, reordered, corrupted;
	uint64_t crashes, drains, stalls, pauses;
	double virtual_s;
};

static bool
test_one(const struct test_server *server, const char *program, uint64_t seed, bool trace,
	struct test_totals *totals)
{
	struct model_run_options options = {.server = server->create, .seed = seed, .trace = trace};
	struct model_run_result result;

	model_run(&options, &result);
	totals->runs++;
	totals->records += result.records;
	totals->durable += result.durable;
	totals->failed += result.failed;
	totals->datagrams += result.datagrams;
	totals->lost += result.lost;
	totals->duplicated += result.duplicated;
	totals->reordered += result.reordered;
	totals->corrupted += result.corrupted;
	totals->crashes += result.crashes;
	totals->drains += result.drains;
	totals->stalls += result.stalls;
	totals->pauses += result.pauses;
	totals->steps += result.steps;
	totals->virtual_s += (double)result.virtual_ns / 1e9;
	if (result.broken[0] != '\0') {
		totals->failures++;
		printf("seed %llu: %s\n  %s --server %s --seed %llu\n", (unsigned long long)seed,
			result.broken, program, server->name, (unsigned long long)seed);
		return false;
	}
	if (trace) {
		printf("seed %llu: %llu records, %llu durable, %llu failed, outcome %016llx\n",
			(unsigned long long)seed, (unsigned long long)result.records,
			(unsigned long long)result.durable, (unsigned long long)result.failed,
			(unsigned long long)result.hash);
	}
	return true;
}

static void
test_print(const char *server, const struct test_totals *t)
{
	printf("%s: %llu seeds, %llu failed; %llu records, %llu durable, %llu given up; "
	       "%llu datagrams, %llu lost, %llu doubled, %llu delayed past others, %llu damaged; "
	       "%llu crashes, %llu stops, %llu stalls of the disk, %llu pauses; "
	       "%.0f virtual seconds, %llu steps\n",
		server, (unsigned long long)t->runs, (unsigned long long)t->failures,
		(unsigned long long)t->records, (unsigned long long)t->durable,
		(unsigned long long)t->failed, (unsigned long long)t->datagrams,
		(unsigned long long)t->lost, (unsigned long long)t->duplicated,
		(unsigned long long)t->reordered, (unsigned long long)t->corrupted,
		(unsigned long long)t->crashes, (unsigned long long)t->drains,
		(unsigned long long)t->stalls, (unsigned long long)t->pauses, t->virtual_s,
		(unsigned long long)t->steps);
}

/* True if a range of this length met everything that the model promises; says what it did not. */
static bool
test_met_all(const struct test_totals *t)
{
	const struct {
		const char *what;
		uint64_t count;
	} rows[] = {
		{"durable record", t->durable},
		{"loss", t->lost},
		{"duplicate", t->duplicated},
		{"delayed datagram", t->reordered},
		{"damaged datagram", t->corrupted},
		{"crash", t->crashes},
		{"stop", t->drains},
		{"stall of the disk", t->stalls},
		{"pause", t->pauses},
	};
	bool all = true;

	for (uint32_t i = 0; i < ARRAY_COUNT(rows) && t->runs >= TEST_SEEDS_OF_ALL; i++) {
		if (rows[i].count == 0) {
			printf("not one %s in %llu seeds\n", rows[i].what,
				(unsigned long long)t->runs);
			all = false;
		}
	}
	return all;
}

static void
test_usage(const char *program)
{
	fprintf(stderr, "usage: %s [--server NAME] [--seeds FROM:TO | --seed N]\n", program);
	exit(2);
}

static const struct test_server *
test_server_named(const char *program, const char *name)
{
	for (uint32_t i = 0; i < ARRAY_COUNT(test_servers); i++) {
		if (strcmp(test_servers[i].name, name) == 0) {
			return &test_servers[i];
		}
	}
	test_usage(program);
	return NULL;
}

int
main(int argc, char **argv)
{
	static const struct option names[] = {
		{"server", required_argument, NULL, 'v'},
		{"seeds", required_argument, NULL, 's'},
		{"seed", required_argument, NULL, 'n'},
		{NULL, 0, NULL, 0},
	};
	const struct test_server *server = &test_servers[ARRAY_COUNT(test_servers) - 1];
	unsigned long long from = 0, to = TEST_SEEDS_DEFAULT;
	struct test_totals totals = {0};
	bool trace = false;
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0) {
		if (option == 'v') {
			server = test_server_named(argv[0], optarg);
		} else if (option == 's') {
			if (sscanf(optarg, "%llu:%llu", &from, &to) != 2) {
				test_usage(argv[0]);
			}
		} else if (option == 'n') {
			from = strtoull(optarg, NULL, 10);
			to = from + 1;
			trace = true;
		} else {
			test_usage(argv[0]);
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (unsigned long long seed = from; seed < to; seed++) {
		test_one(server, argv[0], seed, trace, &totals);
	}
	test_print(server->name, &totals);
	return test_met_all(&totals) && totals.failures == 0 ? 0 : 1;
}
