/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in the error table of errcodes.def. Constant data, any thread. */
#include "base/errcode.h"

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
