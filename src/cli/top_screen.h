/* The terminal of `top`. There is one at a time. */
#ifndef CLI_TOP_SCREEN_H
#define CLI_TOP_SCREEN_H

#include "cli/top_model.h"

/* Takes the terminal over: standard input and output. -ENOTTY and -ENODEV with what to use instead where that is none, or one that cannot
 * place the cursor. */
int top_screen_open(struct error *error);
/* Gives it back as it was. Harmless when it is not open. */
void top_screen_close(void);

/* True with the next key, without waiting; false when there is none. A change of the terminal's size is TOP_OTHER_KEY: draw anew. */
bool top_screen_key(enum top_key *key);

void top_screen_draw(struct top_model *model, int64_t now_ms);

#endif
