/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration loading (config.h). The key tables say what exists; this file only finds the values:
 * a document is walked with the dotted path of every node, so that `log: {flush: {scope: x}}` and
 * `log.flush.scope: x` are the same. Everything is applied twice: the first pass tells mode and
 * profile, which decide the defaults beneath the second.
 */
#include "ctrl/daemon/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/ensure.h"
#include "ctrl/schema/paths_gen.h"
#include "ctrl/schema/value.h"
#include "ctrl/schema/yaml_doc.h"

#define CONFIG_PATH_MAX	     256
#define CONFIG_SECTIONS_MAX  48
#define CONFIG_PROFILE_NAMES 32

struct loader {
	const struct config_source *source;
	struct config *config;
	char *report;
	size_t report_bytes;
	enum config_layer layer;
	uint8_t file; /* of what is being read */
	bool in_profile;
	char seen[CONFIG_PROFILE_NAMES][64]; /* profiles read, for cycles and doubles */
	uint32_t seen_count;
};

/* What a profile may hold besides keys; read by other programs, not by the daemon. */
static const char *const profile_words[] = {
	"schema", "name", "summary", "inherits", "match", "assert", "cpu", "iommu", "pcie", "storage",
	"sysctl", "limits", "clock", "service", "expect", "config",
	"lcores.spare", "lcores.smt", "lcores.numa_strict",
	"memory.thp", "memory.numa_balancing", "memory.mlock", "memory.iova",
	"ports.numa", "ports.tx_queues", "ports.rss", "ports.offloads", "ports.flow_control",
	"ports.promiscuous", "ports.min_link",
};

static const char *const default_profile_dirs[] = {CONFIG_PROFILE_DIRS};

static int
report(struct loader *loader, int err, const char *format, ...) PRINTF_LIKE(3, 4);

static int
report(struct loader *loader, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(loader->report, loader->report_bytes, format, args);
	va_end(args);
	return err;
}

static const struct config_key *
find_key(const struct config_key *keys, uint32_t count, const char *name)
{
	for (uint32_t i = 0; i < count; i++) {
		if (strcmp(keys[i].name, name) == 0) {
			return &keys[i];
		}
	}
	return NULL;
}

/* True if some key lies beneath `path.`. */
static bool
is_section(const struct config_key *keys, uint32_t count, const char *path)
{
	size_t len = strlen(path);

	for (uint32_t i = 0; i < count; i++) {
		if (strncmp(keys[i].name, path, len) == 0 && keys[i].name[len] == '.') {
			return true;
		}
	}
	return false;
}

/* A table to look names up in, with what it fills. */
struct target {
	const struct config_key *keys;
	uint32_t count;
	void *base;
	const char *prefix; /* "" or "ports." for words of profiles */
};

static bool
is_profile_word(const struct loader *loader, const struct target *target, const char *path)
{
	char full[CONFIG_PATH_MAX + 16];

	if (!loader->in_profile) {
		return false;
	}
	snprintf(full, sizeof(full), "%s%s", target->prefix, path);
	for (size_t i = 0; i < ARRAY_COUNT(profile_words); i++) {
		if (strcmp(profile_words[i], full) == 0) {
			return true;
		}
	}
	return false;
}

/* Offers `log`, `log.flush` ... of `log.flush.scope`, each section once. */
static void
offer_sections(struct value_nearest *nearest, const char *name, char (*sections)[CONFIG_PATH_MAX],
	uint32_t *section_count)
{
	for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
		char *section = sections[*section_count];
		bool known = false;

		snprintf(section, CONFIG_PATH_MAX, "%.*s", (int)(dot - name), name);
		for (uint32_t i = 0; i < *section_count; i++) {
			known = known || strcmp(sections[i], section) == 0;
		}
		if (!known && *section_count + 1 < CONFIG_SECTIONS_MAX) {
			value_nearest_offer(nearest, section);
			(*section_count)++;
		}
	}
}

