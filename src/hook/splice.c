/* The insertion of hooks.
 *
 * Theory of operation. One recursive pass over the document checks all of it. On the way, a visitor for members is called at the few
 * levels that matter (top, annotations, hooks, a hook's list, an entry) and notes spans of text. Afterwards at most two edits are made, in
 * the order of their offsets.
 */
#include "hook/splice.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "hook/scan.h"

#define HOOK_NAME         "terok-shield-hook"
#define ANNOTATION_PREFIX "terok.shield."
#define STAGE_COUNT       2

static const char *const stage_names[STAGE_COUNT] = {"createRuntime", "poststop"};

/* ---- what is looked for ---- */

struct stage {
	bool present;      /* the member is there */
	bool null;         /* ... and null */
	bool complete;     /* its list has our hook */
	bool empty;        /* its list has no entry */
	size_t begin, end; /* of the value, as offsets */
};

struct document {
	const char *json;
	const char *problem; /* why the scan ended, NULL for a fault of syntax */
	bool has_annotations, shielded;
	bool has_hooks, hooks_null, hooks_empty;
	size_t top_begin;              /* behind the first '{' */
	size_t hooks_begin, hooks_end; /* of the value of "hooks" */
	struct stage stages[STAGE_COUNT];
	size_t stage; /* whose list is scanned */
};

struct entry {
	struct document *document;
	bool path_is_ours, stage_is_ours;
	size_t argument;
};

static bool fail(struct document *document, const char *problem)
{
	document->problem = problem;
	return false;
}

static bool is_null(const struct scan *scan)
{
	return scan_is(scan, 'n');
}

static bool argument_visit(struct scan *scan, void *context)
{
	struct entry *entry = context;
	char decoded[32];
	const char *text;
	size_t length;

	if (entry->argument++ != 1)
		return scan_value(scan);
	if (!scan_string(scan, &text, &length))
		return fail(entry->document, "an argument of a hook is not a string");
	scan_decode(text, length, decoded, sizeof(decoded));
	entry->stage_is_ours = strcmp(decoded, stage_names[entry->document->stage]) == 0;
	return true;
}

static bool entry_member_visit(struct scan *scan, void *context, const char *key, size_t key_length)
{
	struct entry *entry = context;
	char decoded[4096];
	const char *text, *slash;
	size_t length;

	scan_decode(key, key_length, decoded, sizeof(decoded));
	if (strcmp(decoded, "args") == 0 && !is_null(scan)) {
		entry->argument = 0;
		return scan_array(scan, argument_visit, entry);
	}
	if (strcmp(decoded, "path") != 0)
		return scan_value(scan);
	if (!scan_string(scan, &text, &length))
		return fail(entry->document, "the path of a hook is not a string");
	scan_decode(text, length, decoded, sizeof(decoded));
	slash = strrchr(decoded, '/');
	entry->path_is_ours = slash && strcmp(slash + 1, HOOK_NAME) == 0;
	return true;
}

static bool entry_visit(struct scan *scan, void *context)
{
	struct document *document = context;
	struct entry entry = {.document = document};

	if (!scan_is(scan, '{'))
		return fail(document, "an entry of a list of hooks is not an object");
	if (!scan_object(scan, entry_member_visit, &entry))
		return false;
	document->stages[document->stage].empty = false;
	document->stages[document->stage].complete |= entry.path_is_ours && entry.stage_is_ours;
	return true;
}

static bool stage_visit(struct scan *scan, struct document *document, size_t index)
{
	struct stage *stage = &document->stages[index];

	if (stage->present)
		return fail(document, "a stage of \"hooks\" is there twice");
	*stage = (struct stage){.present = true, .null = is_null(scan), .empty = true, .begin = (size_t)(scan->at - document->json)};
	document->stage = index;
	if (!stage->null && !scan_is(scan, '['))
		return fail(document, "a stage of \"hooks\" is not an array");
	if (!(stage->null ? scan_value(scan) : scan_array(scan, entry_visit, document)))
		return false;
	stage->end = (size_t)(scan->at - document->json);
	return true;
}

static bool hooks_member_visit(struct scan *scan, void *context, const char *key, size_t length)
{
	struct document *document = context;
	char decoded[32];

	document->hooks_empty = false;
	scan_decode(key, length, decoded, sizeof(decoded));
	for (size_t i = 0; i < STAGE_COUNT; i++)
		if (strcmp(decoded, stage_names[i]) == 0)
			return stage_visit(scan, document, i);
	return scan_value(scan);
}

static bool annotation_visit(struct scan *scan, void *context, const char *key, size_t length)
{
	struct document *document = context;
	char decoded[sizeof(ANNOTATION_PREFIX)];

	scan_decode(key, length, decoded, sizeof(decoded));
	document->shielded |= strcmp(decoded, ANNOTATION_PREFIX) == 0;
	return scan_value(scan);
}

static bool hooks_visit(struct scan *scan, struct document *document)
{
	if (document->has_hooks)
		return fail(document, "\"hooks\" is there twice");
	document->has_hooks = document->hooks_empty = true;
	document->hooks_null = is_null(scan);
	document->hooks_begin = (size_t)(scan->at - document->json);
	if (!document->hooks_null && !scan_is(scan, '{'))
		return fail(document, "\"hooks\" is not an object");
	if (!(document->hooks_null ? scan_value(scan) : scan_object(scan, hooks_member_visit, document)))
		return false;
	document->hooks_end = (size_t)(scan->at - document->json);
	return true;
}

