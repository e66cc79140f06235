/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One strict YAML document in memory: no second one, no duplicate keys, anchors, aliases, tags or tabs, and every
 * complaint says name:line:col with the line and a caret. The caller's text must outlive it. One
 * thread at a time.
 */
#ifndef CTRL_YAML_DOC_H
#define CTRL_YAML_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <libfyaml.h>
#include "base/compiler.h"

#define YAML_SCALAR_BYTES_MAX 4096

struct yaml_doc {
	const char *name;
	const char *text;
	size_t len;
	struct fy_diag *diag;
	struct fy_document *document;
	char *report;
	size_t report_bytes;
};

/* name: what complaints start with. The report buffer stays the document's until it is closed. */
int yaml_doc_open(struct yaml_doc *doc, const char *name, const char *text, char *report,
	size_t report_bytes) MUST_CHECK;
void yaml_doc_close(struct yaml_doc *doc);
/* NULL: an empty document. */
struct fy_node *yaml_doc_root(const struct yaml_doc *doc);

/* Line from 1; 0 if the node has no place of its own (an empty value). */
uint32_t yaml_doc_line(struct fy_node *node);
/* Writes the complaint about a node's place into the report; always -EINVAL. */
int yaml_doc_complain(struct yaml_doc *doc, struct fy_node *node, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* Copies a scalar's text; -EINVAL with a complaint if it is no scalar, too long or null. */
int yaml_doc_scalar(struct yaml_doc *doc, struct fy_node *node, char *ret_text, size_t room);

#endif
