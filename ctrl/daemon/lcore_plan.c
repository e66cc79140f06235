/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/lcore_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "ctrl/daemon/config.h"
#include "ctrl/daemon/host_facts.h"

/* The CPU of the i-th poller of a role, -1 if the list names none. */
static int
cpu_of(const struct config_cpus *cpus, uint32_t i)
{
	return cpus->count > 0 ? cpus->cpus[i % cpus->count] : -1;
}

int
lcore_plan_rx_cpu(const struct config *config, uint32_t lane)
{
	return config->lcores_share == CONFIG_LCORES_SHARE_ALL ? -1 : cpu_of(&config->lcores_rx, lane);
}

static enum idle_policy
idle_policy(const struct config *config, int cpu)
{
	switch (config->dataplane_lcore_idle) {
	case CONFIG_DATAPLANE_LCORE_IDLE_SPIN:
		return IDLE_SPIN;
	case CONFIG_DATAPLANE_LCORE_IDLE_PAUSE:
		return IDLE_PAUSE;
	case CONFIG_DATAPLANE_LCORE_IDLE_SLEEP:
		return IDLE_SLEEP;
	case CONFIG_DATAPLANE_LCORE_IDLE_INTERRUPT:
		return IDLE_INTERRUPT;
	case CONFIG_DATAPLANE_LCORE_IDLE_AUTO:
		break;
	}
	return lcore_idle_auto((uint32_t)sysconf(_SC_NPROCESSORS_ONLN), host_facts_cpu_isolated("", cpu));
}

static const char *const policy_names[] = {[IDLE_SPIN] = "spin",
	[IDLE_PAUSE] = "pause",
	[IDLE_SLEEP] = "sleep",
	[IDLE_INTERRUPT] = "interrupt"};

/* The loop that a poller of this role goes to: shared or its own, by lcores.share. */
static struct lcore_loop *
place(struct wiring *w, const struct config_cpus *cpus, uint32_t i, const char *role)
{
	const struct config *c = w->config;
	int cpu = cpu_of(cpus, i);
	struct lcore_loop *loop = NULL;
	size_t len;

	for (uint32_t l = 0; l < w->loop_count && !loop; l++) {
		if (c->lcores_share == CONFIG_LCORES_SHARE_ALL ||
			(c->lcores_share == CONFIG_LCORES_SHARE_AUTO && w->loops[l].cpu == cpu)) {
			loop = &w->loops[l];
		}
	}
	if (!loop) {
		struct engine_lcore *status = &w->engine.lcores[w->loop_count];

		if (w->loop_count == ENGINE_LCORES_MAX) {
			return NULL;
		}
		loop = &w->loops[w->loop_count];
		if (lcore_loop_init(loop, w->clock, status) < 0) {
			return NULL;
		}
		loop->cpu = c->lcores_share == CONFIG_LCORES_SHARE_ALL ? -1 : cpu;
		loop->policy = idle_policy(c, loop->cpu);
		status->cpu = loop->cpu;
		snprintf(status->idle, sizeof(status->idle), "%s", policy_names[loop->policy]);
		w->engine.lcore_count = ++w->loop_count;
	}
	len = strlen(loop->status->role);
	snprintf(loop->status->role + len, sizeof(loop->status->role) - len, "%s%s %u",
		len ? ", " : "", role, i);
	return loop;
}

/* A queue without a descriptor keeps its lcore from sleeping for long. */
static void
name_polled(struct engine_lcore *status, uint32_t lane)
{
	size_t len = strlen(status->idle);
	bool first = !strstr(status->idle, "polls");

	snprintf(status->idle + len, sizeof(status->idle) - len, first ? ", but polls rx %u" : ", %u", lane);
}

/* Every place that shows an lcore shows what carries its lanes. */
static void
name_driver(struct wiring *w, uint32_t lane)
{
	struct engine_lcore *status = w->lane_loop[lane]->status;
	size_t len = strlen(status->role);
	struct nic_caps caps;

	w->engine.nics[lane]->ops->caps(w->engine.nics[lane], &caps);
	snprintf(status->role + len, sizeof(status->role) - len, " (%s)", caps.driver);
	if (w->lane_loop[lane]->policy == IDLE_INTERRUPT && caps.rx_fd < 0) {
		name_polled(status, lane);
	}
}

int
lcore_plan_place(struct wiring *w, struct wiring_error *error)
{
	const struct config *c = w->config;
	struct engine *e = &w->engine;
	bool fits = true;

	for (uint32_t i = 0; i < e->lane_count; i++) {
		fits &= (w->lane_loop[i] = place(w, &c->lcores_rx, i, "rx")) != NULL;
		if (fits) {
			name_driver(w, i);
		}
	}
	for (uint32_t i = 0; i < e->shard_count; i++) {
		fits &= (w->shard_loop[i] = place(w, &c->lcores_log, i, "log")) != NULL;
	}
	fits &= (w->batcher_loop = place(w, &c->lcores_batch, 0, "batch")) != NULL;
	for (uint32_t i = 0; i < e->worker_count; i++) {
		fits &= (w->worker_loop[i] = place(w, &c->lcores_worker, i, "worker")) != NULL;
	}
	if (!fits) {
		snprintf(error->text, sizeof(error->text),
			"error: more than %d lcores\n  why   lcores.share is none and there are %u lanes, %u "
			"shards, %u workers\n  fix   set lcores.share: auto, or fewer workers\n",
			ENGINE_LCORES_MAX, e->lane_count, e->shard_count, e->worker_count);
		return -EINVAL;
	}
	return 0;
}
