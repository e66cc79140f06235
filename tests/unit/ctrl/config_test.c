/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration loader: places, nearest names, units, layers, rules between keys. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bytes.h"
#include "ctrl/daemon/config.h"
#include "ctrl/schema/value.h"

static char report[2048];

/* Without a profile unless the text names one. */
static int
load(const char *text, struct config *config)
{
	struct config_source source = {.path = "t.yaml", .text = text, .profile_dirs = (const char *[]){""},
		.overrides = (const char *[]){"profile=none"}, .override_count = strstr(text, "profile: ") ? 0 : 1};

	return config_load(&source, config, report, sizeof(report));
}

static void
every_key_with_one_letter_wrong_is_refused_at_its_place_with_the_nearest(void **state)
{
	struct config config;
	char text[512];
	char wrong[128];

	(void)state;
	for (uint32_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		const char *name = config_keys[i].name;
		char place[] = "t.yaml:2:1: unknown key";
		size_t middle = strlen(name) / 2;

		snprintf(wrong, sizeof(wrong), "%s", name);
		wrong[middle] = wrong[middle] == 'z' ? 'y' : 'z';
		snprintf(text, sizeof(text), "# first\n%s: 1\n", wrong);
		assert_int_equal(load(text, &config), -EINVAL);
		assert_non_null(strstr(report, place));
		if (!strstr(report, name)) {
			print_error("%s: %s\n", wrong, report);
		}
		assert_non_null(strstr(report, name));
		assert_non_null(strstr(report, "| ^"));
	}
}

static void
every_default_loads_back_from_its_own_text(void **state)
{
	static struct config config;
	static struct config again;
	char value[1024];
	char text[1200];

	(void)state;
	for (int dev = 0; dev < 2; dev++) {
		assert_int_equal(load(dev ? "mode: dev\n" : "mode: production\n", &config), 0);
		for (uint32_t i = 0; i < CONFIG_KEY_COUNT; i++) {
			config_key_format(&config_keys[i], &config, value, sizeof(value));
			snprintf(text, sizeof(text), config_keys[i].list_max ? "mode: %s\n%s: [%s]\n" : "mode: %s\n%s: \"%s\"\n",
				dev ? "dev" : "production", config_keys[i].name, value);
			if (i == CONFIG_KEY_MODE) {
				continue;
			}
			assert_int_equal(load(text, &again), 0);
			assert_memory_equal((char *)&again + config_keys[i].offset,
				(char *)&config + config_keys[i].offset, config_keys[i].element_bytes);
		}
	}
}

/* The text one beyond a limit, in the smallest unit that the key's type has; false: no such number. */
static bool
beyond(const struct config_key *key, bool above, char *ret_text, size_t room)
{
	uint64_t limit = above ? key->max : key->min;
	const char *unit = key->raw ? "" : key->type == CONFIG_DURATION ? "ns" : key->type == CONFIG_BYTES ? "B"
								: key->type == CONFIG_PPM	   ? "ppm"
												   : "";

	if (above ? limit == UINT64_MAX : limit == 0) {
		return false;
	}
	snprintf(ret_text, room, "%llu%s", (unsigned long long)(above ? limit + 1 : limit - 1), unit);
	return true;
}

static bool
has_range(const struct config_key *key)
{
	return key->type == CONFIG_U32 || key->type == CONFIG_U64 || key->type == CONFIG_PPM ||
	       key->type == CONFIG_BYTES || key->type == CONFIG_DURATION;
}

/* `name: value` through format is refused at line 1 with the words of config_key_want. */
static void
refused_with_range(const struct config_key *key, const char *format, const char *value)
{
	static struct config config;
	char text[600];
	char want[160];

	snprintf(text, sizeof(text), format, key->name, value);
	config_key_want(key, want, sizeof(want));
	assert_int_equal(load(text, &config), -EINVAL);
	if (!strstr(report, want) || !strstr(report, "t.yaml:1:") || !strstr(report, key->name)) {
		print_error("%s\n%s", text, report);
	}
	assert_non_null(strstr(report, "t.yaml:1:"));
	assert_non_null(strstr(report, key->name));
	assert_non_null(strstr(report, want));
}

