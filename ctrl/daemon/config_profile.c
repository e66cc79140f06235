/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hardware profiles (config_loader.h): the layer between built-in defaults and the configuration file.
 * A host's own directory comes first, then the installed one, then those that are built in, so that
 * a daemon without any file has them too.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/ensure.h"
#include "ctrl/daemon/config_loader.h"
#include "ctrl/schema/paths_gen.h"
#include "ctrl/schema/value.h"

static const char *const default_dirs[] = {CONFIG_PROFILE_DIRS};

static const char *const *
profile_dirs(const struct config_loader *loader, size_t *ret_count)
{
	const struct config_source *source = loader->source;

	*ret_count = source->profile_dirs ? source->profile_dir_count : ARRAY_COUNT(default_dirs);
	return source->profile_dirs ? source->profile_dirs : default_dirs;
}

static int
load_inherited(struct config_loader *loader, struct yaml_doc *doc, struct fy_node *item)
{
	char name[CONFIG_PROFILE_NAME_MAX + 1];
	char why[1024];
	int err = yaml_doc_scalar(doc, item, name, sizeof(name));

	err = err ? err : config_profile_load(loader, name);
	if (err == -ENOENT) {
		snprintf(why, sizeof(why), "%s", loader->report);
		why[strcspn(why, "\n")] = '\0';
		err = yaml_doc_complain(doc, item, "%s", why);
	}
	return err;
}

/* `inherits` first, depth-first; then the profile's own keys; then its `config:` section. */
static int
apply_profile(struct config_loader *loader, struct yaml_doc *doc, struct fy_node *root, const char *name)
{
	struct profile *words = &loader->words;
	struct fy_node *inherits = fy_node_mapping_lookup_by_string(root, "inherits", FY_NT);
	struct fy_node *config = fy_node_mapping_lookup_by_string(root, "config", FY_NT);
	uint8_t file = loader->file;
	struct fy_node *item;
	void *at = NULL;
	int err = 0;

	if (!fy_node_mapping_lookup_by_string(root, "schema", FY_NT)) {
		return yaml_doc_complain(doc, root, "want the line `schema: penstock.profile/1`");
	}
	if (inherits && fy_node_is_scalar(inherits)) {
		err = load_inherited(loader, doc, inherits);
	}
	while (inherits && fy_node_is_sequence(inherits) && err == 0 &&
		(item = fy_node_sequence_iterate(inherits, &at)) != NULL) {
		err = load_inherited(loader, doc, item);
	}
	loader->file = file;
	loader->in_profile = true;
	memset(&loader->words, 0, sizeof(loader->words));
	err = err ? err : config_walk_root(loader, doc, root);
	loader->in_profile = false;
	if (err == 0 && strcmp(words->name, name) != 0) {
		return yaml_doc_complain(doc, fy_node_mapping_lookup_by_string(root, "name", FY_NT),
			"want `name: %s`, as the file is called", name);
	}
	/* Those that it inherits came before it: the last one is the profile's own. */
	snprintf(loader->config->profile_summary, sizeof(loader->config->profile_summary), "%s", words->summary);
	return err || !config ? err : config_walk_root(loader, doc, config);
}

