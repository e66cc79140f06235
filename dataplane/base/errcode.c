/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in the error table of errcodes.def. Constant data, any thread. */
#include "base/errcode.h"

#include <errno.h>
#include "base/ensure.h"

struct errcode_row {
	const char *name;
	const char *text;
	int errno_class;
	int16_t kafka;
};

static const struct errcode_row errcode_rows[ERRCODE_COUNT] = {
#define ERRCODE(name_, errno_, kafka_, text_)                                                      \
	[ERRCODE_##name_] = {.name = #name_, .text = text_, .errno_class = errno_, .kafka = kafka_},
#include "base/errcodes.def"
#undef ERRCODE
};

static const struct errcode_row *
errcode_row(enum errcode code)
{
	ensure((unsigned)code < ERRCODE_COUNT);
	return &errcode_rows[code];
}

const char *
errcode_name(enum errcode code)
{
	return errcode_row(code)->name;
}

const char *
errcode_text(enum errcode code)
{
	return errcode_row(code)->text;
}

int
errcode_errno(enum errcode code)
{
	return errcode_row(code)->errno_class;
}

int16_t
errcode_kafka(enum errcode code)
{
	return errcode_row(code)->kafka;
}

const char *
kafka_error_name(int16_t code)
{
	switch (code) {
#define KAFKA_ERROR(name, code_, text)                                                             \
	case code_:                                                                                \
		return #name;
#include "base/errcodes.def"
#undef KAFKA_ERROR
	default:
		return "UNKNOWN";
	}
}

const char *
kafka_error_text(int16_t code)
{
	switch (code) {
#define KAFKA_ERROR(name, code_, text)                                                             \
	case code_:                                                                                \
		return text;
#include "base/errcodes.def"
#undef KAFKA_ERROR
	default:
		return "error code that this version does not know";
	}
}