static void
every_value_out_of_range_is_refused_with_the_range(void **state)
{
	char value[64];
	uint32_t refused = 0;

	(void)state;
	for (uint32_t k = 0; k < CONFIG_KEY_COUNT + CONFIG_PORT_KEY_COUNT; k++) {
		bool port = k >= CONFIG_KEY_COUNT;
		const struct config_key *key = port ? &config_port_keys[k - CONFIG_KEY_COUNT] : &config_keys[k];
		const char *format = port ? "ports: [{%s: %s}]\n" : "%s: %s\n";

		if (key->type == CONFIG_ENUM) {
			refused_with_range(key, format, "no-such-word");
			refused++;
		}
		for (int above = 0; above < 2 && has_range(key); above++) {
			if (beyond(key, above, value, sizeof(value))) {
				refused_with_range(key, format, value);
				refused++;
			}
		}
	}
	assert_true(refused > 80);
}

struct refusal {
	const char *text;
	const char *place;
	const char *words;
};

static void
wrong_values_are_refused_at_their_place(void **state)
{
	static const struct refusal table[] = {
		{"log:\n  io: urng\n", "t.yaml:2:7", "nearest: uring"},
		{"log.mark.idle: 5\n", "t.yaml:1:16", "without a unit"},
		{"log.mark.idle: 5 ms\n", "t.yaml:1:16", "not a duration"},
		{"log.mark.idle: 11s\n", "t.yaml:1:16", "out of range"},
		{"log.buffer.bytes: 4x\n", "t.yaml:1:19", "not a size"},
		{"native.port: 012\n", "t.yaml:1:14", "not a u32"},
		{"native.port: 70000\n", "t.yaml:1:14", "0..65520"},
		{"dataplane.ring_size: 1000\n", "t.yaml:1:22", "power of two"},
		{"native: 5\n", "t.yaml:1:1", "want a mapping"},
		{"native.port: [1]\n", "t.yaml:1:1", "want u32"},
		{"data.dirs: [relative]\n", "t.yaml:1:13", "absolute"},
		{"data.dirs: [/a, /b]\n", "t.yaml:1:17", "more than 1"},
		{"lcores.rx: 2-1\n", "t.yaml:1:12", "CPU list"},
		{"lcores.rx: 2,2\n", "t.yaml:1:12", "CPU list"},
		{"broker.auto.create.topics.enable: yes\n", "t.yaml:1:35", "true or false"},
		{"ports: [{driver: socket, mtuu: 1500}]\n", "t.yaml:1:26", "nearest: ports.mtu"},
		{"ports: [{driver: sokcet}]\n", "t.yaml:1:18", "nearest: socket"},
		{"ports: {driver: socket}\n", "t.yaml:1:1", "want a list"},
		{"ports: [{address: [300.1.1.1]}]\n", "t.yaml:1:20", "not an IPv4"},
		{"native.port: 1\nnative.port: 2\n", "t.yaml:2:1", "duplicate"},
		{"native.port: &a 1\n", "t.yaml:1:1", "anchors"},
		{"native.port: !!int 1\n", "t.yaml:1:", "tags"},
		{"native:\n\tport: 1\n", "t.yaml:2:1", "tab"},
		{"native: [1\n", "t.yaml:", ""},
		{"log.buffer.bytes: 16MiB\nlog.group.max.bytes: 8MiB\n", "t.yaml:1: ", "four times"},
		{"native.validate: deep\n", "t.yaml:1: ", "no decompressors"},
		{"fault.io.flush_delay: 1ms\n", "t.yaml:1: ", "mode: dev"},
		{"ports: [{driver: socket, fault.loss: 1%}]\n", "t.yaml:1: ", "mode: dev"},
		{"ports: [{driver: vdev}]\n", "t.yaml:1: ", "needs devargs"},
	};
	static struct config config;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		int err = load(table[i].text, &config);

		if (err != -EINVAL || !strstr(report, table[i].place) || !strstr(report, table[i].words)) {
			print_error("%s-> %d %s\n", table[i].text, err, report);
		}
		assert_int_equal(err, -EINVAL);
		assert_non_null(strstr(report, table[i].place));
		assert_non_null(strstr(report, table[i].words));
	}
}