static bool top_member_visit(struct scan *scan, void *context, const char *key, size_t length)
{
	struct document *document = context;
	char decoded[32];

	scan_decode(key, length, decoded, sizeof(decoded));
	if (strcmp(decoded, "hooks") == 0)
		return hooks_visit(scan, document);
	if (strcmp(decoded, "annotations") != 0)
		return scan_value(scan);
	if (document->has_annotations)
		return fail(document, "\"annotations\" is there twice");
	document->has_annotations = true;
	if (is_null(scan))
		return scan_value(scan);
	if (!scan_is(scan, '{'))
		return fail(document, "\"annotations\" is not an object");
	return scan_object(scan, annotation_visit, document);
}

static int document_scan(struct document *document, size_t length, struct error *error)
{
	struct scan scan = {.at = document->json, .end = document->json + length};
	bool good;

	scan_blanks(&scan);
	document->top_begin = (size_t)(scan.at - document->json) + 1;
	good = scan_object(&scan, top_member_visit, document);
	scan_blanks(&scan);
	if (good && scan.at == scan.end)
		return 0;
	if (document->problem)
		return error_set(error, EINVAL, "%s, at octet %zu", document->problem, (size_t)(scan.at - document->json));
	return error_set(error, EINVAL, "not a JSON object, at octet %zu", (size_t)(scan.at - document->json));
}

/* ---- the edits ---- */

void splice_add_string(struct text *text, const char *string)
{
	text_add(text, "\"");
	for (; *string; string++) {
		if (*string == '"' || *string == '\\')
			text_addf(text, "\\%c", *string);
		else if ((unsigned char)*string < 0x20)
			text_addf(text, "\\u%04x", (unsigned)*string);
		else
			text_add_bytes(text, string, 1);
	}
	text_add(text, "\"");
}

static void entry_add(struct text *text, size_t stage, const char *hook_path)
{
	text_add(text, "{\"path\":");
	splice_add_string(text, hook_path);
	text_addf(text, ",\"args\":[\"" HOOK_NAME "\",\"%s\"],\"env\":[\"PATH=/usr/sbin:/usr/bin:/sbin:/bin\"],\"timeout\":%d}",
		stage_names[stage], SPLICE_HOOK_TIMEOUT_S);
}

static void stage_add(struct text *text, size_t stage, const char *hook_path)
{
	text_addf(text, "\"%s\":[", stage_names[stage]);
	entry_add(text, stage, hook_path);
	text_add(text, "]");
}

static void both_stages_add(struct text *text, const char *hook_path)
{
	stage_add(text, 0, hook_path);
	text_add(text, ",");
	stage_add(text, 1, hook_path);
}

/* From offset `from`, up to the end of "hooks": its members as they are, each list with its new entry. */
static size_t hooks_edit(const struct document *document, const char *hook_path, struct text *out, size_t from)
{
	size_t first = document->stages[1].present && document->stages[1].begin < document->stages[0].begin ? 1 : 0;
	const char *json = document->json;

	for (size_t i = 0; i < STAGE_COUNT; i++) {
		size_t index = i ^ first;
		const struct stage *stage = &document->stages[index];

		if (!stage->present || stage->complete)
			continue;
		text_add_bytes(out, json + from, (stage->null ? stage->begin : stage->end - 1) - from);
		text_add(out, stage->null ? "[" : stage->empty ? "" : ",");
		entry_add(out, index, hook_path);
		text_add(out, "]");
		from = stage->end;
	}
	text_add_bytes(out, json + from, document->hooks_end - 1 - from);
	for (size_t i = 0, members = !document->hooks_empty; i < STAGE_COUNT; i++) {
		if (document->stages[i].present)
			continue;
		text_add(out, members++ ? "," : "");
		stage_add(out, i, hook_path);
	}
	return document->hooks_end - 1;
}

static void document_edit(const struct document *document, size_t length, const char *hook_path, struct text *out)
{
	const char *json = document->json;
	size_t from = 0;

	if (!document->has_hooks) { /* there is another member: the annotations */
		from = document->top_begin;
		text_add_bytes(out, json, from);
		text_add(out, "\"hooks\":{");
		both_stages_add(out, hook_path);
		text_add(out, "},");
	} else if (document->hooks_null) {
		text_add_bytes(out, json, document->hooks_begin);
		text_add(out, "{");
		both_stages_add(out, hook_path);
		text_add(out, "}");
		from = document->hooks_end;
	} else {
		from = hooks_edit(document, hook_path, out, from);
	}
	text_add_bytes(out, json + from, length - from);
}

int splice_config(
	const char *json, size_t length, const char *hook_path, struct text *out, enum splice_outcome *outcome, struct error *error)
{
	struct document document = {.json = json};
	int rc = document_scan(&document, length, error);

	if (rc)
		return rc;
	*outcome = SPLICE_NOT_SHIELDED;
	if (!document.shielded)
		return 0;
	*outcome = SPLICE_COMPLETE;
	if (document.stages[0].complete && document.stages[1].complete)
		return 0;
	*outcome = SPLICE_CHANGED;
	document_edit(&document, length, hook_path, out);
	return text_failed(out) ? error_set(error, ENOMEM, "no memory for the new document") : 0;
}
