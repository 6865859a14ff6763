/* What a container did, put together for `report`: its activity, grouped by destination; the lines of its lists, with what each let through;
 * what was decided about it, out of the audit log. Pure: report_page.h renders it. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "policy/policy.h"
#include "policy/shield_state.h"
#include "state/activity.h"
#include "state/bundle.h"

#define REPORT_ADDRESSES 3 /* of a destination that are shown */
#define REPORT_PORTS     6

/* ---- lines of the lists ---- */

#define REPORT_LINES_MAX 20000

struct report_line {
	char *rule;   /* owned */
	char *source; /* owned: the file that it came from */
	uint32_t number;
	bool refuses;        /* a '!' line, or of `deny` */
	size_t destinations; /* that it decided, of those in the report */
	uint64_t made, bytes;
};

struct report_lines {
	struct report_line *list;
	size_t count, more; /* more: beyond REPORT_LINES_MAX */
};

/* Adds those of a list's content. -ENOMEM. */
int report_lines_add(struct report_lines *lines, enum bundle_list list, const char *content);
/* Once all are added: for report_line_find(). */
void report_lines_sort(struct report_lines *lines);
/* The line that decided; NULL when none did, or it is not among them. */
struct report_line *report_line_find(const struct report_lines *lines, const struct policy_match *match);
void report_lines_free(struct report_lines *lines);

/* ---- events ---- */

#define REPORT_EVENTS_MAX 500 /* the last ones */

enum report_event_kind {
	REPORT_START,
	REPORT_UP,
	REPORT_DOWN,
	REPORT_DOWN_ALL,
	REPORT_BLOCK,
	REPORT_ALLOW,
	REPORT_DENY,
	REPORT_BUDGET,
	REPORT_ERROR,
	REPORT_NOTE, /* and whatever else the log has, except what is in the activity too */
};

struct report_event {
	int64_t at;
	enum report_event_kind kind;
	char *subject, *detail; /* owned; "" without */
};

struct report_events {
	struct report_event *list; /* oldest first */
	size_t count, more;        /* more: older ones that are left out */
};

/* Takes lines of the audit log, oldest first; those that are none are passed over. -ENOMEM. */
int report_events_take(struct report_events *events, char *const *lines, size_t count);
void report_events_free(struct report_events *events);

/* ---- destinations ---- */

enum report_class {
	REPORT_REACHED,  /* a line let it through */
	REPORT_BYPASSED, /* the shield was down */
	REPORT_REFUSED,
};
#define REPORT_CLASSES 3

struct report_port {
	uint16_t port;
	uint8_t protocol;
	bool has_port;
};

/* A name, or an address that no name has brought. One name may be in several classes: it was refused, then allowed. */
struct report_destination {
	enum report_class class;
	const char *name; /* borrowed from the activity; NULL: addr it is */
	struct addr addr;
	unsigned verdicts; /* 1 << enum activity_verdict, of all its rows */
	uint64_t queries, attempts, made, packets, bytes;
	int64_t first, last;
	struct addr addresses[REPORT_ADDRESSES];
	size_t address_count; /* all of them */
	struct report_port ports[REPORT_PORTS];
	size_t port_count;
	struct report_line *line;      /* that decides now; NULL: none does */
	bool line_allows, other_ports; /* what it says; of a refused one: it opens other ports only */
};

struct report {
	/* set by who wants one */
	const char *container, *version, *profiles; /* borrowed; profiles: names with ", " between them */
	enum shield_state state;
	int64_t made;
	const struct activity *activity; /* borrowed */
	struct report_lines lines;
	struct report_events events;
	/* by report_build() */
	struct report_destination *destinations; /* class by class, in each the most first */
	size_t count;
	size_t class_first[REPORT_CLASSES], class_count[REPORT_CLASSES];
	int64_t from, to; /* what it covers */
};

/* Groups the activity, finds the deciding lines and counts what they decided. -ENOMEM. */
int report_build(struct report *report, const struct policy *policy);
void report_free(struct report *report);
#define cleanup_report __attribute__((cleanup(report_free)))

/* The destination in words. */
const char *report_label(const struct report_destination *destination, char text[ADDR_TEXT_MAX]);

#endif