static void
dots_and_nesting_are_the_same_and_a_file_may_be_empty(void **state)
{
	static struct config a;
	static struct config b;

	(void)state;
	assert_int_equal(load("", &a), 0);
	assert_int_equal(load("\n  \n# nothing yet\n", &a), 0);
	assert_int_equal(load("log: {flush: {scope: file}, buffer.bytes: 1GiB}\nx-note: {any: thing}\n", &a), 0);
	assert_int_equal(load("log.flush.scope: file\nlog.buffer: {bytes: 1GiB}\n", &b), 0);
	assert_int_equal(a.log_flush_scope, CONFIG_LOG_FLUSH_SCOPE_FILE);
	assert_int_equal(b.log_flush_scope, CONFIG_LOG_FLUSH_SCOPE_FILE);
	assert_int_equal(a.log_buffer_bytes, GIB);
	assert_int_equal(b.log_buffer_bytes, GIB);
}

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	fclose(file);
}

static int
set_ports(const char *override, struct config *ret_config)
{
	const char *overrides[] = {"ports=[{driver: socket}, {driver: socket, mtu: 1400}]", override};
	struct config_source source = {.dev = true, .path = "t.yaml", .text = "profile: none\n",
		.overrides = overrides, .override_count = 2};

	return config_load(&source, ret_config, report, sizeof(report));
}

static void
one_key_of_a_port_can_be_set(void **state)
{
	static struct config config;

	(void)state;
	assert_int_equal(set_ports("ports[1].fault.loss=1%", &config), 0);
	assert_int_equal(config.port_count, 2);
	assert_int_equal(config.ports[0].fault_loss_ppm, 0);
	assert_int_equal(config.ports[1].fault_loss_ppm, 10000);
	assert_int_equal(config.ports[1].mtu, 1400);
	assert_int_equal(config.ports_origin.layer, CONFIG_LAYER_SET);
	assert_int_equal(set_ports("ports[0].address=[192.0.2.2, 2001:db8::2]", &config), 0);
	assert_int_equal(config.ports[0].address_count, 2);
	assert_string_equal(config.ports[0].address[1], "2001:db8::2");
	assert_int_equal(set_ports("ports[0].address=192.0.2.3", &config), 0);
	assert_int_equal(config.ports[0].address_count, 1);
	assert_int_equal(set_ports("ports[0].address=[]", &config), 0);
	assert_int_equal(config.ports[0].address_count, 0);
	assert_int_equal(set_ports("ports[2].mtu=1500", &config), -EINVAL);
	assert_non_null(strstr(report, "there are 2 ports"));
	assert_int_equal(set_ports("ports[0].fault.los=1%", &config), -EINVAL);
	assert_non_null(strstr(report, "unknown key; nearest: fault.loss"));
	assert_int_equal(set_ports("ports[0].mtu=1", &config), -EINVAL);
	assert_non_null(strstr(report, "--set ports[0].mtu: \"1\": "));
	assert_int_equal(set_ports("ports[x].mtu=1500", &config), -EINVAL);
	assert_int_equal(set_ports("ports[0]mtu=1500", &config), -EINVAL);
}

