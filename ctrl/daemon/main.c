/* SPDX-License-Identifier: Apache-2.0 */
/* penstockd: arguments, configuration, wiring, the control loop, and the way back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/log.h"
#include "ctrl/daemon/arguments.h"
#include "ctrl/daemon/control_loop.h"

/* sysexits(3), as the manual page says. */
enum {
	EXIT_CHECK_FAILED = 2,
	EXIT_USAGE = 64,
	EXIT_SOFTWARE = 70,
	EXIT_CONFIG = 78,
	EXIT_HELD_UP = 79,
};

static struct arguments arguments;
static struct config config;
static struct wiring wiring;

int
main(int argc, char **argv)
{
	struct control_loop loop;
	struct wiring_error error;
	int rc = arguments_parse(argc, argv, &arguments);

	if (rc != 0) {
		return rc < 0 ? EXIT_USAGE : EXIT_SUCCESS;
	}
	if (arguments_load_config(&arguments, &config) < 0) {
		return arguments.check ? EXIT_CHECK_FAILED : EXIT_CONFIG;
	}
	log_set_level((enum log_level)config.logging_level);
	if (control_loop_init(&loop) < 0) {
		perror("penstockd: signals");
		return EXIT_SOFTWARE;
	}
	wiring.engine.version = PENSTOCK_VERSION;
	arguments_socket(&arguments, &config, wiring.engine.ctl_socket, sizeof(wiring.engine.ctl_socket));
	rc = wiring_start(&wiring, &config, &error);
	if (rc == 0) {
		rc = control_loop_listen(&loop, &wiring, &error);
	}
	if (rc == 0) {
		loop.only_start = arguments.check;
		rc = control_loop_run(&loop, &wiring, &error);
	}
	if (rc < 0) {
		fputs(error.text, stderr);
	}
	control_loop_close(&loop);
	if (wiring_held_up(&wiring)) {
		/* The thread uses all that would be freed, and joining it may take for ever. */
		fflush(NULL);
		_exit(EXIT_HELD_UP);
	}
	wiring_destroy(&wiring);
	control_loop_fini(&loop);
	if (arguments.check) {
		puts(rc < 0 ? "FAIL it would not start" : "OK it would start");
		return rc < 0 ? EXIT_CHECK_FAILED : EXIT_SUCCESS;
	}
	return rc < 0 ? EXIT_CONFIG : EXIT_SUCCESS;
}
