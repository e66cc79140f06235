/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/ensure.h"

static const char usage[] =
	"usage: penstockd [--dev [--name NAME]] [--config FILE] [--state DIR] [--set KEY=VALUE]... [--check]\n"
	"\n"
	"  --dev           no root, hugepages, NIC or config file needed; loopback only\n"
	"  --name NAME     dev mode: a second daemon with directories and a port of its own\n"
	"  --config FILE   default /etc/penstock/penstock.yaml; dev: $XDG_CONFIG_HOME/penstock/penstock.yaml, optional\n"
	"  --state DIR     the log in DIR/log, the control socket at DIR/ctl.sock\n"
	"  --set KEY=VALUE one configuration key; see penstock.yaml(5)\n"
	"  --check         look whether it could start: exit 0 or 2\n"
	"  --version, --help\n";

enum {
	OPTION_DEV = 256,
	OPTION_NAME,
	OPTION_CONFIG,
	OPTION_STATE,
	OPTION_SET,
	OPTION_CHECK,
	OPTION_VERSION,
	OPTION_HELP,
};

static const struct option options[] = {
	{"dev", no_argument, NULL, OPTION_DEV},
	{"name", required_argument, NULL, OPTION_NAME},
	{"config", required_argument, NULL, OPTION_CONFIG},
	{"state", required_argument, NULL, OPTION_STATE},
	{"set", required_argument, NULL, OPTION_SET},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static int
arguments_wrong(const char *what, const char *value)
{
	fprintf(stderr, "error: %s%s\n  fix   penstockd --help\n", what, value);
	return -EINVAL;
}

/* Letters, digits, - and _: it becomes part of paths. */
static bool
arguments_name_valid(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= 32 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == len;
}

static int
arguments_take(struct arguments *a, int option)
{
	switch (option) {
	case OPTION_DEV:
		a->dev = true;
		return 0;
	case OPTION_NAME:
		a->name = optarg;
		return arguments_name_valid(optarg)
			? 0
			: arguments_wrong("--name wants up to 32 letters, digits, - or _: ", optarg);
	case OPTION_CONFIG:
		a->config_path = optarg;
		a->config_given = true;
		return 0;
	case OPTION_STATE:
		if (optarg[0] != '/' || strlen(optarg) >= sizeof(a->state_dir)) {
			return arguments_wrong("--state wants an absolute path: ", optarg);
		}
		snprintf(a->state_dir, sizeof(a->state_dir), "%s", optarg);
		return 0;
	case OPTION_SET:
		if (a->override_count == ARGUMENTS_OVERRIDES_MAX - ARRAY_COUNT(a->override_text)) {
			return arguments_wrong("too many --set: ", optarg);
		}
		a->overrides[a->override_count++] = optarg;
		return 0;
	case OPTION_CHECK:
		a->check = true;
		return 0;
	case OPTION_VERSION:
		printf("penstockd %s\n", PENSTOCK_VERSION);
		return 1;
	case OPTION_HELP:
		fputs(usage, stdout);
		return 1;
	default:
		return 0;
	}
}

int
arguments_parse(int argc, char **argv, struct arguments *a)
{
	int option;

	memset(a, 0, sizeof(*a));
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		int rc = option == '?' ? arguments_wrong("unknown flag: ", argv[optind - 1]) :
			 option == ':' ? arguments_wrong("a flag without its value: ", argv[optind - 1]) :
					 arguments_take(a, option);

		if (rc != 0) {
			return rc;
		}
	}
	if (optind < argc) {
		return arguments_wrong("unknown word: ", argv[optind]);
	}
	if (a->name && !a->dev) {
		return arguments_wrong("--name goes with --dev", "");
	}
	return 0;
}

