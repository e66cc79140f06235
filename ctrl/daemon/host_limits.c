/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/host_limits.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ctrl/schema/value.h"

#define ONLINE_PATH "/sys/devices/system/cpu/online"

bool
host_limits_lock_freely(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return syscall(SYS_capget, &head, sets) == 0 && (sets[0].effective >> CAP_IPC_LOCK & 1) != 0;
}

void
host_limits_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit); /* then the lower limit holds, and who needs more says so */
	}
}

/* False if the kernel does not tell: then pinning tells. */
static bool
read_online(char *ret_text, size_t room, struct config_cpus *ret_cpus)
{
	FILE *file = fopen(ONLINE_PATH, "re");
	bool read = file && fgets(ret_text, (int)room, file);

	if (file) {
		fclose(file);
	}
	if (!read) {
		return false;
	}
	ret_text[strcspn(ret_text, "\n")] = '\0';
	return value_parse_cpulist(ret_text, ret_cpus) == 0 && ret_cpus->count > 0;
}

static bool
has_cpu(const struct config_cpus *cpus, uint16_t cpu)
{
	for (uint32_t i = 0; i < cpus->count; i++) {
		if (cpus->cpus[i] == cpu) {
			return true;
		}
	}
	return false;
}

int
host_limits_check_cpus(const struct config *config, char *ret_text, size_t text_bytes)
{
	struct config_cpus online;
	char text[512];

	if (!read_online(text, sizeof(text), &online)) {
		return 0;
	}
	for (uint32_t k = 0; k < CONFIG_KEY_COUNT; k++) {
		const struct config_key *key = &config_keys[k];
		const struct config_origin *origin = &config->origins[k];
		const struct config_cpus *cpus = (const struct config_cpus *)((const char *)config + key->offset);

		if (key->type != CONFIG_CPULIST) {
			continue;
		}
		for (uint32_t i = 0; i < cpus->count; i++) {
			if (!has_cpu(&online, cpus->cpus[i])) {
				snprintf(ret_text, text_bytes,
					"error: %s names CPU %u, which is not there\n"
					"  why   the value is from %s %s:%u; online are: %s (" ONLINE_PATH ")\n"
					"  fix   --set %s=%u    or a profile for this machine: --set profile=laptop\n",
					key->name, cpus->cpus[i], config_layer_name((enum config_layer)origin->layer),
					config->files[origin->file], origin->line, text,
					key->name, online.cpus[online.count - 1]);
				return -EINVAL;
			}
		}
	}
	return 0;
}
