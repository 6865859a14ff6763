/* The defaults, and the words of the configuration. */
#include "policy/settings.h"

#include <errno.h>
#include <string.h>

static const char *const reject_words[] = {
	[SETTINGS_REJECT_ICMP] = "icmp",
	[SETTINGS_REJECT_RESET] = "reset",
};

static const char *const via_words[] = {
	[SETTINGS_VIA_AUTO] = "auto",
	[SETTINGS_VIA_HOST] = "host",
	[SETTINGS_VIA_CONTAINER] = "container",
};

static const char *const deny_words[] = {
	[SETTINGS_DENY_NXDOMAIN] = "nxdomain",
	[SETTINGS_DENY_REFUSED] = "refused",
};

#define WORD_COUNT(words) (sizeof(words) / sizeof((words)[0]))

/* The index of a word, or -EINVAL. */
static int settings_word_find(const char *const *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return (int)i;
	return -EINVAL;
}

void settings_init(struct settings *settings)
{
	*settings = (struct settings){
		.reject = SETTINGS_REJECT_ICMP,
		.via = SETTINGS_VIA_AUTO,
		.deny = SETTINGS_DENY_NXDOMAIN,
		.audit = true,
		.budget_names = SETTINGS_BUDGET_NAMES,
		.budget_octets = SETTINGS_BUDGET_OCTETS,
	};
}

const char *settings_reject_name(enum settings_reject reject)
{
	return reject_words[reject];
}

int settings_reject_parse(enum settings_reject *reject, const char *word)
{
	int found = settings_word_find(reject_words, WORD_COUNT(reject_words), word);

	if (found < 0)
		return found;
	*reject = (enum settings_reject)found;
	return 0;
}

const char *settings_via_name(enum settings_via via)
{
	return via_words[via];
}

int settings_via_parse(enum settings_via *via, const char *word)
{
	int found = settings_word_find(via_words, WORD_COUNT(via_words), word);

	if (found < 0)
		return found;
	*via = (enum settings_via)found;
	return 0;
}

const char *settings_deny_name(enum settings_deny deny)
{
	return deny_words[deny];
}

int settings_deny_parse(enum settings_deny *deny, const char *word)
{
	int found = settings_word_find(deny_words, WORD_COUNT(deny_words), word);

	if (found < 0)
		return found;
	*deny = (enum settings_deny)found;
	return 0;
}
