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

static const struct test_server {
	const char *name;
	struct model_server *(*create)(const struct model_server_options *options);
} test_servers[] = {
	{"reference", model_server_reference},
	{"lanes", model_server_lanes},
	{"pipeline", model_server_pipeline},
};

struct test_totals {
	uint64_t runs, failures, records, durable, failed, datagrams, lost, crashes, drains, steps;
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
	totals->crashes += result.crashes;
	totals->drains += result.drains;
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
	printf("%s: %llu seeds, %llu failed; %llu records, %llu durable, %llu given up; "
	       "%llu datagrams, %llu lost; %llu crashes, %llu stops; %.0f virtual seconds, %llu steps\n",
		server->name, (unsigned long long)totals.runs, (unsigned long long)totals.failures,
		(unsigned long long)totals.records, (unsigned long long)totals.durable,
		(unsigned long long)totals.failed, (unsigned long long)totals.datagrams,
		(unsigned long long)totals.lost, (unsigned long long)totals.crashes,
		(unsigned long long)totals.drains, totals.virtual_s,
		(unsigned long long)totals.steps);
	return totals.failures == 0 ? 0 : 1;
}