/* Names and sections of the table that are nearest to an unknown path. */
static int
complain_unknown(struct yaml_doc *doc, struct fy_node *node, const struct target *target,
	const char *path)
{
	char sections[CONFIG_SECTIONS_MAX][CONFIG_PATH_MAX];
	uint32_t section_count = 0;
	struct value_nearest nearest;

	value_nearest_init(&nearest, path);
	if (target->prefix[0] == '\0') {
		value_nearest_offer(&nearest, "ports");
	}
	for (uint32_t i = 0; i < target->count; i++) {
		value_nearest_offer(&nearest, target->keys[i].name);
		offer_sections(&nearest, target->keys[i].name, sections, &section_count);
	}
	return yaml_doc_complain(doc, node, "unknown key \"%s%s\"%s%s%s", target->prefix, path,
		nearest.count ? "; nearest: " : "", nearest.count ? target->prefix : "",
		nearest.count ? nearest.names[0] : "");
}

static void
set_origin(struct loader *loader, const struct target *target, const struct config_key *key,
	uint32_t line)
{
	struct config_origin origin = {.layer = (uint8_t)loader->layer, .file = loader->file,
		.line = line};

	if (target->keys == config_keys) {
		loader->config->origins[key - config_keys] = origin;
	}
}

static int
assign_scalar(struct loader *loader, struct yaml_doc *doc, struct fy_node *node,
	const struct target *target, const struct config_key *key)
{
	char text[YAML_SCALAR_BYTES_MAX];
	char why[256];
	int err = yaml_doc_scalar(doc, node, text, sizeof(text));

	(void)loader;
	if (err) {
		return err;
	}
	if (config_key_parse(key, target->base, text, why, sizeof(why)) != 0) {
		return yaml_doc_complain(doc, node, "%s%s: \"%.64s\": %s", target->prefix, key->name, text,
			why);
	}
	return 0;
}

static int
assign(struct loader *loader, struct yaml_doc *doc, struct fy_node *key_node,
	struct fy_node *value, const struct target *target, const struct config_key *key)
{
	struct fy_node *item;
	void *at = NULL;
	int err = 0;

	set_origin(loader, target, key, yaml_doc_line(key_node));
	config_key_clear(key, target->base);
	if (value && key->list_max && fy_node_is_sequence(value)) {
		while (err == 0 && (item = fy_node_sequence_iterate(value, &at)) != NULL) {
			err = assign_scalar(loader, doc, item, target, key);
		}
		return err;
	}
	if (!value || !fy_node_is_scalar(value)) {
		char want[160];

		config_key_want(key, want, sizeof(want));
		return yaml_doc_complain(doc, key_node, "%s%s: want %s", target->prefix, key->name, want);
	}
	return assign_scalar(loader, doc, value, target, key);
}

static int
walk(struct loader *loader, struct yaml_doc *doc, struct fy_node *mapping,
	const struct target *target, const char *path);

static int
walk_ports(struct loader *loader, struct yaml_doc *doc, struct fy_node *key_node,
	struct fy_node *list)
{
	struct config *config = loader->config;
	struct fy_node *item;
	void *at = NULL;
	int err = 0;

	if (!list || !fy_node_is_sequence(list)) {
		return yaml_doc_complain(doc, key_node, "ports: want a list of ports");
	}
	config->port_count = 0;
	config->ports_origin = (struct config_origin){.layer = (uint8_t)loader->layer,
		.file = loader->file, .line = yaml_doc_line(key_node)};
	while (err == 0 && (item = fy_node_sequence_iterate(list, &at)) != NULL) {
		struct target target = {.keys = config_port_keys, .count = CONFIG_PORT_KEY_COUNT,
			.base = &config->ports[config->port_count], .prefix = "ports."};

		if (config->port_count == CONFIG_PORTS_MAX) {
			return yaml_doc_complain(doc, item, "ports: more than %d", CONFIG_PORTS_MAX);
		}
		if (!fy_node_is_mapping(item)) {
			return yaml_doc_complain(doc, item, "ports: an item must be a mapping like {driver: socket}");
		}
		for (uint32_t i = 0; i < CONFIG_PORT_KEY_COUNT; i++) {
			config_key_default(&config_port_keys[i], target.base, false);
		}
		config->port_count++;
		err = walk(loader, doc, item, &target, "");
	}
	return err;
}

