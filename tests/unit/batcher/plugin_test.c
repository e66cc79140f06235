/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading plug-ins: the example of the documentation runs over real lines; everything that breaks
 * the rules is refused with a text. Plug-ins lie beside the test in the build tree.
 */
#include "rig.h"
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static char build_dir[PATH_MAX]; /* of the build tree */
static char text[512];

static int
load(const char *path, const char *dir, bool user_may_own, struct plugin *plugin)
{
	const char *dirs[] = {"/does/not/exist", dir};
	struct plugin_rules rules = {dirs, 2, user_may_own};

	text[0] = '\0';
	return plugin_load(path, &rules, text, sizeof(text), plugin);
}

/* A copy of the example in a fresh directory, so that owners and modes may be changed. */
static void
make_copy(char *ret_dir, char *ret_path)
{
	char command[3 * PATH_MAX];

	strcpy(ret_dir, "/tmp/penstock-plugin-XXXXXX");
	assert_non_null(mkdtemp(ret_dir));
	(void)snprintf(ret_path, PATH_MAX, "%s/delays.so", ret_dir);
	(void)snprintf(
		command, sizeof(command), "cp %s/docs/examples/delays.so %s", build_dir, ret_path);
	assert_int_equal(system(command), 0);
	assert_int_equal(chmod(ret_path, 0644), 0);
}

/* The same place, with a plug-in of this folder in it. */
static void
make_copy_of(const char *name, char *ret_dir, char *ret_path)
{
	char command[3 * PATH_MAX];

	make_copy(ret_dir, ret_path);
	(void)snprintf(command, sizeof(command), "cp %s/tests/unit/batcher/%s.so %s", build_dir,
		name, ret_path);
	assert_int_equal(system(command), 0);
}

static void
remove_copy(const char *dir, const char *path)
{
	(void)unlink(path);
	(void)rmdir(dir);
}

static void
places_owners_and_modes_are_checked_before_loading(void **state)
{
	struct plugin plugin;
	char dir[PATH_MAX];
	char path[PATH_MAX];
	char link[PATH_MAX + 8];

	make_copy(dir, path);
	assert_int_equal(load("delays.so", dir, true, &plugin), -EINVAL);
	assert_int_equal(load("/nowhere/delays.so", dir, true, &plugin), -ENOENT);
	assert_int_equal(load(path, "/usr", true, &plugin), -EACCES);
	assert_non_null(strstr(text, "none of the plug-in directories"));
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(load(path, dir, true, &plugin), -EACCES);
	assert_non_null(strstr(text, "chmod go-w"));
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(load(path, dir, true, &plugin), -EACCES);
	assert_int_equal(chmod(dir, 0755), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 12345, 0), 0);
		assert_int_equal(load(path, dir, true, &plugin), -EACCES);
		assert_non_null(strstr(text, "uid 12345"));
		assert_int_equal(chown(path, 0, 0), 0);
	} else {
		assert_int_equal(load(path, dir, false, &plugin), -EACCES);
	}
	/* A link inside an allowed directory does not lead out of it. */
	(void)snprintf(link, sizeof(link), "%s/out.so", dir);
	assert_int_equal(symlink("/usr/lib/x86_64-linux-gnu/libc.so.6", link), 0);
	assert_true(load(link, dir, true, &plugin) < 0);
	assert_int_equal(unlink(link), 0);
	/* Nothing that opening could wait for: the control thread loads plug-ins. */
	assert_int_equal(mkfifo(link, 0600), 0);
	assert_int_equal(load(link, dir, true, &plugin), -EACCES);
	assert_non_null(strstr(text, "no regular file"));
	assert_int_equal(unlink(link), 0);
	assert_int_equal(load(path, dir, true, &plugin), 0);
	assert_string_equal(plugin.function.name, "delays");
	plugin_unload(&plugin);
	assert_null(plugin.handle);
	remove_copy(dir, path);
}