/* $XDG_variable/penstock, else home's fallback; never empty. */
static void
arguments_xdg(const char *variable, const char *in_home, char *ret_path, size_t path_bytes)
{
	const char *base = getenv(variable);
	const char *home = getenv("HOME");

	if (base && base[0] == '/') {
		snprintf(ret_path, path_bytes, "%s/penstock", base);
	} else if (in_home && home && home[0] == '/') {
		snprintf(ret_path, path_bytes, "%s/%s/penstock", home, in_home);
	} else {
		snprintf(ret_path, path_bytes, "/tmp/penstock-%u", (unsigned)getuid());
	}
}

static const char *
arguments_add(struct arguments *a, uint32_t slot, const char *key, const char *value, const char *rest)
{
	ensure(slot < ARRAY_COUNT(a->override_text));
	snprintf(a->override_text[slot], sizeof(a->override_text[slot]), "%s=%s%s", key, value, rest);
	return a->override_text[slot];
}

/* Dev mode's paths stand before what the user sets, so that --set wins. */
int
arguments_load_config(struct arguments *a, struct config *ret_config)
{
	const char *all[ARGUMENTS_OVERRIDES_MAX];
	struct config_source source = {.dev = a->dev, .overrides = all};
	static char text[8192];
	uint32_t n = 0;
	int rc;

	if (!a->state_dir[0] && a->dev) {
		arguments_xdg("XDG_STATE_HOME", ".local/state", a->state_dir, sizeof(a->state_dir) - 40);
		if (a->name) {
			size_t len = strlen(a->state_dir);

			snprintf(a->state_dir + len, sizeof(a->state_dir) - len, "-%s", a->name);
		}
	} else if (a->state_dir[0]) {
		all[n++] = arguments_add(a, 1, "ctl.socket", a->state_dir, "/ctl.sock");
	}
	if (a->state_dir[0]) {
		all[n++] = arguments_add(a, 0, "data.dirs", a->state_dir, "/log");
	}
	if (a->name) {
		all[n++] = "native.port=0";
	}
	for (uint32_t i = 0; i < a->override_count; i++) {
		all[n++] = a->overrides[i];
	}
	source.override_count = n;
	source.path = a->config_path;
	if (!a->config_given) {
		if (a->dev) {
			arguments_xdg("XDG_CONFIG_HOME", ".config", a->config_text,
				sizeof(a->config_text) - 16);
			size_t len = strlen(a->config_text);

			snprintf(a->config_text + len, sizeof(a->config_text) - len, "/penstock.yaml");
		} else {
			snprintf(a->config_text, sizeof(a->config_text), "/etc/penstock/penstock.yaml");
		}
		source.path = a->config_text;
		source.path_optional = a->dev;
	}
	if (!source.path_optional && access(source.path, R_OK) < 0) {
		rc = -errno;
		fprintf(stderr, "error: configuration file %s: %s\n  why   %s\n  fix   %s\n", source.path, strerror(-rc),
			a->config_given ? "--config names it" : "production mode reads it; it may be empty",
			rc == -ENOENT ? "penstockd --config FILE    or without one: penstockd --dev"
				      : "let this user read it, for example: sudo chgrp penstock FILE, chmod 0640");
		return rc;
	}
	rc = config_load(&source, ret_config, text, sizeof(text));
	if (rc < 0) {
		fprintf(stderr, "%s  fix   mend this place; penstock.yaml(5) tells every key\n", text);
	}
	return rc;
}

void
arguments_socket(const struct arguments *a, const struct config *config, char *ret_path,
	unsigned path_bytes)
{
	char run_dir[80];

	if (config->ctl_socket[0]) {
		snprintf(ret_path, path_bytes, "%s", config->ctl_socket);
		return;
	}
	if (config->mode != CONFIG_MODE_DEV) {
		snprintf(ret_path, path_bytes, "/run/penstock/ctl.sock");
		return;
	}
	arguments_xdg("XDG_RUNTIME_DIR", NULL, run_dir, sizeof(run_dir));
	snprintf(ret_path, path_bytes, "%s%s%s/ctl.sock", run_dir, a->name ? "-" : "",
		a->name ? a->name : "");
}