static int
walk_pair(struct loader *loader, struct yaml_doc *doc, struct fy_node_pair *pair,
	const struct target *target, const char *path)
{
	struct fy_node *key_node = fy_node_pair_key(pair);
	struct fy_node *value = fy_node_pair_value(pair);
	const struct config_key *key;
	char word[CONFIG_PATH_MAX];
	char full[CONFIG_PATH_MAX];
	int err = yaml_doc_scalar(doc, key_node, word, sizeof(word));

	if (err) {
		return err;
	}
	if ((size_t)snprintf(full, sizeof(full), "%s%s%s", path, *path ? "." : "", word) >=
		sizeof(full)) {
		return yaml_doc_complain(doc, key_node, "key longer than %d bytes", CONFIG_PATH_MAX - 1);
	}
	key = find_key(target->keys, target->count, full);
	if (key) {
		return assign(loader, doc, key_node, value, target, key);
	}
	if (target->base == loader->config && strcmp(full, "ports") == 0) {
		return walk_ports(loader, doc, key_node, value);
	}
	if (strncmp(word, "x-", 2) == 0 || is_profile_word(loader, target, full)) {
		return 0;
	}
	if (!is_section(target->keys, target->count, full)) {
		return complain_unknown(doc, key_node, target, full);
	}
	if (!value || !fy_node_is_mapping(value)) {
		return yaml_doc_complain(doc, key_node, "%s: want a mapping of its keys", full);
	}
	return walk(loader, doc, value, target, full);
}

static int
walk(struct loader *loader, struct yaml_doc *doc, struct fy_node *mapping,
	const struct target *target, const char *path)
{
	struct fy_node_pair *pair;
	void *at = NULL;
	int err = 0;

	while (err == 0 && (pair = fy_node_mapping_iterate(mapping, &at)) != NULL) {
		err = walk_pair(loader, doc, pair, target, path);
	}
	return err;
}

static struct target
config_target(struct loader *loader)
{
	return (struct target){.keys = config_keys, .count = CONFIG_KEY_COUNT, .base = loader->config,
		.prefix = ""};
}

static int
walk_root(struct loader *loader, struct yaml_doc *doc, struct fy_node *root)
{
	struct target target = config_target(loader);

	if (!root) {
		return 0;
	}
	if (!fy_node_is_mapping(root)) {
		return yaml_doc_complain(doc, root, "want a mapping of configuration keys");
	}
	return walk(loader, doc, root, &target, "");
}

/* Registers a file's name for origins. */
static int
begin_file(struct loader *loader, const char *path)
{
	struct config *config = loader->config;

	if (config->file_count == CONFIG_FILES_MAX) {
		return report(loader, -EINVAL, "%s: more than %d configuration files\n", path,
			CONFIG_FILES_MAX - 1);
	}
	snprintf(config->files[config->file_count], sizeof(config->files[0]), "%s", path);
	loader->file = (uint8_t)config->file_count++;
	return 0;
}

/* Reads a whole file as text; the caller frees. */
static int
read_text(struct loader *loader, const char *path, char **ret_text)
{
	struct stat st;
	size_t len = 0;
	ssize_t got = 1;
	char *text;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0 || fstat(fd, &st) != 0) {
		err = -errno;
		if (fd >= 0) {
			close(fd);
		}
		return report(loader, err, "%s: %s\n", path, strerror(-err));
	}
	if (!S_ISREG(st.st_mode) || st.st_size > CONFIG_TEXT_BYTES_MAX) {
		close(fd);
		return report(loader, -EINVAL, "%s: not a file of at most %d bytes\n", path,
			CONFIG_TEXT_BYTES_MAX);
	}
	text = calloc(1, (size_t)st.st_size + 1);
	while (text && got > 0 && len < (size_t)st.st_size) {
		got = read(fd, text + len, (size_t)st.st_size - len);
		len += got > 0 ? (size_t)got : 0;
	}
	if (!text || got < 0) {
		err = text ? -errno : -ENOMEM;
	}
	close(fd);
	if (err == 0 && strlen(text) != len) {
		err = -EINVAL;
	}
	if (err) {
		free(text);
		return report(loader, err, "%s: %s\n", path, err == -EINVAL ? "a NUL byte" : strerror(-err));
	}
	*ret_text = text;
	return 0;
}

static int
load_profile(struct loader *loader, const char *name);