static void
tables_that_break_the_contract_are_refused(void **state)
{
	static const struct {
		const char *name;
		int error;
		const char *word;
	} rows[] = {
		{"plugin_no_entry", -ENOEXEC, "exports no penstock_worker_entry"},
		{"plugin_null", -ENOTSUP, "cannot work"},
		{"plugin_abi", -ENOTSUP, "worker ABI 99"},
		{"plugin_short", -EBADMSG, "struct_bytes"},
		{"plugin_nameless", -EBADMSG, "no name"},
		{"plugin_no_process", -EBADMSG, "no process"},
		{"plugin_unresolved", -ENOEXEC, "penstock_no_such_call"},
		{"plugin_long", -ENOTSUP, "wants more than this daemon has"},
		{"plugin_flags", -ENOTSUP, "flags are 0x80"},
	};

	for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char dir[PATH_MAX];
		char path[PATH_MAX];
		struct plugin plugin;

		make_copy_of(rows[i].name, dir, path);
		assert_int_equal(load(path, dir, true, &plugin), rows[i].error);
		if (!strstr(text, rows[i].word)) {
			fail_msg("%s: \"%s\" lacks \"%s\"", rows[i].name, text, rows[i].word);
		}
		assert_null(plugin.handle);
		remove_copy(dir, path);
	}
}

static void
older_and_newer_plugins_of_the_same_abi_work(void **state)
{
	static const char *const names[] = {"plugin_old", "plugin_new"};

	for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) {
		char dir[PATH_MAX];
		char path[PATH_MAX];
		struct window_row row;
		struct plugin plugin;
		struct rig rig;
		uint32_t job;

		make_copy_of(names[i], dir, path);
		assert_int_equal(load(path, dir, true, &plugin), 0);
		assert_null(plugin.function.open);
		assert_null(plugin.function.close);

		struct job_spec spec = rig_spec(&plugin.function);

		spec.sink_print = true;
		rig_init(&rig, (struct rig_options){.partitions = 1});
		assert_int_equal(rig_create(&rig, &spec, &job), 0);
		RIG_APPEND(&rig, 0, 1, 2, 3);
		rig_advance_ms(&rig, 1000);
		assert_int_equal(batcher_windows(rig.batcher, job, 0, &row, 1), 1);
		assert_int_equal(row.print_count, 1);
		assert_string_equal(row.print_rows[0], "good 3");
		rig_free(&rig);
		plugin_unload(&plugin);
		remove_copy(dir, path);
	}
}

static void
append_flight(struct rig *rig, const char *key, const char *line)
{
	uint8_t room[1024];
	struct record_builder builder;

	record_builder_init(&builder, room, sizeof(room));
	ensure(!record_builder_add(
		&builder, strtoll(line, NULL, 10), key, key ? 2 : -1, line, (int32_t)strlen(line)));
	fake_log_append(&rig->log, 0, room, record_builder_finish(&builder, -1, -1, -1));
	ensure(fake_log_note(&rig->log, 0));
}

static void
the_example_counts_delays_per_carrier(void **state)
{
	struct plugin plugin;
	struct rig rig;
	struct window_row row;
	char dir[PATH_MAX];
	char path[PATH_MAX];
	uint32_t job;

	make_copy(dir, path);
	assert_int_equal(load(path, dir, true, &plugin), 0);
	rig_init(&rig, (struct rig_options){.partitions = 1});
	struct job_spec spec = rig_event_spec(&plugin.function, 3600 * 1000);

	spec.sink_print = true;
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	append_flight(&rig, "UA", "1357035300000,UA,1545,EWR,IAH,2,11");
	append_flight(&rig, "AA", "1357035600000,AA,1141,JFK,MIA,-4,33");
	append_flight(&rig, "UA", "1357035700000,UA,1714,LGA,IAH,8,20");
	append_flight(&rig, "UA", "1357035800000,UA,9,LGA,IAH,,");
	append_flight(&rig, NULL, "1357035800000,??,9,LGA,IAH,,");
	rig_advance_ms(&rig, 1000);
	assert_int_equal(rig_change(&rig, job, BATCHER_DRAIN), 0);
	rig_settle(&rig);
	assert_int_equal(batcher_windows(rig.batcher, job, 0, &row, 1), 1);
	assert_int_equal(row.record_count, 5);
	assert_int_equal(row.print_count, 2);
	assert_string_equal(row.print_rows[0], "UA flights 3 cancelled 1 mean 5 max 8");
	assert_string_equal(row.print_rows[1], "AA flights 1 cancelled 0 mean -4 max 0");
	rig_free(&rig);
	plugin_unload(&plugin);
	remove_copy(dir, path);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_owners_and_modes_are_checked_before_loading),
		cmocka_unit_test(tables_that_break_the_contract_are_refused),
		cmocka_unit_test(older_and_newer_plugins_of_the_same_abi_work),
		cmocka_unit_test(the_example_counts_delays_per_carrier),
	};
	char self[PATH_MAX];

	ensure(realpath(argv[0], self));
	/* <build>/tests/unit/plugin_test */
	(void)snprintf(build_dir, sizeof(build_dir), "%s", dirname(dirname(dirname(self))));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