static void
later_layers_win_and_every_value_knows_where_it_came_from(void **state)
{
	static struct config config;
	char dir[] = "/tmp/penstock-config-XXXXXX";
	char base[64];
	char host[64];
	const char *dirs[] = {dir};
	const char *overrides[] = {"native.idle_timeout=3s", "ports=[{driver: socket, mtu: 1400}]"};
	struct config_source source = {.path = "t.yaml", .profile_dirs = dirs, .profile_dir_count = 1,
		.text = "profile: host\nnative: {port: 5000}\n", .overrides = overrides, .override_count = 2};

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(base, sizeof(base), "%s/base.yaml", dir);
	snprintf(host, sizeof(host), "%s/host.yaml", dir);
	write_file(base, "schema: penstock.profile/1\nname: base\nconfig: {native.sessions_max: 7}\n"
			 "lcores: {rx: \"2-3\"}\n");
	write_file(host, "schema: penstock.profile/1\nname: host\ninherits: [base]\n"
			 "config:\n  native: {port: 4000, idle_timeout: 9s}\n");
	assert_int_equal(config_load(&source, &config, report, sizeof(report)), 0);
	assert_string_equal(config.profile, "host");
	assert_int_equal(config.native_sessions_max, 7);
	assert_int_equal(config.native_port, 5000);
	assert_int_equal(config.native_idle_timeout_ns, 3 * NS_PER_S);
	assert_int_equal(config.lcores_rx.count, 2);
	assert_int_equal(config.ports[0].mtu, 1400);
	assert_int_equal(config.origins[CONFIG_KEY_NATIVE_SESSIONS_MAX].layer, CONFIG_LAYER_PROFILE);
	assert_string_equal(config.files[config.origins[CONFIG_KEY_NATIVE_SESSIONS_MAX].file], base);
	assert_int_equal(config.origins[CONFIG_KEY_NATIVE_SESSIONS_MAX].line, 3);
	assert_int_equal(config.origins[CONFIG_KEY_NATIVE_PORT].layer, CONFIG_LAYER_FILE);
	assert_int_equal(config.origins[CONFIG_KEY_NATIVE_PORT].line, 2);
	assert_int_equal(config.origins[CONFIG_KEY_NATIVE_IDLE_TIMEOUT].layer, CONFIG_LAYER_SET);
	assert_int_equal(config.origins[CONFIG_KEY_LOG_IO].layer, CONFIG_LAYER_DEFAULT);
	write_file(base, "schema: penstock.profile/1\nname: base\ninherits: [host]\n");
	assert_int_equal(config_load(&source, &config, report, sizeof(report)), -EINVAL);
	assert_non_null(strstr(report, "circle"));
	(void)unlink(base);
	assert_int_equal(config_load(&source, &config, report, sizeof(report)), -EINVAL);
	assert_non_null(strstr(report, "host.yaml:3:12: no profile \"base\""));
	(void)unlink(host);
	(void)rmdir(dir);
}

static void
shipped_profiles_need_no_file(void **state)
{
	static struct config config;
	const struct config_origin *origin = &config.origins[CONFIG_KEY_LCORES_RX];

	(void)state;
	assert_int_equal(load("profile: vm-generic\n", &config), 0);
	assert_string_equal(config.profile, "vm-generic");
	assert_int_equal(config.lcores_rx.cpus[0], 1);
	assert_int_equal(config.memory_per_node_bytes, 128 * MIB);
	assert_int_equal(origin->layer, CONFIG_LAYER_PROFILE);
	assert_string_equal(config.files[origin->file], "vm-generic.yaml (built in)");
	assert_true(origin->line > 3);
	assert_int_equal(load("# profile: \nmode: dev\n", &config), 0); /* auto */
	assert_string_equal(config.profile, "laptop");
	assert_int_equal(config.ports_origin.layer, CONFIG_LAYER_PROFILE);
	assert_string_equal(config.profile_reason, "auto: dev mode");
	assert_int_equal(load("mode: dev\nprofile: vm-generic\n", &config), 0);
	assert_string_equal(config.profile_reason, "named by t.yaml:2");
	assert_int_equal(load("mode: dev\n", &config), 0);
	assert_string_equal(config.profile_reason, "named by --set");
}

