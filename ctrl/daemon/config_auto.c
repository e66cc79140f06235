/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `profile: auto` in production: the profile whose `match` fits this machine best. All that a match asks
 * for must be there; of several that fit, one for a NIC that is there comes first, then one for this
 * kind of machine, then the one that asks for more CPUs, then for more memory, then a host's own.
 * `match` is not inherited: a profile without one is taken by name only.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ctrl/daemon/config_loader.h"
#include "ctrl/daemon/host_facts.h"
#include "ctrl/schema/value.h"

#define FALLBACK "vm-generic"

static const char *const kind_names[] = {[HOST_KIND_BARE] = "none", [HOST_KIND_VM] = "vm",
	[HOST_KIND_CONTAINER] = "container"};
static const char *const wanted_names[] = {
	[PROFILE_MATCH_VIRTUALIZATION_NONE] = "none",
	[PROFILE_MATCH_VIRTUALIZATION_VM] = "vm",
	[PROFILE_MATCH_VIRTUALIZATION_CONTAINER] = "container",
};

/* How well a profile fits; compared from the first to the last. */
struct fit {
	uint64_t nic;
	uint64_t kind;
	uint64_t cpus;
	uint64_t memory;
};

struct choice {
	struct host_facts host;
	struct fit fit;
	char name[CONFIG_PROFILE_NAME_MAX + 1]; /* "": none so far */
	char why[CONFIG_REASON_BYTES];
	char fallback_lacks[128];
	uint32_t seen; /* profiles with a match */
};

static bool
better(const struct fit *a, const struct fit *b)
{
	return a->nic != b->nic	    ? a->nic > b->nic
	       : a->kind != b->kind ? a->kind > b->kind
	       : a->cpus != b->cpus ? a->cpus > b->cpus
				    : a->memory > b->memory;
}

static const char *
find_nic(const struct host_facts *host, const struct profile *profile)
{
	for (uint32_t i = 0; i < profile->match_nic_count; i++) {
		for (uint32_t n = 0; n < host->nic_count; n++) {
			if (strcmp(profile->match_nic[i], host->nics[n]) == 0) {
				return host->nics[n];
			}
		}
	}
	return NULL;
}

/* "" if the machine has all that the match asks for, else what it lacks, in words. */
static void
what_lacks(const struct host_facts *host, const struct profile *profile, char *text, size_t room)
{
	char have[32], want[32];

	text[0] = '\0';
	if (profile->match_nic_count > 0 && !find_nic(host, profile)) {
		snprintf(text, room, "wants a NIC %s%s", profile->match_nic[0],
			profile->match_nic_count > 1 ? " or another of its list" : "");
	} else if (profile->match_cpu_min > host->cpu_count) {
		snprintf(text, room, "wants %u CPUs, there are %u", profile->match_cpu_min, host->cpu_count);
	} else if (profile->match_memory_min_bytes > host->memory_bytes + host->memory_bytes / 8) {
		/* Firmware and kernel keep some of what was bought: up to an eighth is not missed. */
		value_format_bytes(profile->match_memory_min_bytes, want, sizeof(want));
		value_format_bytes(host->memory_bytes >> 20 << 20, have, sizeof(have));
		snprintf(text, room, "wants %s of memory, there are %s", want, have);
	} else if (profile->match_virtualization != PROFILE_MATCH_VIRTUALIZATION_ANY &&
		   strcmp(wanted_names[profile->match_virtualization], kind_names[host->kind]) != 0) {
		snprintf(text, room, "wants virtualization %s, here it is %s",
			wanted_names[profile->match_virtualization], kind_names[host->kind]);
	}
}

/* The sentence for logs: what the match asked for. */
static void
say_match(const struct host_facts *host, const struct profile *profile, char *text, size_t room)
{
	char want[32];
	size_t len = (size_t)snprintf(text, room, "auto: its match fits this machine:");

	if (profile->match_nic_count > 0) {
		len += (size_t)snprintf(text + len, room - len, " nic %s,", find_nic(host, profile));
	}
	if (profile->match_virtualization != PROFILE_MATCH_VIRTUALIZATION_ANY) {
		len += (size_t)snprintf(text + len, room - len, " virtualization %s,",
			kind_names[host->kind]);
	}
	if (profile->match_cpu_min > 0) {
		len += (size_t)snprintf(text + len, room - len, " cpu_min %u of %u,", profile->match_cpu_min,
			host->cpu_count);
	}
	if (profile->match_memory_min_bytes > 0) {
		value_format_bytes(profile->match_memory_min_bytes, want, sizeof(want));
		len += (size_t)snprintf(text + len, room - len, " memory_min %s,", want);
	}
	text[len - 1] = '\0';
}

static void
consider(struct choice *choice, const char *name, const struct profile *profile)
{
	const struct fit fit = {.nic = profile->match_nic_count > 0,
		.kind = profile->match_virtualization != PROFILE_MATCH_VIRTUALIZATION_ANY,
		.cpus = profile->match_cpu_min,
		.memory = profile->match_memory_min_bytes};
	char lacks[128];

	if (!fit.nic && !fit.kind && !fit.cpus && !fit.memory) {
		return;
	}
	choice->seen++;
	what_lacks(&choice->host, profile, lacks, sizeof(lacks));
	if (lacks[0]) {
		if (strcmp(name, FALLBACK) == 0) {
			snprintf(choice->fallback_lacks, sizeof(choice->fallback_lacks), "%s", lacks);
		}
	} else if (choice->name[0] == '\0' || better(&fit, &choice->fit)) {
		choice->fit = fit;
		snprintf(choice->name, sizeof(choice->name), "%s", name);
		say_match(&choice->host, profile, choice->why, sizeof(choice->why));
	}
}

int
config_auto_profile(struct config_loader *loader, char *ret_name, size_t name_room, char *ret_why,
	size_t why_room, bool *ret_fallback)
{
	char *names[CONFIG_PROFILES_LISTED_MAX];
	uint32_t count = config_profile_names(loader, names);
	struct choice *choice = calloc(1, sizeof(*choice));
	struct profile profile;
	int err = choice ? 0 : -ENOMEM;

	if (choice) {
		host_facts_read(loader->source->host_root ? loader->source->host_root : "", &choice->host);
	}
	for (uint32_t i = 0; i < count; i++) {
		if (err == 0 && names[i]) {
			err = config_profile_words(loader, names[i], &profile);
			if (err == 0) {
				consider(choice, names[i], &profile);
			}
		}
		free(names[i]);
	}
	if (err == 0 && choice->name[0]) {
		snprintf(ret_name, name_room, "%s", choice->name);
		snprintf(ret_why, why_room, "%s", choice->why);
	} else if (err == 0) {
		*ret_fallback = true;
		snprintf(ret_name, name_room, "%s", FALLBACK);
		snprintf(ret_why, why_room, "auto: no profile's match fits this machine (%u looked at); %s %s",
			choice->seen, FALLBACK, choice->fallback_lacks[0] ? choice->fallback_lacks : "has no match");
	}
	free(choice);
	return err;
}
