/* The states of a shield and their names. */
#ifndef POLICY_SHIELD_STATE_H
#define POLICY_SHIELD_STATE_H

enum shield_state {
	SHIELD_UP,	 /* default-deny with the allow sets */
	SHIELD_DOWN,	 /* accept and log; private ranges and the deny sets still refused */
	SHIELD_DOWN_ALL, /* accept and log; only the deny sets refused */
	SHIELD_BLOCK,	 /* nothing passes */
	SHIELD_INACTIVE, /* no container runs */
	SHIELD_ERROR,	 /* it runs, and the ruleset is not what it should be */
};

/* "up", "down", "down_all", "block", "inactive", "error". */
const char *shield_state_name(enum shield_state state);

/* Also the later spellings: "quarantine" (block), "disengaged" (down_all), "offline" (inactive). Returns -EINVAL for another word. */
int shield_state_parse(enum shield_state *state, const char *word);

#endif
