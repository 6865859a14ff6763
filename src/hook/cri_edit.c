/* Changing the documents: see cri.h.
 *
 * Theory of operation. One pass of the scanner. What is to be changed is written anew where it stands; everything between, and behind, is
 * copied as it is: `copied` is how far that has come. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "hook/cri.h"
#include "hook/scan.h"
#include "hook/splice.h"

struct edit {
	const char *json;
	struct text *out;
	size_t copied;
	/* cri_capability_drop() */
	const char *capability; /* without "CAP_" */
	struct text kept;       /* the elements of an array that stay */
	bool dropped;           /* ... and whether any does not */
	/* cri_annotations_add() */
	const struct cri_annotation *annotations;
	size_t count;
	bool done;
};

static bool key_is(const char *key, size_t length, const char *name)
{
	char decoded[32];

	scan_decode(key, length, decoded, sizeof(decoded));
	return strcmp(decoded, name) == 0;
}

static size_t offset_of(const struct edit *edit, const struct scan *scan)
{
	return (size_t)(scan->at - edit->json);
}

/* Scans the whole document, and copies the rest of it. */
static int edit_run(struct edit *edit, size_t length, member_visitor *top, struct error *error)
{
	struct scan scan = {.at = edit->json, .end = edit->json + length};
	bool good;

	scan_blanks(&scan);
	good = scan_object(&scan, top, edit);
	scan_blanks(&scan);
	if (!good || scan.at != scan.end)
		return error_set(error, EINVAL, "not a JSON object of the expected members, at octet %zu", offset_of(edit, &scan));
	text_add_bytes(edit->out, edit->json + edit->copied, length - edit->copied);
	return text_failed(edit->out) || text_failed(&edit->kept) ? error_set(error, ENOMEM, "no memory for the new document") : 0;
}

/* ---- capabilities ---- */

static bool capability_visit(struct scan *scan, void *context)
{
	struct edit *edit = context;
	char decoded[64];
	const char *begin = scan->at, *name = decoded, *text;
	size_t length;

	if (!scan_string(scan, &text, &length))
		return false;
	scan_decode(text, length, decoded, sizeof(decoded));
	if (strncasecmp(name, "CAP_", strlen("CAP_")) == 0)
		name += strlen("CAP_");
	if (strcasecmp(name, edit->capability) == 0) {
		edit->dropped = true;
		return true;
	}
	text_add(&edit->kept, edit->kept.length ? "," : "");
	text_add_bytes(&edit->kept, begin, (size_t)(scan->at - begin));
	return true;
}

static bool set_visit(struct scan *scan, void *context, const char *key, size_t length)
{
	struct edit *edit = context;
	size_t begin = offset_of(edit, scan);

	(void)key;
	(void)length;
	if (!scan_is(scan, '['))
		return scan_value(scan);
	edit->kept.length = 0;
	edit->dropped = false;
	if (!scan_array(scan, capability_visit, edit))
		return false;
	if (!edit->dropped)
		return true;
	text_add_bytes(edit->out, edit->json + edit->copied, begin - edit->copied);
	text_add(edit->out, "[");
	text_add_bytes(edit->out, edit->kept.length ? edit->kept.data : "", edit->kept.length);
	text_add(edit->out, "]");
	edit->copied = offset_of(edit, scan);
	return true;
}

static bool process_member_visit(struct scan *scan, void *context, const char *key, size_t length)
{
	return key_is(key, length, "capabilities") && scan_is(scan, '{') ? scan_object(scan, set_visit, context) : scan_value(scan);
}

static bool config_member_visit(struct scan *scan, void *context, const char *key, size_t length)
{
	return key_is(key, length, "process") && scan_is(scan, '{') ? scan_object(scan, process_member_visit, context) : scan_value(scan);
}

int cri_capability_drop(
	enum cri_document document, const char *json, size_t length, const char *name, struct text *out, struct error *error)
{
	struct edit edit = {.json = json, .out = out, .capability = name + strlen("CAP_")};
	int rc = edit_run(&edit, length, document == CRI_CONFIG ? config_member_visit : process_member_visit, error);

	text_free(&edit.kept);
	return rc;
}

/* ---- annotations ---- */

static bool annotations_visit(struct scan *scan, void *context, const char *key, size_t length)
{
	struct edit *edit = context;

	if (!key_is(key, length, "annotations"))
		return scan_value(scan);
	if (!scan_is(scan, '{') || edit->done)
		return false;
	edit->done = true;
	text_add_bytes(edit->out, edit->json, offset_of(edit, scan) + 1);
	edit->copied = offset_of(edit, scan) + 1;
	for (size_t i = 0; i < edit->count; i++) {
		splice_add_string(edit->out, edit->annotations[i].name);
		text_add(edit->out, ":");
		splice_add_string(edit->out, edit->annotations[i].value);
		text_add(edit->out, ",");
	}
	return scan_value(scan);
}

int cri_annotations_add(
	const char *json, size_t length, const struct cri_annotation *annotations, size_t count, struct text *out, struct error *error)
{
	struct edit edit = {.json = json, .out = out, .annotations = annotations, .count = count};
	int rc = edit_run(&edit, length, annotations_visit, error);

	return !rc && !edit.done ? error_set(error, EINVAL, "there are no annotations") : rc;
}
