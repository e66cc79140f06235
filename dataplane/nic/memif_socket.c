/* SPDX-License-Identifier: Apache-2.0 */
#include "nic/memif_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "nic/port_driver.h"

_Static_assert(MEMIF_SOCKET_PATH_MAX + 1 == sizeof(((struct sockaddr_un *)0)->sun_path), "a path fits");

void
memif_socket_path(const char *argument, char ret_path[MEMIF_SOCKET_PATH_MAX + 1])
{
	char role[8], abstract[8];

	if (strncmp(argument, "net_memif", 9) != 0 || !port_devarg_text(argument, "role", role, sizeof(role)) ||
		strcmp(role, "server") != 0 ||
		!port_devarg_text(argument, "socket-abstract", abstract, sizeof(abstract)) ||
		strcmp(abstract, "no") != 0 ||
		!port_devarg_text(argument, "socket", ret_path, MEMIF_SOCKET_PATH_MAX + 1)) {
		ret_path[0] = 0;
	}
}

enum memif_socket_state
memif_socket_state(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat about;
	int fd, rc, error;

	if (strlen(path) > MEMIF_SOCKET_PATH_MAX) {
		return MEMIF_SOCKET_TAKEN;
	}
	if (lstat(path, &about) < 0) {
		return errno == ENOENT ? MEMIF_SOCKET_FREE : MEMIF_SOCKET_TAKEN;
	}
	if (!S_ISSOCK(about.st_mode)) {
		return MEMIF_SOCKET_FOREIGN;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	/* Of another type than a server's: the kernel tells whether there is one (EPROTOTYPE), and it hears nothing. */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return MEMIF_SOCKET_TAKEN;
	}
	rc = connect(fd, (struct sockaddr *)&address, sizeof(address));
	error = rc < 0 ? errno : 0;
	close(fd);
	return error == ECONNREFUSED ? MEMIF_SOCKET_STALE : MEMIF_SOCKET_TAKEN;
}

int
memif_socket_remove_stale(const char *path)
{
	if (memif_socket_state(path) != MEMIF_SOCKET_STALE) {
		return 0;
	}
	return unlink(path) < 0 ? -errno : 1;
}