static int
parse_profile(struct config_loader *loader, const char *title, const char *text, const char *name)
{
	struct yaml_doc doc;
	struct fy_node *root;
	int err = config_begin_file(loader, title);

	err = err ? err : yaml_doc_open(&doc, title, text, loader->report, loader->report_bytes);
	if (err) {
		return err;
	}
	root = yaml_doc_root(&doc);
	if (!root || !fy_node_is_mapping(root)) {
		err = yaml_doc_complain(&doc, root, "want a profile: schema, name, summary ...");
	} else {
		err = apply_profile(loader, &doc, root, name);
	}
	yaml_doc_close(&doc);
	return err;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool
is_listed(char *const *names, uint32_t count, const char *name, size_t len)
{
	for (uint32_t i = 0; i < count; i++) {
		if (names[i] && strlen(names[i]) == len && strncmp(names[i], name, len) == 0) {
			return true;
		}
	}
	return false;
}

/* Adds the profiles of a directory by name, whatever order the file system has them in. */
static uint32_t
list_dir(const char *path, char **names, uint32_t count)
{
	uint32_t first = count;
	struct dirent *entry;
	DIR *dir = opendir(path);

	while (dir && count < CONFIG_PROFILES_LISTED_MAX && (entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name);

		if (len > 5 && strcmp(entry->d_name + len - 5, ".yaml") == 0 && entry->d_name[0] != '.' &&
			!is_listed(names, count, entry->d_name, len - 5)) {
			names[count] = strndup(entry->d_name, len - 5);
			count += names[count] != NULL;
		}
	}
	if (dir) {
		closedir(dir);
	}
	qsort(names + first, count - first, sizeof(names[0]), compare_names);
	return count;
}

uint32_t
config_profile_names(const struct config_loader *loader, char *names[CONFIG_PROFILES_LISTED_MAX])
{
	size_t dir_count;
	const char *const *dirs = profile_dirs(loader, &dir_count);
	uint32_t count = 0;

	for (size_t d = 0; d < dir_count; d++) {
		count = list_dir(dirs[d], names, count);
	}
	for (uint32_t i = 0; i < profile_builtin_count && count < CONFIG_PROFILES_LISTED_MAX; i++) {
		const char *name = profile_builtins[i].name;

		if (!is_listed(names, count, name, strlen(name))) {
			names[count] = strdup(name);
			count += names[count] != NULL;
		}
	}
	return count;
}

/* One line with the nearest name, then what there is and where it was looked for. */
static int
profile_unknown(struct config_loader *loader, const char *name)
{
	char *names[CONFIG_PROFILES_LISTED_MAX];
	uint32_t count = config_profile_names(loader, names);
	size_t dir_count;
	const char *const *dirs = profile_dirs(loader, &dir_count);
	struct value_nearest nearest;
	char have[512] = "";
	char looked[512] = "";
	size_t len = 0;

	value_nearest_init(&nearest, name);
	for (uint32_t i = 0; i < count; i++) {
		if (names[i]) {
			value_nearest_offer(&nearest, names[i]);
			len += len < sizeof(have) ? (size_t)snprintf(have + len, sizeof(have) - len, "%s, ", names[i]) : 0;
		}
	}
	len = 0;
	for (size_t i = 0; i < dir_count && len < sizeof(looked); i++) {
		len += (size_t)snprintf(looked + len, sizeof(looked) - len, ", %s", dirs[i]);
	}
	config_report(loader, 0, "no profile \"%s\"%s%s%s%s\n  have  %snone\n  looked in  built-in profiles%s\n", name,
		nearest.count ? "; nearest: " : "", nearest.count ? nearest.names[0] : "",
		nearest.count > 1 ? ", " : "", nearest.count > 1 ? nearest.names[1] : "", have, looked);
	for (uint32_t i = 0; i < count; i++) {
		free(names[i]);
	}
	return -ENOENT;
}

/* The text of a profile, which the caller frees, from the first place that has it, and that place. */
static int
read_profile(struct config_loader *loader, const char *name, char *ret_title, size_t room,
	char **ret_text)
{
	size_t count;
	const char *const *dirs = profile_dirs(loader, &count);

	for (size_t i = 0; i < count; i++) {
		snprintf(ret_title, room, "%s/%s.yaml", dirs[i], name);
		if (access(ret_title, F_OK) == 0) {
			return config_read_text(loader, ret_title, ret_text);
		}
	}
	for (uint32_t i = 0; i < profile_builtin_count; i++) {
		if (strcmp(profile_builtins[i].name, name) == 0) {
			snprintf(ret_title, room, "%s.yaml (built in)", name);
			*ret_text = strdup(profile_builtins[i].text);
			return *ret_text ? 0 : -ENOMEM;
		}
	}
	return profile_unknown(loader, name);
}

int
config_profile_words(struct config_loader *loader, const char *name, struct profile *ret_words)
{
	struct config_loader look = *loader; /* over a configuration that is thrown away */
	char title[512];
	char *text = NULL;
	struct yaml_doc doc;
	int err = read_profile(loader, name, title, sizeof(title), &text);

	if (err) {
		return err;
	}
	look.config = calloc(1, sizeof(*look.config));
	look.in_profile = true;
	memset(&look.words, 0, sizeof(look.words));
	err = look.config ? yaml_doc_open(&doc, title, text, loader->report, loader->report_bytes) : -ENOMEM;
	if (err == 0) {
		err = config_walk_root(&look, &doc, yaml_doc_root(&doc));
		yaml_doc_close(&doc);
	}
	*ret_words = look.words;
	free(look.config);
	free(text);
	return err;
}

int
config_profile_load(struct config_loader *loader, const char *name)
{
	uint32_t own = loader->profile_count;
	char title[512];
	char *text = NULL;
	int err;

	if (strchr(name, '/') || name[0] == '.' || name[0] == '\0') {
		return config_report(loader, -EINVAL, "profile \"%s\": not a profile name\n", name);
	}
	for (uint32_t i = 0; i < own; i++) {
		if (strcmp(loader->profiles[i].name, name) == 0) {
			return loader->profiles[i].open ?
				       config_report(loader, -EINVAL, "profile \"%s\": inherited in a circle\n", name) :
				       0; /* read already, on another way */
		}
	}
	if (own == CONFIG_PROFILE_NAMES || strlen(name) > CONFIG_PROFILE_NAME_MAX) {
		return config_report(loader, -EINVAL, "profile \"%s\": too many profiles, or too long a name\n", name);
	}
	snprintf(loader->profiles[own].name, sizeof(loader->profiles[own].name), "%s", name);
	loader->profiles[own].open = true;
	loader->profile_count++;
	err = read_profile(loader, name, title, sizeof(title), &text);
	err = err ? err : parse_profile(loader, title, text, name);
	free(text);
	loader->profiles[own].open = false;
	return err;
}
