/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From YAML nodes to the configuration (config_loader.h): a document is walked with the dotted path of
 * every node, so that `log: {flush: {scope: x}}` and `log.flush.scope: x` are the same.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "ctrl/daemon/config_loader.h"
#include "ctrl/schema/value.h"

#define SECTIONS_MAX 64

const struct config_key *
config_walk_find(const struct config_key *keys, uint32_t count, const char *name)
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

/* A table to look names up in, with what it fills; in a profile, its own words besides. */
struct target {
	const struct config_key *keys;
	uint32_t count;
	void *base;
	const char *prefix; /* "" or "ports." */
	const struct target *more;
};

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
		if (!known && *section_count + 1 < SECTIONS_MAX) {
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
	char sections[SECTIONS_MAX][CONFIG_PATH_MAX];
	uint32_t section_count = 0;
	struct value_nearest nearest;

	value_nearest_init(&nearest, path);
	if (target->prefix[0] == '\0') {
		value_nearest_offer(&nearest, "ports");
	}
	for (const struct target *t = target; t; t = t->more) {
		for (uint32_t i = 0; i < t->count; i++) {
			value_nearest_offer(&nearest, t->keys[i].name);
			offer_sections(&nearest, t->keys[i].name, sections, &section_count);
		}
	}
	return yaml_doc_complain(doc, node, "unknown key \"%s%s\"%s%s%s", target->prefix, path,
		nearest.count ? "; nearest: " : "", nearest.count ? target->prefix : "",
		nearest.count ? nearest.names[0] : "");
}

static void
set_origin(struct config_loader *loader, const struct target *target, const struct config_key *key,
	uint32_t line)
{
	struct config_origin origin = {.layer = (uint8_t)loader->layer, .file = loader->file,
		.line = line};

	if (target->keys == config_keys) {
		loader->config->origins[key - config_keys] = origin;
	}
}

