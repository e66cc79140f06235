/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/control_loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "base/log.h"
#include "ctrl/daemon/config.h"
#include "ctrl/daemon/run_dir.h"

#define WAIT_MS	   100
#define WAIT_STOP_MS 5
#define EVENTS_MAX 8

int
control_loop_init(struct control_loop *loop)
{
	sigset_t set;
	struct epoll_event event = {.events = EPOLLIN};

	memset(loop, 0, sizeof(*loop));
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
		return -errno;
	}
	signal(SIGHUP, SIG_DFL); /* under nohup it is ignored, and a signalfd sees no ignored signal */
	loop->start_ns = clock_now_ns(clock_system());
	loop->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->signal_fd < 0 || loop->epoll_fd < 0 ||
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->signal_fd, &event) < 0) {
		return -errno;
	}
	return 0;
}

int
control_loop_listen(struct control_loop *loop, struct wiring *w, struct wiring_error *error)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct rpc_server_options options;
	char text[256] = "";
	int rc = methods_create(&w->engine, &loop->methods);

	if (rc < 0) {
		snprintf(error->text, sizeof(error->text), "error: control methods cannot be set up: %s\n",
			strerror(-rc));
		return rc;
	}
	methods_server_options(loop->methods, &options);
	rc = run_dir_make(w->engine.ctl_socket, w->config->mode == CONFIG_MODE_DEV, error);
	if (rc < 0) {
		return rc;
	}
	rc = rpc_server_create(&options, &loop->rpc, text, sizeof(text));
	if (rc < 0) {
		snprintf(error->text, sizeof(error->text), "error: %s\n  why   penstock reaches the daemon there\n"
			"  fix   %s\n", text, rc == -EADDRINUSE ?
			"stop the other daemon: penstock sys stop --yes    or    penstockd --dev --name NAME" :
			"choose another place: --set ctl.socket=/DIR/ctl.sock");
		return rc;
	}
	methods_set_server(loop->methods, loop->rpc);
	rc = epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, rpc_server_fd(loop->rpc), &event);
	return rc < 0 ? -errno : 0;
}

void
control_loop_close(struct control_loop *loop)
{
	if (loop->rpc) {
		rpc_server_destroy(loop->rpc);
		loop->rpc = NULL;
	}
}

void
control_loop_fini(struct control_loop *loop)
{
	if (loop->methods) {
		methods_destroy(loop->methods);
	}
	close(loop->signal_fd);
	close(loop->epoll_fd);
}

/* SIGHUP is no request to stop: a closed terminal, or somebody who thinks of a reload. */
static void
control_loop_hangup(void)
{
	log_warning("daemon", "SIGHUP changes nothing: configuration is read at the start only; to take a change: "
			      "penstock sys stop --yes, and start penstockd again");
}

/* First signal: drain. Second: stop now; acknowledged data is safe either way. */
static void
control_loop_signals(struct control_loop *loop, struct wiring *w, uint64_t now_ns)
{
	struct signalfd_siginfo info;

	while (read(loop->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			control_loop_hangup();
			continue;
		}
		if (loop->stopping) {
			log_warning("daemon", "second signal: stopping without waiting");
			wiring_stop_now(w);
		}
		loop->stopping = true;
		wiring_stop_begin(w, now_ns, w->config->drain_deadline_ns);
	}
}

/* One block that says what runs and how it was decided. */
static void
control_loop_announce(const struct control_loop *loop, const struct wiring *w)
{
	const struct engine *e = &w->engine;
	struct log_store_info info;
	struct nic_caps caps;

	logstore_info(e->store, &info);
	fprintf(stderr, "penstockd %s  %s  instance %s  ready in %llu ms\n", e->version, e->mode,
		e->instance, (unsigned long long)((clock_now_ns(w->clock) - loop->start_ns) / NS_PER_MS));
	fprintf(stderr, "  profile   %s (%s)\n", w->config->profile, w->config->profile_reason);
	for (uint32_t i = 0; i < e->lane_count; i++) {
		e->nics[i]->ops->caps(e->nics[i], &caps);
		fprintf(stderr, "  lane %u    udp port %u, driver %s, mtu %u\n", i, e->lane_ports[i],
			caps.driver, caps.mtu);
	}
	fprintf(stderr, "  log       %s, %s, durable by %s, flush scope %s\n", e->data_dir,
		info.io_backend, info.durable_method, info.flush_scope);
	for (uint32_t i = 0; i < e->lcore_count; i++) {
		fprintf(stderr, "  lcore %u   cpu %d: %s; idle: %s\n", i, e->lcores[i].cpu, e->lcores[i].role,
			e->lcores[i].idle);
	}
	fprintf(stderr, "  control   %s\n", e->ctl_socket);
}

int
control_loop_run(struct control_loop *loop, struct wiring *w, struct wiring_error *error)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct epoll_event events[EVENTS_MAX];

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, w->control_waker.fd, &event) < 0) {
		return -errno;
	}
	while (!wiring_stopped(w) && w->start_rc == 0 && !(loop->only_start && w->serving)) {
		uint64_t now_ns = clock_now_ns(w->clock);
		uint32_t work = wiring_poll(w, now_ns);

		work += rpc_server_poll(loop->rpc) + methods_poll(loop->methods, now_ns);
		control_loop_signals(loop, w, now_ns);
		if (w->engine.stop_requested) {
			loop->stopping = true;
			wiring_stop_begin(w, now_ns, w->engine.stop_within_ns);
		}
		if (!loop->announced && w->engine.state == ENGINE_RUNNING) {
			loop->announced = true;
			control_loop_announce(loop, w);
		}
		if (work > 0) {
			continue;
		}
		waker_arm(&w->control_waker);
		/* Once more after arming: what was offered before the flag went up is seen here. */
		now_ns = clock_now_ns(w->clock);
		if (wiring_poll(w, now_ns) + methods_poll(loop->methods, now_ns) == 0) {
			int wait_ms = w->engine.state == ENGINE_RUNNING ? WAIT_MS : WAIT_STOP_MS;

			(void)epoll_wait(loop->epoll_fd, events, EVENTS_MAX, rpc_server_wait_ms(loop->rpc, wait_ms));
		}
		waker_awake(&w->control_waker);
	}
	if (w->start_rc < 0) {
		*error = w->start_error;
	}
	return w->start_rc;
}
