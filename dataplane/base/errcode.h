/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of error codes that cross rings, go to clients and come from them: Kafka's, with name and text.
 * Functions return negative errno. What a code is on the control socket stands in ctrl/schema/errors.yaml.
 */
#ifndef BASE_ERRCODE_H
#define BASE_ERRCODE_H

#include <stdint.h>

enum kafka_error {
#define KAFKA_ERROR(name, code, text) KAFKA_##name = code,
#include "base/errcodes.def"
#undef KAFKA_ERROR
};

/* "OUT_OF_ORDER_SEQUENCE_NUMBER" for 45; "UNKNOWN" for what the table lacks. */
const char *kafka_error_name(int16_t code);
const char *kafka_error_text(int16_t code);

#endif
