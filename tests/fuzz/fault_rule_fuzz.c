/* SPDX-License-Identifier: Apache-2.0 */
/* Fault rules as text: what is taken can be written again and means the same; what is not is named. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "fuzz/fuzz.h"
#include "logstore/io/io_fault.h"

#define TEXT_BYTES 4096

static const char *
error_name(int error)
{
	return error == EIO ? "EIO" : error == ENOSPC ? "ENOSPC" : error == EAGAIN ? "EAGAIN" : "ECANCELED";
}

static void
write_rules(const struct io_fault_options *o, char *text, size_t room)
{
	static const char *const ops[] = {"write", "flush", "read"};
	size_t n = (size_t)snprintf(text, room,
		"flush_delay_us=%llu,write_delay_us=%llu,read_delay_us=%llu,delays_end_ms=%llu",
		(unsigned long long)(o->flush_delay_ns / NS_PER_US),
		(unsigned long long)(o->write_delay_ns / NS_PER_US),
		(unsigned long long)(o->read_delay_ns / NS_PER_US),
		(unsigned long long)(o->delays_end_ns / NS_PER_MS));

	for (uint32_t i = 0; i < o->rule_count; i++) {
		const struct io_fault_rule *r = &o->rules[i];

		ensure(r->op <= IO_FAULT_READ);
		ensure(r->nth >= 1);
		n += (size_t)snprintf(text + n, room - n, ",%s=%s:%u%s:",
			r->kind == IO_FAULT_ERROR ? "fail" : "short", ops[r->op], r->nth,
			r->sticky ? "+" : "");
		if (r->kind == IO_FAULT_ERROR) {
			n += (size_t)snprintf(text + n, room - n, "%s", error_name(r->error));
		} else {
			n += (size_t)snprintf(text + n, room - n, "%u", r->bytes);
		}
		ensure(n < room);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct io_fault_options once = {0}, twice = {0};
	char *text = calloc(1, len + 1);
	char again[TEXT_BYTES];
	const char *bad = NULL;

	ensure(text != NULL);
	memcpy(text, bytes, len);
	if (io_fault_parse(text, &once, &bad) < 0) {
		ensure(bad >= text);
		ensure(bad < text + strlen(text));
	} else {
		bool fits = once.flush_delay_ns / NS_PER_US <= UINT32_MAX &&
			once.write_delay_ns / NS_PER_US <= UINT32_MAX &&
			once.read_delay_ns / NS_PER_US <= UINT32_MAX;

		ensure(once.rule_count <= IO_FAULT_RULES_MAX);
		write_rules(&once, again, sizeof(again));
		ensure(!fits || io_fault_parse(again, &twice, &bad) == 0);
		ensure(!fits || memcmp(&once, &twice, sizeof(once)) == 0);
	}
	free(text);
	return 0;
}
