/* The states of a shield and their names. */
#include "policy/shield_state.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* The first spelling of a state is the one that is printed. */
static const struct {
	const char *word;
	enum shield_state state;
} shield_state_words[] = {
	{"up", SHIELD_UP},
	{"down", SHIELD_DOWN},
	{"down_all", SHIELD_DOWN_ALL},
	{"block", SHIELD_BLOCK},
	{"inactive", SHIELD_INACTIVE},
	{"error", SHIELD_ERROR},
	{"disengaged", SHIELD_DOWN_ALL},
	{"quarantine", SHIELD_BLOCK},
	{"offline", SHIELD_INACTIVE},
};

#define WORD_COUNT (sizeof(shield_state_words) / sizeof(shield_state_words[0]))

const char *shield_state_name(enum shield_state state)
{
	for (size_t i = 0; i < WORD_COUNT; i++)
		if (shield_state_words[i].state == state)
			return shield_state_words[i].word;
	return "error";
}

int shield_state_parse(enum shield_state *state, const char *word)
{
	for (size_t i = 0; i < WORD_COUNT; i++)
		if (strcmp(shield_state_words[i].word, word) == 0) {
			*state = shield_state_words[i].state;
			return 0;
		}
	return -EINVAL;
}
