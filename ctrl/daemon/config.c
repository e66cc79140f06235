/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration loading (config.h): the layers in their order. The key tables say what exists;
 * config_walk.c finds the values. Everything is applied twice: the first pass tells mode and profile,
 * which decide the defaults beneath the second.
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
#include "ctrl/daemon/config_loader.h"
#include "ctrl/schema/value.h"

int
config_report(struct config_loader *loader, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(loader->report, loader->report_bytes, format, args);
	va_end(args);
	return err;
}

int
config_begin_file(struct config_loader *loader, const char *path)
{
	struct config *config = loader->config;

	if (config->file_count == CONFIG_FILES_MAX) {
		return config_report(loader, -EINVAL, "%s: more than %d configuration files\n", path,
			CONFIG_FILES_MAX - 1);
	}
	snprintf(config->files[config->file_count], sizeof(config->files[0]), "%s", path);
	loader->file = (uint8_t)config->file_count++;
	return 0;
}

int
config_read_text(struct config_loader *loader, const char *path, char **ret_text)
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
		return config_report(loader, err, "%s: %s\n", path, strerror(-err));
	}
	if (!S_ISREG(st.st_mode) || st.st_size > CONFIG_TEXT_BYTES_MAX) {
		close(fd);
		return config_report(loader, -EINVAL, "%s: not a file of at most %d bytes\n", path,
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
		return config_report(loader, err, "%s: %s\n", path, err == -EINVAL ? "a NUL byte" : strerror(-err));
	}
	*ret_text = text;
	return 0;
}

static int
apply_file(struct config_loader *loader)
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
		err = config_read_text(loader, source->path, &text);
		if (err) {
			return err;
		}
	}
	err = config_begin_file(loader, source->path);
	if (err == 0) {
		err = yaml_doc_open(&doc, source->path, source->text ? source->text : text,
			loader->report, loader->report_bytes);
	}
	if (err == 0) {
		err = config_walk_root(loader, &doc, yaml_doc_root(&doc));
		yaml_doc_close(&doc);
	}
	free(text);
	return err;
}

static int
override_unknown(struct config_loader *loader, const char *name)
{
	struct value_nearest nearest;

	value_nearest_init(&nearest, name);
	for (uint32_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		value_nearest_offer(&nearest, config_keys[i].name);
	}
	return config_report(loader, -EINVAL, "--set %s: unknown key%s%s\n", name,
		nearest.count ? "; nearest: " : "", nearest.count ? nearest.names[0] : "");
}

/* `ports` and lists are YAML (flow style); everything else is the bare text. */
static int
override_yaml(struct config_loader *loader, const char *name, const char *value)
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
		err = config_walk_root(loader, &doc, yaml_doc_root(&doc));
		yaml_doc_close(&doc);
	}
	free(text);
	return err;
}

/* A scalar, or "[one, two]" for a list. */
static int
override_value(struct config_loader *loader, const char *name, const struct config_key *key, void *base,
	const char *value)
{
	bool listed = key->list_max > 0 && value[0] == '[' && value[strlen(value) - 1] == ']';
	char text[YAML_SCALAR_BYTES_MAX], why[256];
	const char *at = listed ? value + 1 : value;
	bool more = !listed || *at != ']';
	int err = 0;

	config_key_clear(key, base);
	while (more && err == 0) {
		at += listed ? strspn(at, " ") : 0;
		size_t len = listed ? strcspn(at, ",]") : strlen(at);

		snprintf(text, sizeof(text), "%.*s", (int)(len < sizeof(text) ? len : sizeof(text)), at);
		if (len >= sizeof(text) || config_key_parse(key, base, text, why, sizeof(why)) != 0) {
			err = config_report(loader, -EINVAL, "--set %s: \"%.64s\": %s\n", name, text,
				len >= sizeof(text) ? "too long" : why);
		}
		more = at[len] == ',';
		at += len + more;
	}
	return err;
}

/* "ports[0].fault.loss": one key of a port that is there. */
static int
override_port(struct config_loader *loader, const char *name, const char *value)
{
	struct config *config = loader->config;
	const struct config_key *key;
	struct value_nearest nearest;
	unsigned index;
	int used = 0;

	if (sscanf(name, "ports[%2u].%n", &index, &used) != 1 || used == 0) {
		return config_report(loader, -EINVAL, "--set %s: want ports[NUMBER].KEY\n", name);
	}
	if (index >= config->port_count) {
		return config_report(loader, -EINVAL, "--set %s: there are %u ports, the first is ports[0]\n",
			name, config->port_count);
	}
	key = config_walk_find(config_port_keys, CONFIG_PORT_KEY_COUNT, name + used);
	if (!key) {
		value_nearest_init(&nearest, name + used);
		for (uint32_t i = 0; i < CONFIG_PORT_KEY_COUNT; i++) {
			value_nearest_offer(&nearest, config_port_keys[i].name);
		}
		return config_report(loader, -EINVAL, "--set %s: unknown key%s%s\n", name,
			nearest.count ? "; nearest: " : "", nearest.count ? nearest.names[0] : "");
	}
	config->ports_origin = (struct config_origin){.layer = CONFIG_LAYER_SET};
	return override_value(loader, name, key, &config->ports[index], value);
}

