/* SPDX-License-Identifier: Apache-2.0 */
/* The entry point that libFuzzer and fuzz_smoke.c call. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#endif
