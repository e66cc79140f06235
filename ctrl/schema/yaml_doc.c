/* SPDX-License-Identifier: Apache-2.0 */
/* A strict YAML document (yaml_doc.h) over libfyaml, which keeps the place of every token. */
#include "ctrl/schema/yaml_doc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/utf8.h"

/* Bounds the recursion of everything that walks a document. */
#define APOSTROPHES_MAX 3 /* in a row: a quote, and one that is meant */
#define YAML_DEPTH_MAX 16

/* The report: place, message, the line itself and a caret under the column (both from 1). */
static int
report_place(struct yaml_doc *doc, uint32_t line, uint32_t column, const char *message)
{
	const char *at = doc->text;
	const char *end = doc->text + doc->len;
	size_t shown;
	int len;

	for (uint32_t i = 1; i < line && at < end; i++) {
		const char *next = memchr(at, '\n', (size_t)(end - at));

		at = next ? next + 1 : end;
	}
	shown = strcspn(at, "\r\n");
	if (column > shown + 1) {
		column = (uint32_t)shown + 1;
	}
	len = snprintf(doc->report, doc->report_bytes, "%s:%u:%u: %s\n", doc->name, line, column,
		message);
	if (shown <= 200 && len > 0 && (size_t)len < doc->report_bytes) {
		snprintf(doc->report + len, doc->report_bytes - (size_t)len, "%6u | %.*s\n       | %*s\n",
			line, (int)shown, at, (int)column, "^");
	}
	return -EINVAL;
}

static const struct fy_mark *
node_mark(struct fy_node *node)
{
	struct fy_token *token = NULL;
	void *at = NULL;

	if (node && fy_node_is_scalar(node)) {
		token = fy_node_get_scalar_token(node);
	} else if (node && fy_node_is_mapping(node)) {
		struct fy_node_pair *pair = fy_node_mapping_iterate(node, &at);

		return pair ? node_mark(fy_node_pair_key(pair)) : NULL;
	} else if (node && fy_node_is_sequence(node)) {
		return node_mark(fy_node_sequence_iterate(node, &at));
	}
	return token ? fy_token_start_mark(token) : NULL;
}

uint32_t
yaml_doc_line(struct fy_node *node)
{
	const struct fy_mark *mark = node_mark(node);

	return mark ? (uint32_t)mark->line + 1 : 0;
}

int
yaml_doc_complain(struct yaml_doc *doc, struct fy_node *node, const char *format, ...)
{
	const struct fy_mark *mark = node_mark(node);
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return report_place(doc, mark ? (uint32_t)mark->line + 1 : 1,
		mark ? (uint32_t)mark->column + 1 : 1, message);
}

/* Anchors, aliases and tags, anywhere; and the depth. */
static int
check_node(struct yaml_doc *doc, struct fy_node *node, uint32_t depth)
{
	struct fy_node_pair *pair;
	struct fy_node *item;
	size_t tag_len = 0;
	void *at = NULL;
	int err = 0;

	if (!node) {
		return 0;
	}
	if (depth > YAML_DEPTH_MAX) {
		return yaml_doc_complain(doc, node, "nested deeper than %d", YAML_DEPTH_MAX);
	}
	if (fy_node_is_alias(node)) {
		return yaml_doc_complain(doc, node, "aliases are refused: write the value out");
	}
	if (fy_node_get_tag(node, &tag_len)) {
		return yaml_doc_complain(doc, node, "tags are refused: write the plain value");
	}
	if (fy_node_is_mapping(node)) {
		while (err == 0 && (pair = fy_node_mapping_iterate(node, &at)) != NULL) {
			err = check_node(doc, fy_node_pair_key(pair), depth + 1);
			err = err ? err : check_node(doc, fy_node_pair_value(pair), depth + 1);
		}
	} else if (fy_node_is_sequence(node)) {
		while (err == 0 && (item = fy_node_sequence_iterate(node, &at)) != NULL) {
			err = check_node(doc, item, depth + 1);
		}
	}
	return err;
}

static void
discard_output(struct fy_diag *diag, void *user, const char *text, size_t len)
{
	(void)diag;
	(void)user;
	(void)text;
	(void)len;
}

static int
report_parser_error(struct yaml_doc *doc)
{
	void *at = NULL;
	const struct fy_diag_error *error = fy_diag_errors_iterate(doc->diag, &at);

	if (!error || error->line < 0) {
		return report_place(doc, 1, 1, error ? error->msg : "not a YAML document");
	}
	return report_place(doc, (uint32_t)error->line, (uint32_t)(error->column > 0 ? error->column : 1),
		error->msg);
}

/*
 * What libfyaml would take but we do not: tabs, NULs. And what it does not stand: on a directive with
 * bytes that are no UTF-8 it never ends, and of a text in which apostrophes written twice follow one another it loses
 * memory (0.7.12).
 */