static int
apply_override(struct config_loader *loader, const char *text)
{
	const char *equals = strchr(text, '=');
	const struct config_key *key;
	char name[CONFIG_PATH_MAX];
	char why[256];

	if (!equals || equals == text || (size_t)(equals - text) >= sizeof(name)) {
		return config_report(loader, -EINVAL, "--set %.64s: want key=value\n", text);
	}
	memcpy(name, text, (size_t)(equals - text));
	name[equals - text] = '\0';
	if (strcmp(name, "ports") == 0) {
		return override_yaml(loader, name, equals + 1);
	}
	if (strncmp(name, "ports[", 6) == 0) {
		return override_port(loader, name, equals + 1);
	}
	key = config_walk_find(config_keys, CONFIG_KEY_COUNT, name);
	if (!key) {
		return override_unknown(loader, name);
	}
	if (key->list_max && equals[1] == '[') {
		return override_yaml(loader, name, equals + 1);
	}
	loader->config->origins[key - config_keys] = (struct config_origin){.layer = CONFIG_LAYER_SET};
	config_key_clear(key, loader->config);
	if (config_key_parse(key, loader->config, equals + 1, why, sizeof(why)) != 0) {
		return config_report(loader, -EINVAL, "--set %s: \"%.64s\": %s\n", name, equals + 1, why);
	}
	return 0;
}

static int
apply_overrides(struct config_loader *loader)
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
apply_layers(struct config_loader *loader, bool dev, const char *profile)
{
	struct config *config = loader->config;
	int err = 0;

	loader->profile_count = 0;
	loader->file = 0;
	apply_defaults(config, dev);
	if (profile && strcmp(profile, "none") != 0) {
		loader->layer = CONFIG_LAYER_PROFILE;
		err = config_profile_load(loader, profile);
	}
	err = err ? err : apply_file(loader);
	if (loader->source->dev) {
		config->mode = CONFIG_MODE_DEV;
		config->origins[CONFIG_KEY_MODE] = (struct config_origin){.layer = CONFIG_LAYER_SET};
	}
	err = err ? err : apply_overrides(loader);
	if (err == 0 && profile) {
		snprintf(config->profile, sizeof(config->profile), "%s", profile);
	}
	return err;
}

/* The second pass, over the profile that the first one named; an unknown one is told with its place. */
static int
apply_with_profile(struct config_loader *loader)
{
	const struct config *config = loader->config;
	bool dev = config->mode == CONFIG_MODE_DEV;
	char name[CONFIG_PROFILE_NAME_MAX + 1];
	char why[CONFIG_REASON_BYTES];
	bool fallback = false;
	char place[320];
	char *said;
	int err = 0;

	snprintf(name, sizeof(name), "%s", config->profile);
	config_check_place(loader, &config->origins[CONFIG_KEY_PROFILE], place, sizeof(place));
	snprintf(why, sizeof(why), "named by %.*s", (int)strlen(place) - 2, place);
	if (strcmp(name, "auto") == 0 && dev) {
		snprintf(name, sizeof(name), "laptop");
		snprintf(why, sizeof(why), "auto: dev mode");
	} else if (strcmp(name, "auto") == 0) {
		err = config_auto_profile(loader, name, sizeof(name), why, sizeof(why), &fallback);
	}
	err = err ? err : apply_layers(loader, dev, name);
	if (err == -ENOENT && loader->layer == CONFIG_LAYER_PROFILE) {
		said = strdup(loader->report);
		config_report(loader, err, "%sprofile: %s", place, said ? said : "not found\n");
		free(said);
	}
	snprintf(loader->config->profile_reason, sizeof(loader->config->profile_reason), "%s", why);
	loader->config->profile_fallback = fallback;
	return err;
}

int
config_load(const struct config_source *source, struct config *ret_config, char *ret_text,
	size_t text_bytes)
{
	struct config_loader loader = {.source = source, .report = ret_text, .report_bytes = text_bytes};
	struct config *config = calloc(1, sizeof(*config));
	int err;

	ret_text[0] = '\0';
	if (!config) {
		return config_report(&loader, -ENOMEM, "no memory for the configuration\n");
	}
	loader.config = config;
	err = apply_layers(&loader, source->dev, NULL);
	err = err ? err : apply_with_profile(&loader);
	err = err ? err : config_check_relations(&loader);
	if (err == 0) {
		*ret_config = *config;
		ret_text[0] = '\0';
	}
	free(config);
	return err;
}