/* `inherits` first, depth-first; then the profile's own keys; then its `config:` section. */
static int
apply_profile(struct loader *loader, struct yaml_doc *doc, struct fy_node *root)
{
	struct fy_node *inherits = fy_node_mapping_lookup_by_string(root, "inherits", FY_NT);
	struct fy_node *config = fy_node_mapping_lookup_by_string(root, "config", FY_NT);
	uint8_t file = loader->file;
	struct fy_node *item;
	void *at = NULL;
	char name[64];
	int err = 0;

	while (inherits && fy_node_is_sequence(inherits) && err == 0 &&
		(item = fy_node_sequence_iterate(inherits, &at)) != NULL) {
		err = yaml_doc_scalar(doc, item, name, sizeof(name));
		err = err ? err : load_profile(loader, name);
	}
	loader->file = file;
	loader->in_profile = true;
	err = err ? err : walk_root(loader, doc, root);
	loader->in_profile = false;
	if (err == 0 && config) {
		err = walk_root(loader, doc, config);
	}
	return err;
}

static int
parse_profile(struct loader *loader, const char *path)
{
	struct yaml_doc doc;
	struct fy_node *root;
	char *text = NULL;
	int err = begin_file(loader, path);

	err = err ? err : read_text(loader, path, &text);
	if (err) {
		return err;
	}
	err = yaml_doc_open(&doc, path, text, loader->report, loader->report_bytes);
	if (err == 0) {
		root = yaml_doc_root(&doc);
		if (!root || !fy_node_is_mapping(root)) {
			err = yaml_doc_complain(&doc, root, "want a profile: schema, name, summary ...");
		} else {
			err = apply_profile(loader, &doc, root);
		}
		yaml_doc_close(&doc);
	}
	free(text);
	return err;
}

/* -ENOENT with every place that was tried. */
static int
load_profile(struct loader *loader, const char *name)
{
	const struct config_source *source = loader->source;
	const char *const *dirs = source->profile_dirs ? source->profile_dirs : default_profile_dirs;
	size_t count = source->profile_dirs ? source->profile_dir_count :
					      ARRAY_COUNT(default_profile_dirs);
	char path[512];

	if (strchr(name, '/') || name[0] == '.' || name[0] == '\0') {
		return report(loader, -EINVAL, "profile \"%s\": not a profile name\n", name);
	}
	for (uint32_t i = 0; i < loader->seen_count; i++) {
		if (strcmp(loader->seen[i], name) == 0) {
			return report(loader, -EINVAL, "profile \"%s\": inherited twice, or in a circle\n", name);
		}
	}
	if (loader->seen_count == CONFIG_PROFILE_NAMES || strlen(name) >= sizeof(loader->seen[0])) {
		return report(loader, -EINVAL, "profile \"%s\": too many profiles, or too long a name\n", name);
	}
	strcpy(loader->seen[loader->seen_count++], name);
	for (size_t i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s.yaml", dirs[i], name);
		if (access(path, F_OK) == 0) {
			return parse_profile(loader, path);
		}
	}
	snprintf(path, sizeof(path), "%s", count ? dirs[0] : "(nowhere)");
	for (size_t i = 1; i < count; i++) {
		size_t len = strlen(path);

		snprintf(path + len, sizeof(path) - len, ", %s", dirs[i]);
	}
	return report(loader, -ENOENT, "profile \"%s\": no %s.yaml in %s\n", name, name, path);
}

static int
apply_file(struct loader *loader)
{
	const struct config_source *source = loader->source;
	struct yaml_doc doc;
	char *text = NULL;
	int err;

	if (!source->path) {
		return 0;
	}
	loader->layer = CONFIG_LAYER_FILE;
	if (!source->text) {
		if (source->path_optional && access(source->path, F_OK) != 0) {
			return 0;
		}
		err = read_text(loader, source->path, &text);
		if (err) {
			return err;
		}
	}
	err = begin_file(loader, source->path);
	if (err == 0) {
		err = yaml_doc_open(&doc, source->path, source->text ? source->text : text,
			loader->report, loader->report_bytes);
	}
	if (err == 0) {
		err = walk_root(loader, &doc, yaml_doc_root(&doc));
		yaml_doc_close(&doc);
	}
	free(text);
	return err;
}

static int
override_unknown(struct loader *loader, const char *name)
{
	struct value_nearest nearest;

	value_nearest_init(&nearest, name);
	for (uint32_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		value_nearest_offer(&nearest, config_keys[i].name);
	}
	return report(loader, -EINVAL, "--set %s: unknown key%s%s\n", name,
		nearest.count ? "; nearest: " : "", nearest.count ? nearest.names[0] : "");
}