static int
check_bytes(struct yaml_doc *doc)
{
	uint32_t line = 1;
	uint32_t column = 1;
	uint32_t apostrophes = 0; /* in a row */
	const char *end = doc->text + doc->len;

	for (const char *at = doc->text; at < end; at++, column++) {
		apostrophes = *at == '\'' ? apostrophes + 1 : 0;
		if (*at == '\n') {
			line++;
			column = 0;
		} else if (apostrophes > APOSTROPHES_MAX) {
			return report_place(doc, line, column, "four apostrophes in a row: write that text in double quotes");
		} else if (*at == '\t') {
			return report_place(doc, line, column, "a tab: use spaces");
		} else if ((unsigned char)*at < 0x20 && *at != '\r') {
			return report_place(doc, line, column, "a control character");
		} else if (*at == '%' && column == 1) {
			return report_place(doc, line, column, "a YAML directive: leave the line out");
		}
		size_t step = utf8_step((const uint8_t *)at, (size_t)(end - at));

		if (step == 0) {
			return report_place(doc, line, column, "not UTF-8");
		}
		at += step - 1;
	}
	return 0;
}

/* `---` or `...` at the start of a line, which is a marker even inside of a text. */
static bool
is_marker(const char *line, size_t len, const char *marker)
{
	return len >= 3 && strncmp(line, marker, 3) == 0 && (len == 3 || line[3] == ' ' || line[3] == '\r');
}

/* libfyaml reads the first document and says nothing of what follows it. */
static int
check_single(struct yaml_doc *doc)
{
	bool begun = false;
	bool ended = false;
	uint32_t line = 1;

	for (const char *at = doc->text; *at; line++) {
		size_t len = strcspn(at, "\n");
		size_t indent = strspn(at, " \r");
		bool empty = indent >= len || at[indent] == '#';
		bool begins = is_marker(at, len, "---");
		bool ends = is_marker(at, len, "...");

		if ((begins && begun) || (ended && !ends && !empty)) {
			return report_place(doc, line, 1, "a second document: leave the line out");
		}
		begun = begun || (!empty && !ends);
		ended = ended || ends;
		at += len + (at[len] == '\n');
	}
	return 0;
}

/* Nothing but white space and comments. */
static bool
is_blank(const char *text)
{
	while (*text != '\0') {
		text += strspn(text, " \r\n");
		text += *text == '#' ? strcspn(text, "\n") : 0;
		if (*text != '\0' && *text != '\n') {
			return false;
		}
	}
	return true;
}

int
yaml_doc_open(struct yaml_doc *doc, const char *name, const char *text, char *report,
	size_t report_bytes)
{
	struct fy_diag_cfg diag_cfg;
	struct fy_parse_cfg parse_cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG};
	void *at = NULL;
	int err;

	*doc = (struct yaml_doc){.name = name, .text = text, .len = strlen(text), .report = report,
		.report_bytes = report_bytes};
	err = check_bytes(doc);
	err = err ? err : check_single(doc);
	if (err) {
		return err;
	}
	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag_cfg.output_fn = discard_output;
	doc->diag = fy_diag_create(&diag_cfg);
	if (!doc->diag) {
		return -ENOMEM;
	}
	fy_diag_set_collect_errors(doc->diag, true);
	parse_cfg.diag = doc->diag;
	doc->document = fy_document_build_from_string(&parse_cfg, text, doc->len);
	if (!doc->document && is_blank(text)) {
		return 0; /* libfyaml makes no document of nothing */
	}
	if (!doc->document) {
		err = report_parser_error(doc);
	} else if (fy_document_anchor_iterate(doc->document, &at)) {
		err = report_place(doc, 1, 1, "anchors (&name) are refused: write the value out");
	} else {
		err = check_node(doc, fy_document_root(doc->document), 0);
	}
	if (err) {
		yaml_doc_close(doc);
	}
	return err;
}

void
yaml_doc_close(struct yaml_doc *doc)
{
	if (doc->document) {
		fy_document_destroy(doc->document);
	}
	if (doc->diag) {
		fy_diag_destroy(doc->diag);
	}
	doc->document = NULL;
	doc->diag = NULL;
}

struct fy_node *
yaml_doc_root(const struct yaml_doc *doc)
{
	struct fy_node *root = doc->document ? fy_document_root(doc->document) : NULL;
	size_t len;

	if (root && fy_node_is_scalar(root) && (!fy_node_get_scalar(root, &len) || len == 0)) {
		return NULL;
	}
	return root;
}

int
yaml_doc_scalar(struct yaml_doc *doc, struct fy_node *node, char *ret_text, size_t room)
{
	const char *text;
	size_t len = 0;

	if (!node || !fy_node_is_scalar(node)) {
		return yaml_doc_complain(doc, node, "want one value, found a %s",
			node && fy_node_is_mapping(node) ? "mapping" : "list");
	}
	text = fy_node_get_scalar(node, &len);
	if (!text) {
		len = 0;
	}
	if (len >= room) {
		return yaml_doc_complain(doc, node, "longer than %zu bytes", room - 1);
	}
	if (len && memchr(text, '\0', len)) {
		return yaml_doc_complain(doc, node, "a NUL character");
	}
	if (len) {
		memcpy(ret_text, text, len);
	}
	ret_text[len] = '\0';
	return 0;
}
