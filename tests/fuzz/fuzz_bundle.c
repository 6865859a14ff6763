/* The bundle's files from a hostile hand. The first octet chooses the file. */
#include <stdlib.h>
#include <string.h>

#include "state/bundle_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_settings(const char *data, size_t size)
{
	struct bundle_identity identity;
	struct settings settings;

	if (bundle_settings_parse(data, size, &identity, &settings, NULL) == 0 &&
		(!bundle_name_is_safe(identity.container) || settings.via == SETTINGS_VIA_AUTO))
		abort();
	bundle_identity_free(&identity);
}

static void try_runtime(const char *data, size_t size)
{
	struct bundle_runtime runtime;

	if (bundle_runtime_parse(data, size, &runtime, NULL) == 0 && (runtime.init_pid < 0 || runtime.proxy_pid < 0))
		abort();
}

static void try_shared(const char *data, size_t size)
{
	struct bundle_shared shared;

	if (bundle_shared_parse(data, size, &shared, NULL) == 0 &&
		(!bundle_name_is_safe(shared.member) || !bundle_name_is_safe(shared.shield) || *shared.path != '/'))
		abort();
}

static void try_members(const char *data, size_t size)
{
	struct bundle_members members;
	char *copy = strndup(data, size);

	if (!copy)
		abort();
	if (bundle_members_parse(copy, &members, NULL) == 0)
		for (size_t i = 0; i < members.count; i++)
			if (members.list[i].pid <= 0 || !bundle_name_is_safe(members.list[i].name) || !*members.list[i].id)
				abort();
	free(copy);
}

#define NOW_S 1767323045 /* 2026-01-02T03:04:05+00:00: lines of the corpus end before and after it */

/* A list that can be read stays readable after a change, and a second change finds nothing to do. */
static void try_list(enum bundle_list list, const char *data, size_t size)
{
	cleanup_policy struct policy *policy = policy_new(), *edited_policy = policy_new();
	cleanup_text struct text edited = {0}, again = {0};
	bool network = list == BUNDLE_PROFILE_ALLOWED || list == BUNDLE_LIVE_ALLOWED || list == BUNDLE_DENY_LIST, changed;
	const char *word = network ? "192.0.2.1" : "a.example";
	struct rule rule;

	if (!policy || !edited_policy || rule_parse(&rule, word, strlen(word), NULL))
		abort();
	if (bundle_list_parse(list, data, size, NOW_S, policy, NULL))
		return;
	for (enum bundle_edit edit = BUNDLE_EDIT_ADD; edit <= BUNDLE_EDIT_DROP_EQUAL; edit++) {
		text_free(&edited);
		text_free(&again);
		if (bundle_list_edit(list, data, size, edit, &rule, NOW_S, &edited, &changed, NULL) ||
			bundle_list_parse(list, edited.data ? edited.data : "", edited.length, NOW_S, edited_policy, NULL) ||
			bundle_list_edit(list, edited.data ? edited.data : "", edited.length, edit, &rule, NOW_S, &again, &changed, NULL) ||
			changed)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *rest = (const char *)data + 1;

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 's':
		try_settings(rest, size - 1);
		break;
	case 'r':
		try_runtime(rest, size - 1);
		break;
	case 'h':
		try_shared(rest, size - 1);
		break;
	case 'm':
		try_members(rest, size - 1);
		break;
	default:
		try_list((enum bundle_list)(data[0] % BUNDLE_LIST_COUNT), rest, size - 1);
	}
	return 0;
}