static int
assign_scalar(struct yaml_doc *doc, struct fy_node *node, const struct target *target,
	const struct config_key *key)
{
	char text[YAML_SCALAR_BYTES_MAX];
	char why[256];
	int err = yaml_doc_scalar(doc, node, text, sizeof(text));

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
assign(struct config_loader *loader, struct yaml_doc *doc, struct fy_node *key_node,
	struct fy_node *value, const struct target *target, const struct config_key *key)
{
	struct fy_node *item;
	void *at = NULL;
	int err = 0;

	set_origin(loader, target, key, yaml_doc_line(key_node));
	config_key_clear(key, target->base);
	if (value && key->list_max && fy_node_is_sequence(value)) {
		while (err == 0 && (item = fy_node_sequence_iterate(value, &at)) != NULL) {
			err = assign_scalar(doc, item, target, key);
		}
		return err;
	}
	if (!value || !fy_node_is_scalar(value)) {
		char want[160];

		config_key_want(key, want, sizeof(want));
		return yaml_doc_complain(doc, key_node, "%s%s: want %s", target->prefix, key->name, want);
	}
	return assign_scalar(doc, value, target, key);
}

static int
walk(struct config_loader *loader, struct yaml_doc *doc, struct fy_node *mapping,
	const struct target *target, const char *path);

/* A list of mappings: target says what an item may hold; *ret_count items of item_bytes are filled. */
static int
walk_items(struct config_loader *loader, struct yaml_doc *doc, struct fy_node *list,
	struct target *target, size_t item_bytes, uint32_t *ret_count)
{
	struct fy_node *item;
	void *at = NULL;
	int err = 0;

	for (*ret_count = 0; err == 0 && (item = fy_node_sequence_iterate(list, &at)) != NULL;) {
		if (*ret_count == CONFIG_PORTS_MAX) {
			return yaml_doc_complain(doc, item, "%.*s: more than %d",
				(int)strlen(target->prefix) - 1, target->prefix, CONFIG_PORTS_MAX);
		}
		if (!fy_node_is_mapping(item)) {
			return yaml_doc_complain(doc, item, "%.*s: an item must be a mapping like {%s: %s}",
				(int)strlen(target->prefix) - 1, target->prefix, target->keys[0].name,
				target->keys[0].values ? target->keys[0].values[0] : "/DIR");
		}
		for (uint32_t i = 0; i < target->count; i++) {
			config_key_default(&target->keys[i], target->base, false);
		}
		err = walk(loader, doc, item, target, "");
		target->base = (char *)target->base + item_bytes;
		(*ret_count)++;
	}
	return err;
}

static int
walk_ports(struct config_loader *loader, struct yaml_doc *doc, struct fy_node *key_node,
	struct fy_node *list)
{
	struct config *config = loader->config;
	struct target target = {.keys = config_port_keys, .count = CONFIG_PORT_KEY_COUNT,
		.base = config->ports, .prefix = "ports."};

	if (!list || !fy_node_is_sequence(list)) {
		return yaml_doc_complain(doc, key_node, "ports: want a list of ports");
	}
	config->ports_origin = (struct config_origin){.layer = (uint8_t)loader->layer,
		.file = loader->file, .line = yaml_doc_line(key_node)};
	return walk_items(loader, doc, list, &target, sizeof(config->ports[0]), &config->port_count);
}

/* What may stand at the top of a profile besides its own words, and what not even beneath `config:`. */
static int
check_profile_key(const struct config_loader *loader, struct yaml_doc *doc, struct fy_node *key_node,
	const struct config_key *key)
{
	if (loader->layer != CONFIG_LAYER_PROFILE) {
		return 0;
	}
	if (strcmp(key->name, "mode") == 0 || strcmp(key->name, "profile") == 0) {
		return yaml_doc_complain(doc, key_node, "%s: a profile does not choose it", key->name);
	}
	if (loader->in_profile && strncmp(key->name, "lcores.", 7) != 0 &&
		strncmp(key->name, "memory.", 7) != 0) {
		return yaml_doc_complain(doc, key_node, "%s: belongs beneath config:", key->name);
	}
	return 0;
}

/* A pair whose full name is in no table: a list, a section, or nothing that exists. */
static int
walk_nested(struct config_loader *loader, struct yaml_doc *doc, struct fy_node_pair *pair,
	const struct target *target, const char *full)
{
	struct fy_node *key_node = fy_node_pair_key(pair);
	struct fy_node *value = fy_node_pair_value(pair);
	bool root = target->base == loader->config;

	if (root && strcmp(full, "ports") == 0) {
		return walk_ports(loader, doc, key_node, value);
	}
	if (root && loader->in_profile && strcmp(full, "config") == 0 && value && fy_node_is_mapping(value)) {
		return 0; /* config_profile.c walks it, after the rest */
	}
	if (!is_section(target->keys, target->count, full) &&
		(!target->more || !is_section(target->more->keys, target->more->count, full))) {
		return complain_unknown(doc, key_node, target, full);
	}
	if (!value || !fy_node_is_mapping(value)) {
		return yaml_doc_complain(doc, key_node, "%s%s: want a mapping of its keys", target->prefix, full);
	}
	return walk(loader, doc, value, target, full);
}

static int
walk_pair(struct config_loader *loader, struct yaml_doc *doc, struct fy_node_pair *pair,
	const struct target *target, const char *path)
{
	struct fy_node *key_node = fy_node_pair_key(pair);
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
	if (strncmp(word, "x-", 2) == 0) {
		return 0;
	}
	key = config_walk_find(target->keys, target->count, full);
	if (key) {
		err = target->keys == config_keys ? check_profile_key(loader, doc, key_node, key) : 0;
		return err ? err : assign(loader, doc, key_node, fy_node_pair_value(pair), target, key);
	}
	key = target->more ? config_walk_find(target->more->keys, target->more->count, full) : NULL;
	if (key) {
		return assign(loader, doc, key_node, fy_node_pair_value(pair), target->more, key);
	}
	return walk_nested(loader, doc, pair, target, full);
}

static int
walk(struct config_loader *loader, struct yaml_doc *doc, struct fy_node *mapping,
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

int
config_walk_root(struct config_loader *loader, struct yaml_doc *doc, struct fy_node *root)
{
	struct target words = {.keys = profile_keys, .count = PROFILE_KEY_COUNT,
		.base = &loader->words, .prefix = ""};
	struct target target = {.keys = config_keys, .count = CONFIG_KEY_COUNT, .base = loader->config,
		.prefix = "", .more = loader->in_profile ? &words : NULL};

	if (!root) {
		return 0;
	}
	if (!fy_node_is_mapping(root)) {
		return yaml_doc_complain(doc, root, "want a mapping of configuration keys");
	}
	return walk(loader, doc, root, &target, "");
}
