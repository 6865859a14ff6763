/* The audit log of one container: audit.jsonl in the bundle, one JSON object a line,
 * {"ts","container","action"[,"dest"][,"detail"]} and what an event adds.
 *
 * Hook, forwarder and CLI append at once: a line is one write(2) to an O_APPEND descriptor and at most 4096 octets. Over 4 MiB the
 * file is rotated to audit.jsonl.1 (one generation kept). Strings are escaped by cJSON after invalid UTF-8 and control characters went through text_add_escaped(). */
#ifndef STATE_AUDIT_H
#define STATE_AUDIT_H

#include "base/error.h"
#include "state/bundle.h"

#define AUDIT_ROTATE_OCTETS (4u << 20)
#define AUDIT_LINE_MAX 4096 /* octets, with its newline */

/* Zero fields are left out. */
struct audit_event {
	const char *action; /* setup, allowed, denied, shield_down, shield_up, shield_block, note, error, blocked, budget */
	const char *dest;
	const char *detail;
	const char *domain;
	const char *protocol; /* "tcp", "udp", or a number */
	const char *dossier;  /* of dossier_merge() */
	uint16_t port;
	uint64_t count; /* of what the line is about; left out up to 1 */
};

/* container: the name that goes into each line. Returns 0 or -errno; a full disk must not stop the caller, who may ignore it. */
int audit_write(const struct bundle *bundle, const char *container, const struct audit_event *event);

/* Appends one line, a JSON object without its newline that the caller has made and bounded; needs no library. As audit_write(); -EMSGSIZE when it is too long. */
int audit_append(const struct bundle *bundle, const char *line);

/* The last `count` lines of the log (rotated generation included), oldest first; lines that are not JSON objects are passed over and
 * counted in *damaged (may be NULL). lines: array of strings without newline; free with audit_lines_free(). A missing log gives none. */
int audit_tail(const struct bundle *bundle, size_t count, char ***lines, size_t *line_count, size_t *damaged, struct error *error);
void audit_lines_free(char **lines, size_t line_count);

#endif
