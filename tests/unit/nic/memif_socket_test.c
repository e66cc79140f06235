/* SPDX-License-Identifier: Apache-2.0 */
/* What lies where a memif server wants its socket, with real sockets below /tmp. */
#include "fake_root.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "nic/memif_socket.h"

struct fixture {
	struct fake_root root;
	char path[MEMIF_SOCKET_PATH_MAX + 1];
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	fake_root_make(&f->root, "memif");
	snprintf(f->path, sizeof(f->path), "%s/m.sock", f->root.path);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	fake_root_remove(&f->root);
	free(f);
	return 0;
}

static int
listener(const char *path, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void
a_file_whose_server_died_is_removed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(memif_socket_state(f->path), MEMIF_SOCKET_FREE);
	assert_int_equal(memif_socket_remove_stale(f->path), 0);
	close(listener(f->path, SOCK_SEQPACKET));
	assert_int_equal(memif_socket_state(f->path), MEMIF_SOCKET_STALE);
	assert_int_equal(access(f->path, F_OK), 0);
	assert_int_equal(memif_socket_remove_stale(f->path), 1);
	assert_int_equal(access(f->path, F_OK), -1);
}

static void
a_socket_in_use_stays(void **state)
{
	static const int types[] = {SOCK_SEQPACKET, SOCK_STREAM};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		int fd = listener(f->path, types[i]);

		assert_int_equal(memif_socket_state(f->path), MEMIF_SOCKET_TAKEN);
		assert_int_equal(memif_socket_remove_stale(f->path), 0);
		assert_int_equal(accept4(fd, NULL, NULL, SOCK_NONBLOCK), -1); /* nobody knocked */
		assert_int_equal(access(f->path, F_OK), 0);
		close(fd);
		assert_int_equal(unlink(f->path), 0);
	}
}

static void
what_is_no_socket_stays(void **state)
{
	struct fixture *f = *state;

	fake_root_put(&f->root, "/m.sock", "precious\n");
	assert_int_equal(memif_socket_state(f->path), MEMIF_SOCKET_FOREIGN);
	assert_int_equal(memif_socket_remove_stale(f->path), 0);
	assert_int_equal(access(f->path, F_OK), 0);
}

static void
only_a_server_with_a_file_has_a_path(void **state)
{
	static const struct {
		const char *argument, *path;
	} cases[] = {
		{"net_memif0,role=server,id=0,socket=/run/m,socket-abstract=no", "/run/m"},
		{"net_memif0,role=server,id=0,socket=/run/m,socket-abstract=yes", ""},
		{"net_memif0,role=server,id=0,socket=m", ""},
		{"net_memif0,role=client,id=0,socket=/run/m,socket-abstract=no", ""},
		{"net_memif0,id=0,socket=/run/m,socket-abstract=no", ""},
		{"net_ring0,role=server,socket=/run/m,socket-abstract=no", ""},
	};
	char path[MEMIF_SOCKET_PATH_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		memif_socket_path(cases[i].argument, path);
		assert_string_equal(path, cases[i].path);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_whose_server_died_is_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_socket_in_use_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_socket_stays, setup, teardown),
		cmocka_unit_test(only_a_server_with_a_file_has_a_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
