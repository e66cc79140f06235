/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that concern more than one key (config_loader.h), each told with the place of the value. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "ctrl/daemon/config_loader.h"
#include "ctrl/schema/value.h"

const char *
config_check_place(const struct config_loader *loader, const struct config_origin *origin, char *text,
	size_t room)
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
check_dev_only(struct config_loader *loader)
{
	struct config *config = loader->config;
	char place[320];

	for (uint32_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		if (config_keys[i].dev_only && differs_from_default(&config_keys[i], config)) {
			return config_report(loader, -EINVAL, "%s%s: only with mode: dev (a fault for tests)\n",
				config_check_place(loader, &config->origins[i], place, sizeof(place)),
				config_keys[i].name);
		}
	}
	for (uint32_t p = 0; p < config->port_count; p++) {
		for (uint32_t i = 0; i < CONFIG_PORT_KEY_COUNT; i++) {
			const struct config_key *key = &config_port_keys[i];

			if (key->dev_only && differs_from_default(key, &config->ports[p])) {
				return config_report(loader, -EINVAL,
					"%sports[%u].%s: only with mode: dev (a fault for tests)\n",
					config_check_place(loader, &config->ports_origin, place, sizeof(place)), p,
					key->name);
			}
		}
	}
	return 0;
}

static int
check_ports(struct config_loader *loader)
{
	const struct config *config = loader->config;
	char place[320];

	config_check_place(loader, &config->ports_origin, place, sizeof(place));
	if (config->port_count == 0) {
		return config_report(loader, -EINVAL, "%sports: want at least one port\n", place);
	}
	for (uint32_t i = 0; i < config->port_count; i++) {
		const struct config_port *port = &config->ports[i];

		if (port->driver != CONFIG_PORT_DRIVER_SOCKET && port->devargs[0] == '\0') {
			return config_report(loader, -EINVAL, "%sports[%u]: driver %s needs devargs\n", place, i,
				config_port_keys[0].values[port->driver]);
		}
		if (port->driver != CONFIG_PORT_DRIVER_SOCKET && config->native_port == 0) {
			return config_report(loader, -EINVAL, "%snative.port: 0 (any free port) works with kernel"
				" sockets only; ports[%u] is %s: set native.port: 9292\n",
				config_check_place(loader, &config->origins[CONFIG_KEY_NATIVE_PORT], place,
					sizeof(place)), i, config_port_keys[0].values[port->driver]);
		}
	}
	return 0;
}

/* Rules between keys. */
int
config_check_relations(struct config_loader *loader)
{
	const struct config *config = loader->config;
	char place[320];
	int err = config->mode == CONFIG_MODE_DEV ? 0 : check_dev_only(loader);

	err = err ? err : check_ports(loader);
	if (err) {
		return err;
	}
	if (config->data_dirs_count != 1) {
		return config_report(loader, -EINVAL, "%sdata.dirs: want exactly one directory\n",
			config_check_place(loader, &config->origins[CONFIG_KEY_DATA_DIRS], place, sizeof(place)));
	}
	if (config->log_buffer_bytes < 4 * config->log_group_max_bytes) {
		return config_report(loader, -EINVAL, "%slog.buffer.bytes: must be at least four times"
			" log.group.max.bytes\n",
			config_check_place(loader, &config->origins[CONFIG_KEY_LOG_BUFFER_BYTES], place,
				sizeof(place)));
	}
	if (config->batcher_pin_bytes > config->log_cache_bytes / 2) {
		return config_report(loader, -EINVAL, "%sbatcher.pin.bytes: is %" PRIu64 ", and log.cache.bytes %" PRIu64
			": must be at most half of it, because what windows hold cannot take new records; auto is a"
			" quarter\n", config_check_place(loader, &config->origins[CONFIG_KEY_BATCHER_PIN_BYTES], place,
				sizeof(place)), config->batcher_pin_bytes, config->log_cache_bytes);
	}
	if (config->native_validate == CONFIG_NATIVE_VALIDATE_DEEP) {
		return config_report(loader, -EINVAL, "%snative.validate: deep unpacks compressed batches, and"
			" this version has no decompressors; \"records\" looks into the others\n",
			config_check_place(loader, &config->origins[CONFIG_KEY_NATIVE_VALIDATE], place,
				sizeof(place)));
	}
	return 0;
}
