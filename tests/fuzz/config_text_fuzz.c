/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration text: never a crash; what is refused says where, what is taken keeps its ranges. */
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "ctrl/daemon/config.h"
#include "fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct config *config = calloc(1, sizeof(*config));
	char *text = calloc(1, len + 1);
	const char *no_dirs[] = {""};
	struct config_source source = {.path = "fuzz.yaml", .text = text, .profile_dirs = no_dirs};
	char report[1024];

	ensure(config != NULL);
	ensure(text != NULL);
	memcpy(text, bytes, len);
	if (config_load(&source, config, report, sizeof(report)) != 0) {
		ensure(report[0] != '\0');
	} else {
		ensure(config->port_count >= 1);
		ensure(config->port_count <= CONFIG_PORTS_MAX);
		ensure(config->log_buffer_bytes >= 4 * config->log_group_max_bytes);
		ensure(config->dataplane_burst <= 64);
	}
	free(text);
	free(config);
	return 0;
}
