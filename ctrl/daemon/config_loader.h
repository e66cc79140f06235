/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the configuration loader share (config.h): one loader is one call of config_load
 * and is gone with it. Private to config*.c; start-up only.
 */
#ifndef CTRL_CONFIG_LOADER_H
#define CTRL_CONFIG_LOADER_H

#include "ctrl/daemon/config.h"
#include "ctrl/schema/profile_gen.h"
#include "ctrl/schema/yaml_doc.h"

#define CONFIG_PATH_MAX	       256 /* of a key, dots and all */
#define CONFIG_PROFILE_NAMES   32
#define CONFIG_PROFILE_NAME_MAX 63
#define CONFIG_PROFILES_LISTED_MAX 64

struct config_loader {
	const struct config_source *source;
	struct config *config;
	char *report;
	size_t report_bytes;
	enum config_layer layer;
	uint8_t file; /* of what is being read */
	bool in_profile;
	struct profile words; /* of the profile that is being read */
	struct {
		char name[CONFIG_PROFILE_NAME_MAX + 1];
		bool open; /* being read: to meet it again is a circle */
	} profiles[CONFIG_PROFILE_NAMES];
	uint32_t profile_count;
};

/* config.c: writes the report; returns err. */
int config_report(struct config_loader *loader, int err, const char *format, ...) PRINTF_LIKE(3, 4);
/* config.c: registers a file's name for origins. -EINVAL: too many. */
int config_begin_file(struct config_loader *loader, const char *name);
/* config.c: a whole file as text, which the caller frees. */
int config_read_text(struct config_loader *loader, const char *path, char **ret_text);

/* config_walk.c: every key of a document into the configuration. NULL: an empty document. */
int config_walk_root(struct config_loader *loader, struct yaml_doc *doc, struct fy_node *root);
const struct config_key *config_walk_find(const struct config_key *keys, uint32_t count, const char *name);

/* config_profile.c: -ENOENT with what there is and where it was looked for. */
int config_profile_load(struct config_loader *loader, const char *name);
/* config_profile.c: every name there is, each once, the host's own first; the caller frees them. */
uint32_t config_profile_names(const struct config_loader *loader,
	char *ret_names[CONFIG_PROFILES_LISTED_MAX]);
/* config_profile.c: a profile's own words, without what it inherits; nothing is applied. */
int config_profile_words(struct config_loader *loader, const char *name, struct profile *ret_words);

/* config_auto.c: the profile for this machine, and why; an error if one cannot be read. Sets *ret_fallback
 * if none fits. */
int config_auto_profile(struct config_loader *loader, char *ret_name, size_t name_room, char *ret_why,
	size_t why_room, bool *ret_fallback);

/* config_check.c: rules between keys. */
int config_check_relations(struct config_loader *loader);
/* config_check.c: "file:line: " of a value's origin, for rules that concern several keys. */
const char *config_check_place(const struct config_loader *loader, const struct config_origin *origin,
	char *ret_text, size_t room);

#endif
