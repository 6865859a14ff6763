/* The table as nft prints it, its sets in a stable order. */
#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include "cli/look.h"

/* Adds it. look: taken with LOOK_LISTING and LOOK_LEARNED. -ENOMEM. */
int listing_add(struct text *output, const struct look *look);

#endif
