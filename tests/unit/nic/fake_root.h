/* SPDX-License-Identifier: Apache-2.0 */
/* A directory that stands for /: files as /proc and /sys have them, no root, no device. */
#ifndef UNIT_NIC_FAKE_ROOT_H
#define UNIT_NIC_FAKE_ROOT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake_root {
	char path[64];
};

static inline void
fake_root_make(struct fake_root *root, const char *name)
{
	snprintf(root->path, sizeof(root->path), "/tmp/%s-XXXXXX", name);
	assert_non_null(mkdtemp(root->path));
}

static inline void
fake_root_remove(const struct fake_root *root)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", root->path);
	assert_int_equal(system(command), 0);
}

/* Makes the folders of path and writes the bytes to it. */
static inline void
fake_root_put_bytes(const struct fake_root *root, const char *path, const void *bytes, size_t len)
{
	char full[512];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root->path, path);
	for (char *at = strchr(full + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = 0;
		(void)mkdir(full, 0700);
		*at = '/';
	}
	file = fopen(full, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static inline void
fake_root_put(const struct fake_root *root, const char *path, const char *text)
{
	fake_root_put_bytes(root, path, text, strlen(text));
}

#endif