static void
an_unknown_profile_is_told_with_its_place_and_the_nearest(void **state)
{
	static struct config config;

	(void)state;
	assert_int_equal(load("mode: dev\nprofile: labtop\n", &config), -ENOENT);
	assert_non_null(strstr(report, "t.yaml:2: profile: no profile \"labtop\"; nearest: laptop"));
	assert_non_null(strstr(report, "have  laptop, vm-generic, none"));
	assert_non_null(strstr(report, "looked in  built-in profiles"));
	assert_int_equal(load("profile: ../laptop\n", &config), -EINVAL);
}

/* One profile of a directory of its own, by that name; the report and the error. */
static int
load_profile_text(const char *text, struct config *config)
{
	char dir[] = "/tmp/penstock-profile-XXXXXX";
	char path[64];
	const char *dirs[] = {dir};
	struct config_source source = {.path = "t.yaml", .text = "profile: host\n", .profile_dirs = dirs,
		.profile_dir_count = 1};
	int err;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/host.yaml", dir);
	write_file(path, text);
	err = config_load(&source, config, report, sizeof(report));
	(void)unlink(path);
	(void)rmdir(dir);
	return err;
}

#define PROFILE_HEAD "schema: penstock.profile/1\nname: host\n"

static void
words_of_a_profile_are_as_strict_as_the_configuration(void **state)
{
	static const struct refusal table[] = {
		{"name: host\n", "host.yaml:1:1", "schema: penstock.profile/1"},
		{"schema: penstock.profile/2\nname: host\n", "host.yaml:1:9", "one of penstock.profile/1"},
		{"schema: penstock.profile/1\nname: other\n", "host.yaml:2:7", "name: host"},
		{PROFILE_HEAD "match: {cpu_mim: 2}\n", "host.yaml:3:9", "nearest: match.cpu_min"},
		{PROFILE_HEAD "match: {virtualization: wm}\n", "host.yaml:3:25", "nearest: vm"},
		{PROFILE_HEAD "match.cpu_min: 4097\n", "host.yaml:3:16", "1..4096"},
		{PROFILE_HEAD "cpu: {governor: performance}\n", "host.yaml:3:1", "unknown key"},
		{PROFILE_HEAD "ports: [{offloads: {required: [rss]}}]\n", "host.yaml:3:10", "unknown key"},
		{PROFILE_HEAD "native.port: 1\n", "host.yaml:3:1", "beneath config:"},
		{PROFILE_HEAD "config: {mode: dev}\n", "host.yaml:3:10", "does not choose"},
		{PROFILE_HEAD "config: {match.cpu_min: 2}\n", "host.yaml:3:10", "unknown key"},
		{PROFILE_HEAD "inherits: [labtop]\n", "host.yaml:3:12", "nearest: laptop"},
		{PROFILE_HEAD "inherits: {laptop: 1}\n", "host.yaml:3:1", "want list of string"},
	};
	static struct config config;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		assert_int_equal(load_profile_text(table[i].text, &config), -EINVAL);
		if (!strstr(report, table[i].place) || !strstr(report, table[i].words)) {
			print_error("%s-> %s\n", table[i].text, report);
		}
		assert_non_null(strstr(report, table[i].place));
		assert_non_null(strstr(report, table[i].words));
	}
	assert_int_equal(load_profile_text(PROFILE_HEAD "inherits: [laptop, vm-generic, laptop]\n"
		"ports: [{driver: socket, mtu: 9000}]\n", &config), 0);
	assert_int_equal(config.ports[0].mtu, 9000);
	assert_int_equal(config.memory_per_node_bytes, 128 * MIB);
}

