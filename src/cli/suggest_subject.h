/* What suggestions are about: names, and addresses without one, each with all that the record says of it. */
#ifndef CLI_SUGGEST_SUBJECT_H
#define CLI_SUGGEST_SUBJECT_H

#include "cli/suggest.h"

/* Each once. */
struct suggest_ports {
	struct policy_port list[SUGGEST_PORTS_MAX];
	size_t count;
	bool more;
};

void suggest_ports_join(struct suggest_ports *to, const struct suggest_ports *from);

/* What went to an address that several names share: any of them may have been meant. */
struct suggest_loan {
	struct suggest_ports used, refused_at;
	uint64_t made, attempts, refusals;
};

/* All that the record says of a name, or of an address without one. */
struct suggest_subject {
	bool is_name;
	struct name name;
	struct addr addr;
	uint64_t questions, attempts, made;
	bool refused; /* a name was not answered, or a destination not let through; and not only before it learned */
	bool inside;  /* the same, since it is an inside address */
	bool denied;  /* all of it: by `deny`, or since the profile takes it out */
	struct suggest_ports used, refused_at, tried; /* where connections were made, refused, or neither */
	struct suggest_loan loan;
	bool lent_use, lent_refusal; /* there was none of its own */
	int64_t first, last;
};

struct suggest_subjects {
	struct suggest_subject *list;
	size_t count;
	size_t unwritable; /* rows whose name no profile can hold */
};

/* refused_from: what was refused before that time is passed over, as an attempt like others. -ENOMEM. Caller frees the list in either case. */
int suggest_subjects_gather(const struct activity *activity, int64_t refused_from, struct suggest_subjects *subjects);

/* Whether a row says something by itself: not what is told again in another row, and not what the kernel itself says to its neighbours. */
bool suggest_row_counts(const struct activity_row *row);

/* By the labels from the last one on, so that what belongs together stands together. */
int suggest_name_compare(const struct name *a, const struct name *b);
int suggest_addr_compare(const struct addr *a, const struct addr *b);

#endif
