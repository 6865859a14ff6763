/* A container's dossier: what whoever started it says of it, for people who are asked about it (which task, whose project). It is a JSON
 * object of strings, made from two sources: the container's annotations `dossier.NAME`, which stay as they are, and a file that the
 * annotation `dossier.meta_path` names, whose words may change while the container runs and count for more.
 *
 * Both were written by others. Only members that are strings are taken; their number, length and characters are bounded. */
#ifndef STATE_DOSSIER_H
#define STATE_DOSSIER_H

#include <stddef.h>

#define DOSSIER_MAX         2048 /* octets of the object as text, with its NUL */
#define DOSSIER_MEMBERS_MAX 32
#define DOSSIER_KEY_MAX     64  /* octets as they are printed; a longer one is left out */
#define DOSSIER_VALUE_MAX   256 /* octets; of a longer one the rest is left out */
#define DOSSIER_PREFIX      "dossier."
#define DOSSIER_META_PATH   DOSSIER_PREFIX "meta_path"

/* A text of somebody's that may be a JSON object; data NULL: there is none. */
struct dossier_source {
	const char *data;
	size_t length;
};

/* One object on one line, at most DOSSIER_MAX octets; of a member that both sources have, that of the second. A source that is no
 * JSON object gives nothing. Caller frees; NULL without memory. */
char *dossier_merge(struct dossier_source annotations, struct dossier_source meta);

#endif