static void
what_windows_hold_leaves_the_log_its_cache(void **state)
{
	static struct config config;

	(void)state;
	assert_int_equal(load("log.cache.bytes: 64MiB\n", &config), 0);
	assert_int_equal(config.batcher_pin_bytes, 0); /* auto: a quarter */
	assert_int_equal(load("log.cache.bytes: 64MiB\nbatcher.pin.bytes: 32MiB\n", &config), 0);
	assert_int_equal(config.batcher_pin_bytes, 32 * MIB);
	assert_int_equal(load("log.cache.bytes: 64MiB\nbatcher.pin.bytes: 33MiB\n", &config), -EINVAL);
	assert_non_null(strstr(report, ":2: batcher.pin.bytes: is 34603008, and log.cache.bytes 67108864"));
	assert_int_equal(load("batcher.pin.bytes: auto\n", &config), 0);
}

static void
mode_dev_changes_the_defaults_beneath_the_file(void **state)
{
	static struct config config;

	(void)state;
	assert_int_equal(load("log.guard.bytes: 16MiB\n", &config), 0);
	assert_int_equal(config.log_cache_bytes, 256 * MIB);
	assert_int_equal(load("mode: dev\nlog.guard.bytes: 16MiB\n", &config), 0);
	assert_int_equal(config.log_cache_bytes, 16 * MIB);
	assert_int_equal(config.log_guard_bytes, 16 * MIB);
	assert_int_equal(config.lcores_share, CONFIG_LCORES_SHARE_ALL);
}

static void
values_read_as_people_write_them(void **state)
{
	struct config_cpus cpus;
	uint64_t value;
	uint32_t ppm;
	char text[64];

	(void)state;
	assert_int_equal(value_parse_duration("7d", &value), 0);
	assert_int_equal(value, 7ull * 86400 * NS_PER_S);
	assert_int_equal(value_parse_duration("99999999999999d", &value), -ERANGE);
	assert_int_equal(value_parse_bytes("500MB", &value), 0);
	assert_int_equal(value, 500000000);
	assert_int_equal(value_parse_bytes("1gib", &value), -EINVAL);
	assert_int_equal(value_parse_ppm("0.05", &ppm), 0);
	assert_int_equal(ppm, 50000);
	assert_int_equal(value_parse_ppm("5%", &ppm), 0);
	assert_int_equal(ppm, 50000);
	assert_int_equal(value_parse_ppm("101%", &ppm), -ERANGE);
	assert_int_equal(value_parse_u64("18446744073709551616", &value), -ERANGE);
	assert_int_equal(value_parse_cpulist("2-4,9", &cpus), 0);
	value_format_cpulist(&cpus, text, sizeof(text));
	assert_string_equal(text, "2-4,9");
	assert_int_equal(value_parse_cpulist("2-", &cpus), -EINVAL);
	assert_int_equal(value_distance("flush", "fulsh"), 1);
	assert_int_equal(value_distance("kitten", "sitting"), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_with_one_letter_wrong_is_refused_at_its_place_with_the_nearest),
		cmocka_unit_test(every_default_loads_back_from_its_own_text),
		cmocka_unit_test(wrong_values_are_refused_at_their_place),
		cmocka_unit_test(dots_and_nesting_are_the_same_and_a_file_may_be_empty),
		cmocka_unit_test(later_layers_win_and_every_value_knows_where_it_came_from),
		cmocka_unit_test(every_value_out_of_range_is_refused_with_the_range),
		cmocka_unit_test(one_key_of_a_port_can_be_set),
		cmocka_unit_test(shipped_profiles_need_no_file),
		cmocka_unit_test(an_unknown_profile_is_told_with_its_place_and_the_nearest),
		cmocka_unit_test(words_of_a_profile_are_as_strict_as_the_configuration),
		cmocka_unit_test(what_windows_hold_leaves_the_log_its_cache),
		cmocka_unit_test(mode_dev_changes_the_defaults_beneath_the_file),
		cmocka_unit_test(values_read_as_people_write_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
