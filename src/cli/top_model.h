/* What the screen of `top` knows: pure, without a terminal. */
#ifndef CLI_TOP_MODEL_H
#define CLI_TOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "cli/event.h"
#include "cli/learned.h"
#include "state/activity.h"

#define TOP_REFUSALS_MAX 512
#define TOP_SETTLED_MAX  32
#define TOP_LOOK_BACK_S  900 /* refusals of that time before the screen was opened are shown */
#define TOP_TARGET_MAX   (NAME_TEXT_MAX + 64)

/* An address that may be reached. */
struct top_address {
	struct setwriter_element element;
	uint64_t carried_packets, carried_bytes; /* of the times before, where a renewal began the kernel's counters anew */
	double bytes_rate;                       /* a second, between the last two samples */
	size_t rank;                             /* where it was shown last, SIZE_MAX for one that was not */
};

/* Something that did not get through: a name, or an address with port and protocol. */
struct top_refusal {
	enum event_kind kind;
	char what[TOP_TARGET_MAX]; /* the name, or the peer: what tells it from others */
	char name[NAME_TEXT_MAX];  /* of the address, "" when none ever brought it */
	char dest[64];             /* "" for a name */
	char why[96];
	uint64_t hash, count;
	uint64_t told, kept; /* count is the larger: what events said since the screen was opened; what the container's activity says */
	int64_t last_ms;
};

enum top_pane {
	TOP_ADDRESSES,
	TOP_REFUSALS,
};

enum top_key {
	TOP_UP,
	TOP_DOWN,
	TOP_PAGE_UP,
	TOP_PAGE_DOWN,
	TOP_OTHER_PANE,
	TOP_UNSELECT,
	TOP_ALLOW,
	TOP_DENY,
	TOP_HELP,
	TOP_QUIT,
	TOP_OTHER_KEY,
};

enum top_wish {
	TOP_WISH_NOTHING,
	TOP_WISH_QUIT,
	TOP_WISH_ALLOW, /* target */
	TOP_WISH_DENY,
};

/* Which line is selected is kept as what stands in it, never as where it stands: a verdict must not hit the one that has just come under the
 * bar. While one is selected lines keep their order, new ones come last, and the keys find what the eye has seen. When what is selected
 * goes away, nothing is selected. */
struct top_selection {
	bool any;
	enum top_pane pane;
	struct setwriter_element element; /* of TOP_ADDRESSES */
	uint64_t hash;                    /* of TOP_REFUSALS */
	char what[TOP_TARGET_MAX];
};

struct top_model {
	char container[129], state[16];
	struct top_address *addresses; /* sorted as learned_compare() does */
	struct top_address **shown;    /* the same, busiest first */
	size_t address_count, name_count;
	int64_t sampled_ms; /* 0: not yet */
	struct hash_key key;
	struct top_refusal *refusals; /* most often first once top_model_sort() was called */
	size_t refusal_count;
	uint64_t least_count;     /* of a full list, when it was last looked at */
	uint64_t forgotten, lost; /* refusals given up for others; events that did not come */
	struct top_settled {
		char target[TOP_TARGET_MAX];
		int64_t wall_s;
	} settled[TOP_SETTLED_MAX]; /* the last verdicts, so that what is remembered of the time before does not come back */
	size_t settled_count;       /* of all; the ring has the last of them */
	struct top_selection selection;
	size_t page; /* lines of the pane as last drawn */
	bool help;
	char blind[256]; /* why there are no events, "" normally */
	char said[256];  /* at the bottom, until said_until_ms */
	bool said_bad;
	int64_t said_until_ms;
	char target[TOP_TARGET_MAX]; /* of the last wish */
};

/* -ENOMEM. Free it in either case. */
int top_model_init(struct top_model *model, const char *container);
void top_model_free(struct top_model *model);

/* What the kernel's sets hold now. learned: as learned_unpack() made it; its list is read only. -ENOMEM leaves the model as it was. */
int top_model_sample(struct top_model *model, const struct learned *learned, int64_t now_ms);

void top_model_event(struct top_model *model, const struct event *event, int64_t now_ms);

/* A row of the container's activity: it counts every refusal at once, while events tell of repeats in their time. Rows of other verdicts,
 * those from before TOP_LOOK_BACK_S before opened, and those that were settled since are passed over. */
void top_model_activity(struct top_model *model, const struct activity_row *row, int64_t opened_wall_s, int64_t wall_s, int64_t now_ms);

/* A verdict has been applied to a target: what it was about is no longer news. */
void top_model_settled(struct top_model *model, const char *target, int64_t wall_s);

/* Puts both lists into the order in which they are shown; while a line is selected that is the one that they had. */
void top_model_sort(struct top_model *model);

/* A key. For an allow and a deny target is what the commands of these names take. */
enum top_wish top_model_key(struct top_model *model, enum top_key key);

/* Something to tell, for a few seconds. text is shown escaped. */
void top_model_say(struct top_model *model, bool bad, const char *text, int64_t now_ms);

/* There are no events any more, and why. */
void top_model_blind(struct top_model *model, const char *text);

/* The index of the selected line in its pane's list, or SIZE_MAX. */
size_t top_model_selected(const struct top_model *model, enum top_pane pane);

uint64_t top_address_packets(const struct top_address *address);
uint64_t top_address_bytes(const struct top_address *address);

#endif
