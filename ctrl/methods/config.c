/* SPDX-License-Identifier: Apache-2.0 */
/* config.get */
#include <string.h>
#include "ctrl/methods/body.h"
#include "ctrl/schema/value.h"

static json_t *
key_row(const struct config *config, const struct config_key *key,
	const struct config_origin *origin)
{
	char value[2048];

	config_key_format(key, config, value, sizeof(value));
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:s,s:s,s:s}", "key", key->name, "value", value,
		"type", config_type_name(key->type), "unit", key->unit, "layer",
		config_layer_name(origin->layer), "file", config->files[origin->file], "line",
		(int)origin->line, "default", key->default_text, "reload", key->reload, "doc", key->doc);
}

/* The list `ports` as one value: an array of objects. */
static json_t *
ports_row(const struct config *config)
{
	json_t *ports = json_array();
	char value[2048];

	for (uint32_t p = 0; p < config->port_count; p++) {
		json_t *port = json_object();

		for (uint32_t i = 0; i < CONFIG_PORT_KEY_COUNT; i++) {
			config_key_format(&config_port_keys[i], &config->ports[p], value, sizeof(value));
			json_object_set_new(port, config_port_keys[i].name, json_string(value));
		}
		json_array_append_new(ports, port);
	}
	return json_pack("{s:s,s:o,s:s,s:s,s:s,s:s,s:i,s:s,s:s,s:s}", "key", "ports", "value", ports,
		"type", "list of ports", "unit", "", "layer", config_layer_name(config->ports_origin.layer),
		"file", config->files[config->ports_origin.file], "line", (int)config->ports_origin.line,
		"default", "[{driver: socket}]", "reload", "restart", "doc", "Where packets come from.");
}

static bool
is_asked(const struct config_get_params *params, const char *name)
{
	size_t index;
	json_t *key;

	if (params->prefix && strncmp(name, params->prefix, strlen(params->prefix)) != 0) {
		return false;
	}
	if (!params->keys) {
		return true;
	}
	json_array_foreach(params->keys, index, key) {
		if (strcmp(json_string_value(key), name) == 0) {
			return true;
		}
	}
	return false;
}

/* The first asked key that does not exist; NULL: all do. */
static const char *
unknown_key(const json_t *keys, struct value_nearest *nearest)
{
	size_t index;
	json_t *key;

	json_array_foreach(keys, index, key) {
		const char *name = json_string_value(key);
		bool known = strcmp(name, "ports") == 0;

		value_nearest_init(nearest, name);
		value_nearest_offer(nearest, "ports");
		for (uint32_t i = 0; i < CONFIG_KEY_COUNT; i++) {
			known = known || strcmp(config_keys[i].name, name) == 0;
			value_nearest_offer(nearest, config_keys[i].name);
		}
		if (!known) {
			return name;
		}
	}
	return NULL;
}

METHOD_BODY(config_get)
{
	const struct config *config = body_engine(call)->config;
	struct value_nearest nearest;
	const char *unknown = unknown_key(params->keys, &nearest);
	json_t *keys;

	if (unknown) {
		rpc_call_error(call, ERROR_NOT_FOUND,
			json_pack("{s:s,s:[s*],s:[s]}", "what", "configuration key", "nearest",
				nearest.count ? nearest.names[0] : NULL, "fix", "penstock config get"),
			"no configuration key \"%.128s\"%s%s", unknown, nearest.count ? "; nearest: " : "",
			nearest.count ? nearest.names[0] : "");
		return;
	}
	keys = json_array();
	for (uint32_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		if (is_asked(params, config_keys[i].name)) {
			json_array_append_new(keys, key_row(config, &config_keys[i], &config->origins[i]));
		}
	}
	if (is_asked(params, "ports")) {
		json_array_append_new(keys, ports_row(config));
	}
	rpc_call_result(call, json_pack("{s:o}", "keys", keys));
}
