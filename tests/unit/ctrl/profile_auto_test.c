/* SPDX-License-Identifier: Apache-2.0 */
/* `profile: auto`: which profile which machine gets, and the sentence that says why. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/compiler.h"
#include "ctrl/daemon/config.h"
#include "ctrl/daemon/host_facts.h"
#include "ctrl/schema/profile_gen.h"

#define CX6  "15b3:101d"
#define HEAD "schema: penstock.profile/1\nname: "

static char report[2048];

struct machine {
	uint32_t cpus;
	uint64_t memory_mib;
	const char *kind; /* bare, vm, container */
	const char *nic;  /* vendor:device, or NULL */
};

struct fixture {
	char root[64];	   /* the machine's /sys, /proc, /run */
	char profiles[64]; /* the host's own profiles */
};

static void
put(const char *dir, const char *path, const char *text)
{
	char full[256];
	FILE *file;

	snprintf(full, sizeof(full), "%s/%s", dir, path);
	for (char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(full, 0700);
		*slash = '/';
	}
	file = fopen(full, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	fclose(file);
}

static void
build_machine(struct fixture *f, const struct machine *m)
{
	char text[128];

	snprintf(text, sizeof(text), "0-%u\n", m->cpus - 1);
	put(f->root, "sys/devices/system/cpu/online", text);
	snprintf(text, sizeof(text), "MemTotal:       %llu kB\nMemFree: 1 kB\n",
		(unsigned long long)m->memory_mib * 1024);
	put(f->root, "proc/meminfo", text);
	put(f->root, "proc/cpuinfo", strcmp(m->kind, "bare") == 0 ?
		"processor\t: 0\nflags\t\t: fpu sse\n" : "processor\t: 0\nflags\t\t: fpu hypervisor sse\n");
	if (strcmp(m->kind, "container") == 0) {
		put(f->root, "run/systemd/container", "docker\n");
	}
	put(f->root, "sys/bus/pci/devices/0000:00:1f.0/class", "0x060100\n");
	if (m->nic) {
		snprintf(text, sizeof(text), "0x%.4s\n", m->nic);
		put(f->root, "sys/bus/pci/devices/0000:41:00.0/vendor", text);
		snprintf(text, sizeof(text), "0x%s\n", m->nic + 5);
		put(f->root, "sys/bus/pci/devices/0000:41:00.0/device", text);
		put(f->root, "sys/bus/pci/devices/0000:41:00.0/class", "0x020000\n");
	}
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
clear(const char *dir)
{
	assert_int_equal(nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->root, sizeof(f->root), "/tmp/penstock-host-XXXXXX");
	snprintf(f->profiles, sizeof(f->profiles), "/tmp/penstock-profiles-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	assert_non_null(mkdtemp(f->profiles));
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	clear(f->root);
	clear(f->profiles);
	free(f);
	return 0;
}

static int
choose(struct fixture *f, const struct machine *m, struct config *ret_config)
{
	const char *dirs[] = {f->profiles};
	struct config_source source = {.path = "t.yaml", .text = "mode: production\n",
		.profile_dirs = dirs, .profile_dir_count = 1, .host_root = f->root};

	clear(f->root);
	build_machine(f, m);
	return config_load(&source, ret_config, report, sizeof(report));
}

static void
facts_of_a_machine_are_read(void **state)
{
	struct fixture *f = *state;
	struct host_facts facts;

	build_machine(f, &(struct machine){.cpus = 24, .memory_mib = 4096, .kind = "bare", .nic = CX6});
	put(f->root, "sys/devices/system/cpu/online", "0-3,8,10-11\n");
	host_facts_read(f->root, &facts);
	assert_int_equal(facts.cpu_count, 7);
	assert_int_equal(facts.memory_bytes, 4096 * MIB);
	assert_int_equal(facts.kind, HOST_KIND_BARE);
	assert_int_equal(facts.nic_count, 1);
	assert_string_equal(facts.nics[0], CX6);
	host_facts_read("/nonexistent", &facts);
	assert_int_equal(facts.cpu_count + facts.memory_bytes + facts.nic_count, 0);
	host_facts_read("", &facts);
	assert_true(facts.cpu_count > 0);
	assert_true(facts.memory_bytes > 0);
}

static void
isolated_cpus_are_those_of_the_list(void **state)
{
	struct fixture *f = *state;

	clear(f->root);
	assert_false(host_facts_cpu_isolated(f->root, 2));
	put(f->root, "sys/devices/system/cpu/isolated", "\n");
	assert_false(host_facts_cpu_isolated(f->root, 0));
	put(f->root, "sys/devices/system/cpu/isolated", "2-4,11\n");
	for (int cpu = -1; cpu < 14; cpu++) {
		assert_int_equal(host_facts_cpu_isolated(f->root, cpu), (cpu >= 2 && cpu <= 4) || cpu == 11);
	}
}

static void
free_memory_is_that_of_the_control_group_too(void **state)
{
	struct fixture *f = *state;

	clear(f->root);
	assert_int_equal(host_facts_memory_free(f->root), 0);
	put(f->root, "proc/meminfo", "MemTotal:  4096 kB\nMemAvailable:   2048 kB\n");
	assert_int_equal(host_facts_memory_free(f->root), 2 * MIB);
	put(f->root, "sys/fs/cgroup/memory.max", "max\n");
	put(f->root, "sys/fs/cgroup/memory.stat", "anon 1048576\nfile 524288\n");
	assert_int_equal(host_facts_memory_free(f->root), 2 * MIB);
	put(f->root, "sys/fs/cgroup/memory.max", "1572864\n");
	assert_int_equal(host_facts_memory_free(f->root), 512 * KIB);
	put(f->root, "sys/fs/cgroup/memory.max", "1048576\n");
	assert_int_equal(host_facts_memory_free(f->root), 1);
}

static void
the_best_match_is_chosen_and_says_why(void **state)
{
	static const struct {
		struct machine machine;
		const char *profile;
		const char *why;
	} rows[] = {
		{{4, 8192, "vm", NULL}, "vm-generic", "virtualization vm, cpu_min 2 of 4, memory_min 1GiB"},
		{{2, 967, "vm", NULL}, "vm-generic", "memory_min 1GiB"}, /* sold as 1 GiB */
		{{2, 800, "vm", NULL}, "vm-generic", "wants 1GiB of memory, there are 800MiB"},
		{{8, 8192, "vm", NULL}, "vm-eight", "cpu_min 8 of 8"},
		{{32, 262144, "bare", NULL}, "big", "virtualization none, cpu_min 24 of 32"},
		{{32, 262144, "bare", "8086:1572"}, "big", "memory_min 128GiB"},
		{{32, 262144, "bare", CX6}, "mlx", "nic " CX6},
		{{1, 4096, "vm", NULL}, "vm-generic", "wants 2 CPUs, there are 1"},
		{{4, 4096, "bare", NULL}, "vm-generic",
			"no profile's match fits this machine (4 looked at); vm-generic wants virtualization vm, here "
			"it is none"},
		{{8, 4096, "container", NULL}, "vm-generic", "here it is container"},
	};
	struct fixture *f = *state;
	static struct config config;

	put(f->profiles, "big.yaml", HEAD "big\nmatch: {cpu_min: 24, memory_min: 128GiB, virtualization: none}\n");
	put(f->profiles, "mlx.yaml", HEAD "mlx\nmatch: {nic: [\"15b3:a2d6\", \"" CX6 "\"]}\n");
	put(f->profiles, "vm-eight.yaml", HEAD "vm-eight\nmatch: {virtualization: vm, cpu_min: 8}\n");
	put(f->profiles, "plain.yaml", HEAD "plain\ninherits: [big]\n");
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		assert_int_equal(choose(f, &rows[i].machine, &config), 0);
		assert_string_equal(config.profile, rows[i].profile);
		if (!strstr(config.profile_reason, rows[i].why)) {
			print_error("row %zu: %s\n", i, config.profile_reason);
		}
		assert_non_null(strstr(config.profile_reason, rows[i].why));
		assert_int_equal(config.profile_fallback, strstr(rows[i].why, "wants") != NULL ||
			strstr(rows[i].why, "here it is") != NULL);
	}
}

static void
of_equal_matches_the_hosts_own_is_chosen(void **state)
{
	static const struct machine vm = {.cpus = 2, .memory_mib = 4096, .kind = "vm"};
	struct fixture *f = *state;
	static struct config config;

	put(f->profiles, "zebra.yaml", HEAD "zebra\nmatch: {cpu_min: 2, memory_min: 1GiB, virtualization: vm}\n");
	assert_int_equal(choose(f, &vm, &config), 0);
	assert_string_equal(config.profile, "zebra");
	put(f->profiles, "ant.yaml", HEAD "ant\nmatch: {cpu_min: 2, memory_min: 1GiB, virtualization: vm}\n");
	assert_int_equal(choose(f, &vm, &config), 0);
	assert_string_equal(config.profile, "ant");
}

static void
a_profile_that_cannot_be_judged_is_an_error_with_its_place(void **state)
{
	static const struct machine vm = {.cpus = 2, .memory_mib = 4096, .kind = "vm"};
	struct fixture *f = *state;
	static struct config config;

	put(f->profiles, "odd.yaml", HEAD "odd\nmatch: {cpus: 2}\n");
	assert_int_equal(choose(f, &vm, &config), -EINVAL);
	assert_non_null(strstr(report, "odd.yaml:3:9: unknown key"));
}

/* What a start with this profile p says of it, as sys.get and config.get tell it; or why there is none. */
static void
outcome(struct fixture *f, bool automatic, const char *text, char *ret_words, size_t room)
{
	static const struct machine bare = {.cpus = 4, .memory_mib = 4096, .kind = "bare", .nic = CX6};
	const char *dirs[] = {f->profiles};
	struct config_source source = {.path = "t.yaml",
		.text = automatic ? "mode: production\n" : "mode: production\nprofile: p\n",
		.profile_dirs = dirs, .profile_dir_count = 1, .host_root = f->root};
	static struct config config;

	clear(f->root);
	build_machine(f, &bare);
	put(f->profiles, "base.yaml", HEAD "base\nmemory: {per_node: 192MiB}\n");
	put(f->profiles, "p.yaml", text);
	if (config_load(&source, &config, report, sizeof(report)) != 0) {
		snprintf(ret_words, room, "%s", report);
		return;
	}
	snprintf(ret_words, room, "%s (%s): %s; per_node %llu", config.profile, config.profile_reason,
		config.profile_summary, (unsigned long long)config.memory_per_node_bytes);
}

/* A word that nobody reads has no place in the schema of profiles, and no row here. */
static void
every_word_of_a_profile_changes_what_is_told_of_it(void **state)
{
	static const struct {
		const char *word;
		bool automatic;
		const char *text;
		const char *told;
		const char *other; /* the same with another value */
		const char *other_told;
	} rows[] = {
		{"schema", false, HEAD "p\n", "p (", "name: p\n", "want the line `schema: penstock.profile/1`"},
		{"name", false, HEAD "p\n", "p (", HEAD "q\n", "want `name: p`"},
		{"summary", false, HEAD "p\nsummary: One.\n", "): One.;", HEAD "p\nsummary: Two.\n", "): Two.;"},
		{"inherits", false, HEAD "p\ninherits: [base]\n", "per_node 201326592", HEAD "p\n", "per_node 0"},
		{"match.nic", true, HEAD "p\nmatch: {nic: [\"" CX6 "\"]}\n", "p (auto: its match fits this machine: nic",
			HEAD "p\nmatch: {nic: [\"8086:1572\"]}\n", "vm-generic ("},
		{"match.cpu_min", true, HEAD "p\nmatch: {cpu_min: 4}\n", "p (auto: its match fits this machine: cpu_min 4",
			HEAD "p\nmatch: {cpu_min: 5}\n", "vm-generic ("},
		{"match.memory_min", true, HEAD "p\nmatch: {memory_min: 4GiB}\n",
			"p (auto: its match fits this machine: memory_min 4GiB",
			HEAD "p\nmatch: {memory_min: 8GiB}\n", "vm-generic ("},
		{"match.virtualization", true, HEAD "p\nmatch: {virtualization: none}\n",
			"p (auto: its match fits this machine: virtualization none",
			HEAD "p\nmatch: {virtualization: container}\n", "vm-generic ("},
	};
	struct fixture *f = *state;
	char words[2048];

	for (uint32_t key = 0; key < PROFILE_KEY_COUNT; key++) {
		uint32_t i = 0;

		while (i < ARRAY_COUNT(rows) && strcmp(rows[i].word, profile_keys[key].name) != 0) {
			i++;
		}
		if (i == ARRAY_COUNT(rows)) {
			fail_msg("%s has no row: who reads it?", profile_keys[key].name);
		}
		outcome(f, rows[i].automatic, rows[i].text, words, sizeof(words));
		if (!strstr(words, rows[i].told) || strstr(words, rows[i].other_told)) {
			fail_msg("%s: %s", rows[i].word, words);
		}
		outcome(f, rows[i].automatic, rows[i].other, words, sizeof(words));
		if (!strstr(words, rows[i].other_told) || strstr(words, rows[i].told)) {
			fail_msg("%s, the other: %s", rows[i].word, words);
		}
	}
	assert_int_equal(PROFILE_KEY_COUNT, ARRAY_COUNT(rows));
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(facts_of_a_machine_are_read),
		CASE(free_memory_is_that_of_the_control_group_too),
		CASE(isolated_cpus_are_those_of_the_list),
		CASE(the_best_match_is_chosen_and_says_why),
		CASE(of_equal_matches_the_hosts_own_is_chosen),
		CASE(every_word_of_a_profile_changes_what_is_told_of_it),
		CASE(a_profile_that_cannot_be_judged_is_an_error_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