/* `ports` and lists are YAML (flow style); everything else is the bare text. */
static int
override_yaml(struct loader *loader, const char *name, const char *value)
{
	char title[80];
	struct yaml_doc doc;
	size_t bytes = strlen(name) + strlen(value) + 4;
	char *text = malloc(bytes);
	int err;

	if (!text) {
		return -ENOMEM;
	}
	snprintf(text, bytes, "%s: %s", name, value);
	snprintf(title, sizeof(title), "--set %.60s", name);
	err = yaml_doc_open(&doc, title, text, loader->report, loader->report_bytes);
	if (err == 0) {
		err = walk_root(loader, &doc, yaml_doc_root(&doc));
		yaml_doc_close(&doc);
	}
	free(text);
	return err;
}

static int
apply_override(struct loader *loader, const char *text)
{
	const char *equals = strchr(text, '=');
	struct target target = config_target(loader);
	const struct config_key *key;
	char name[CONFIG_PATH_MAX];
	char why[256];

	if (!equals || equals == text || (size_t)(equals - text) >= sizeof(name)) {
		return report(loader, -EINVAL, "--set %.64s: want key=value\n", text);
	}
	memcpy(name, text, (size_t)(equals - text));
	name[equals - text] = '\0';
	if (strcmp(name, "ports") == 0) {
		return override_yaml(loader, name, equals + 1);
	}
	key = find_key(config_keys, CONFIG_KEY_COUNT, name);
	if (!key) {
		return override_unknown(loader, name);
	}
	if (key->list_max && equals[1] == '[') {
		return override_yaml(loader, name, equals + 1);
	}
	set_origin(loader, &target, key, 0);
	config_key_clear(key, loader->config);
	if (config_key_parse(key, loader->config, equals + 1, why, sizeof(why)) != 0) {
		return report(loader, -EINVAL, "--set %s: \"%.64s\": %s\n", name, equals + 1, why);
	}
	return 0;
}

static int
apply_overrides(struct loader *loader)
{
	int err = 0;

	loader->layer = CONFIG_LAYER_SET;
	loader->file = 0;
	for (uint32_t i = 0; i < loader->source->override_count && err == 0; i++) {
		err = apply_override(loader, loader->source->overrides[i]);
	}
	return err;
}

static void
apply_defaults(struct config *config, bool dev)
{
	memset(config, 0, sizeof(*config));
	config->file_count = 1;
	for (uint32_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		config_key_default(&config_keys[i], config, dev);
	}
	for (uint32_t i = 0; i < CONFIG_PORT_KEY_COUNT; i++) {
		config_key_default(&config_port_keys[i], &config->ports[0], dev);
	}
	config->port_count = 1;
	config->mode = dev ? CONFIG_MODE_DEV : CONFIG_MODE_PRODUCTION;
}

/* One pass over all layers; profile NULL: without one. */
static int
apply_layers(struct loader *loader, bool dev, const char *profile)
{
	struct config *config = loader->config;
	bool found = profile != NULL;
	bool automatic = profile && strcmp(profile, "auto") == 0;
	int err = 0;

	loader->seen_count = 0;
	loader->file = 0;
	apply_defaults(config, dev);
	if (automatic) {
		profile = dev ? "laptop" : "vm-generic";
	}
	if (profile && strcmp(profile, "none") != 0) {
		loader->layer = CONFIG_LAYER_PROFILE;
		err = load_profile(loader, profile);
		if (err == -ENOENT && automatic) {
			found = false;
			err = 0;
		}
	}
	err = err ? err : apply_file(loader);
	err = err ? err : apply_overrides(loader);
	if (err == 0 && profile) {
		snprintf(config->profile, sizeof(config->profile), "%s", found ? profile : "none");
	}
	return err;
}

/* "file:line: " of a key's origin, for rules that concern several keys. */
static const char *
place_of(const struct loader *loader, const struct config_origin *origin, char *text, size_t room)
{
	if (origin->line) {
		snprintf(text, room, "%s:%u: ", loader->config->files[origin->file], origin->line);
	} else {
		snprintf(text, room, "%s",
			origin->layer == CONFIG_LAYER_SET ? "--set: " : "built-in default: ");
	}
	return text;
}

