/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one error table: private code, errno class, Kafka code, text. Functions return negative errno;
 * where a finer cause must reach a user or a Kafka client, an enum errcode travels beside it.
 * Kafka codes on their own are the KAFKA_* names below, generated from the same table.
 */
#ifndef BASE_ERRCODE_H
#define BASE_ERRCODE_H

#include <stdint.h>

enum errcode {
#define ERRCODE(name, errno_class, kafka, text) ERRCODE_##name,
#include "base/errcodes.def"
#undef ERRCODE
	ERRCODE_COUNT,
};

enum kafka_error {
#define KAFKA_ERROR(name, code, text) KAFKA_##name = code,
#include "base/errcodes.def"
#undef KAFKA_ERROR
};

/* "SEQUENCE_GAP"; never NULL. */
const char *errcode_name(enum errcode code);
const char *errcode_text(enum errcode code);
/* Positive errno class. */
int errcode_errno(enum errcode code);
int16_t errcode_kafka(enum errcode code);
/* "OUT_OF_ORDER_SEQUENCE_NUMBER" for 45; "UNKNOWN" for what the table lacks. */
const char *kafka_error_name(int16_t code);
const char *kafka_error_text(int16_t code);

#endif
