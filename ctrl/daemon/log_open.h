/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the log: data directory, I/O back ends with their fallback, secrets beside it. At start. */
#ifndef CTRL_LOG_OPEN_H
#define CTRL_LOG_OPEN_H

#include "ctrl/daemon/wiring.h"

/* Fills engine.store, engine.data_dir, the ios and secrets.reset_key. Negative errno, error told. */
int log_open(struct wiring *wiring, struct wiring_error *error) MUST_CHECK;
void log_close(struct wiring *wiring);
/* topic_defaults of the configuration as the log takes them. */
void log_open_topic_defaults(const struct config *config, struct log_topic_config *ret_config);

#endif