static bool
differs_from_default(const struct config_key *key, const void *base)
{
	char text[1024];

	config_key_format(key, base, text, sizeof(text));
	if (key->type == CONFIG_DURATION) {
		uint64_t ns = 1;

		return *(const uint64_t *)((const char *)base + key->offset) != 0 &&
		       value_parse_duration(key->default_text, &ns) == 0;
	}
	return strcmp(text, key->default_text) != 0;
}

static int
check_dev_only(struct loader *loader)
{
	struct config *config = loader->config;
	char place[320];

	for (uint32_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		if (config_keys[i].dev_only && differs_from_default(&config_keys[i], config)) {
			return report(loader, -EINVAL, "%s%s: only with mode: dev (a fault for tests)\n",
				place_of(loader, &config->origins[i], place, sizeof(place)),
				config_keys[i].name);
		}
	}
	for (uint32_t p = 0; p < config->port_count; p++) {
		for (uint32_t i = 0; i < CONFIG_PORT_KEY_COUNT; i++) {
			const struct config_key *key = &config_port_keys[i];

			if (key->dev_only && differs_from_default(key, &config->ports[p])) {
				return report(loader, -EINVAL,
					"%sports[%u].%s: only with mode: dev (a fault for tests)\n",
					place_of(loader, &config->ports_origin, place, sizeof(place)), p,
					key->name);
			}
		}
	}
	return 0;
}

static int
check_ports(struct loader *loader)
{
	const struct config *config = loader->config;
	char place[320];

	place_of(loader, &config->ports_origin, place, sizeof(place));
	if (config->port_count == 0) {
		return report(loader, -EINVAL, "%sports: want at least one port\n", place);
	}
	for (uint32_t i = 0; i < config->port_count; i++) {
		const struct config_port *port = &config->ports[i];

		if (port->driver != CONFIG_PORT_DRIVER_SOCKET && port->devargs[0] == '\0') {
			return report(loader, -EINVAL, "%sports[%u]: driver %s needs devargs\n", place, i,
				config_port_keys[0].values[port->driver]);
		}
		if (port->driver != CONFIG_PORT_DRIVER_SOCKET && config->native_port == 0) {
			return report(loader, -EINVAL, "%snative.port: 0 (any free port) works with kernel"
				" sockets only; ports[%u] is %s\n",
				place_of(loader, &config->origins[CONFIG_KEY_NATIVE_PORT], place,
					sizeof(place)), i, config_port_keys[0].values[port->driver]);
		}
	}
	return 0;
}

/* Rules between keys. */
static int
check_relations(struct loader *loader)
{
	const struct config *config = loader->config;
	char place[320];
	int err = config->mode == CONFIG_MODE_DEV ? 0 : check_dev_only(loader);

	err = err ? err : check_ports(loader);
	if (err) {
		return err;
	}
	if (config->data_dirs_count != 1) {
		return report(loader, -EINVAL, "%sdata.dirs: want exactly one directory\n",
			place_of(loader, &config->origins[CONFIG_KEY_DATA_DIRS], place, sizeof(place)));
	}
	if (config->log_buffer_bytes < 4 * config->log_group_max_bytes) {
		return report(loader, -EINVAL, "%slog.buffer.bytes: must be at least four times"
			" log.group.max.bytes\n",
			place_of(loader, &config->origins[CONFIG_KEY_LOG_BUFFER_BYTES], place,
				sizeof(place)));
	}
	return 0;
}

int
config_load(const struct config_source *source, struct config *ret_config, char *ret_text,
	size_t text_bytes)
{
	struct loader loader = {.source = source, .report = ret_text, .report_bytes = text_bytes};
	struct config *config = calloc(1, sizeof(*config));
	char profile[64];
	bool dev = source->dev;
	int err;

	ret_text[0] = '\0';
	if (!config) {
		return report(&loader, -ENOMEM, "no memory for the configuration\n");
	}
	loader.config = config;
	err = apply_layers(&loader, dev, NULL);
	if (err == 0) {
		dev = config->mode == CONFIG_MODE_DEV;
		snprintf(profile, sizeof(profile), "%s", config->profile);
		err = apply_layers(&loader, dev, profile);
	}
	err = err ? err : check_relations(&loader);
	if (err == 0) {
		*ret_config = *config;
		ret_text[0] = '\0';
	}
	free(config);
	return err;
}
