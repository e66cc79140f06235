/* SPDX-License-Identifier: Apache-2.0 */
/* sys.get, sys.stop */
#include "ctrl/methods/body.h"

static json_t *
lane_rows(const struct engine *engine)
{
	json_t *lanes = json_array();
	struct nic_caps caps;

	for (uint32_t i = 0; i < engine->lane_count; i++) {
		engine->nics[i]->ops->caps(engine->nics[i], &caps);
		json_array_append_new(lanes, json_pack("{s:i,s:s,s:i,s:i,s:b,s:b,s:I}", "lane", (int)i,
			"driver", caps.driver, "port", (int)engine->lane_ports[i], "mtu", (int)caps.mtu,
			"kernel_stack", caps.kernel_stack, "counts_losses", caps.counts_losses,
			"rx_buffers", (json_int_t)caps.pool_count));
	}
	return lanes;
}

static json_t *
log_row(const struct engine *engine)
{
	struct log_store_info info;

	if (!engine->store) {
		return json_object();
	}
	logstore_info(engine->store, &info);
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:b,s:b,s:I,s:I}", "io", info.io_backend,
		"durable_method", info.durable_method, "flush_scope", info.flush_scope, "file_system",
		info.probe.fs_type, "device", info.probe.device, "block_bytes",
		(int)info.probe.block_bytes, "shards", (int)engine->shard_count, "failed", info.failed,
		"disk_low", info.disk_low, "dsync_write_ns", (json_int_t)info.probe.dsync_write_ns,
		"write_flush_ns", (json_int_t)info.probe.write_flush_ns);
}

METHOD_BODY(sys_get)
{
	const struct engine *engine = body_engine(call);
	uint64_t wall_ms = clock_wall_ns(engine->clock) / NS_PER_MS;
	json_t *fallbacks = json_array();
	json_t *extra = json_array();

	(void)params;
	for (uint32_t i = 0; i < engine->fallback_count; i++) {
		json_array_append_new(fallbacks, problem_string(engine->fallbacks[i]));
	}
	for (uint32_t i = 0; i < engine->config->eal_extra_count; i++) {
		json_array_append_new(extra, problem_string(engine->config->eal_extra[i]));
	}
	rpc_call_result(call, json_pack("{s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:I,s:o,s:o,s:o,s:o,s:i,s:i,s:o,s:o}",
		"version", engine->version, "instance", engine->instance, "state",
		engine_state_names[engine->state], "mode", engine->mode, "profile",
		problem_string(engine->config->profile), "profile_reason",
		problem_string(engine->config->profile_reason), "profile_summary",
		problem_string(engine->config->profile_summary), "uptime_ms",
		(json_int_t)(wall_ms > engine->start_wall_ms ? wall_ms - engine->start_wall_ms : 0),
		"data_dir", problem_string(engine->data_dir), "ctl_socket",
		problem_string(engine->ctl_socket), "lanes", lane_rows(engine),
		"log", log_row(engine), "workers", (int)engine->worker_count, "lcores",
		(int)engine->lcore_count, "fallbacks", fallbacks, "eal_extra", extra));
}

METHOD_BODY(sys_stop)
{
	struct engine *engine = body_engine(call);

	engine->stop_within_ns = params->given & SYS_STOP_GIVEN_DEADLINE_MS ?
					 params->deadline_ms * NS_PER_MS :
					 engine->config->drain_deadline_ns;
	engine->stop_requested = true;
	rpc_call_result(call, json_pack("{s:s}", "state", "stopping"));
}
