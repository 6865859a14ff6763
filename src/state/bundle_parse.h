/* Private to this folder and its tests: the meaning of the bundle's files, from memory. */
#ifndef STATE_BUNDLE_PARSE_H
#define STATE_BUNDLE_PARSE_H

#include "base/text.h"
#include "state/bundle.h"

/* What bundle_settings_read(), bundle_runtime_read(), bundle_shared_read(), bundle_members_read() and bundle_policy_load() do with what
 * they read; data need not end in a NUL where it has a length. */
int bundle_settings_parse(
	const char *data, size_t length, struct bundle_identity *identity, struct settings *settings, struct error *error);
int bundle_runtime_parse(const char *data, size_t length, struct bundle_runtime *runtime, struct error *error);
int bundle_shared_parse(const char *data, size_t length, struct bundle_shared *shared, struct error *error);
/* data ends in a NUL, and is cut up. All of them, whether they live or not. */
int bundle_members_parse(char *data, struct bundle_members *members, struct error *error);
/* Lines that hold at now_s are taken into the policy. */
int bundle_list_parse(enum bundle_list list, const char *data, size_t length, int64_t now_s, struct policy *policy,
	struct error *error);

/* The checksum of a profile list as it is in settings.json. */
uint64_t bundle_sum(const void *data, size_t length);

enum bundle_edit {
	BUNDLE_EDIT_ADD,        /* the rule is in it afterwards, once */
	BUNDLE_EDIT_DROP_SAME,  /* no line for the same name or network is in it, whatever its port */
	BUNDLE_EDIT_DROP_EQUAL, /* no equal line is in it */
};

/* The edited list. Comments and all other lines stay, in their order, except those that have ended at now_s. result: empty at first. *changed: whether it says
 * something else than data. */
int bundle_list_edit(enum bundle_list list, const char *data, size_t length, enum bundle_edit edit, const struct rule *rule,
	int64_t now_s, struct text *result, bool *changed, struct error *error);

#endif
