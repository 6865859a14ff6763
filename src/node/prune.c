/* Removing the oldest bundles: see prune.h. */
#include "node/prune.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "state/bundle.h"

#define CANDIDATES_MAX 65536

struct candidate {
	time_t changed_s;
	char name[NAME_MAX + 1];
};

struct candidates {
	struct candidate *entries;
	size_t count, capacity;
};

static bool candidates_add(struct candidates *candidates, const char *name, time_t changed_s)
{
	if (candidates->count == candidates->capacity) {
		size_t capacity = candidates->capacity ? candidates->capacity * 2 : 64;
		struct candidate *grown = realloc(candidates->entries, capacity * sizeof(*grown));

		if (!grown)
			return false;
		candidates->entries = grown;
		candidates->capacity = capacity;
	}
	candidates->entries[candidates->count].changed_s = changed_s;
	strcpy(candidates->entries[candidates->count++].name, name); /* of a directory entry */
	return true;
}

static int youngest_first(const void *a, const void *b)
{
	const struct candidate *one = a, *other = b;

	return one->changed_s < other->changed_s ? 1 : one->changed_s > other->changed_s ? -1 : strcmp(one->name, other->name);
}

static bool has_ended(const struct bundle *bundle)
{
	struct bundle_runtime runtime;
	cleanup_fd int init_fd = -1;
	cleanup_fd int proxy_fd = -1;
	int rc = bundle_runtime_read(bundle, &runtime, NULL);

	if (rc)
		return rc == -ENOENT;
	init_fd = bundle_process_open(runtime.init_pid, runtime.init_start);
	proxy_fd = bundle_process_open(runtime.proxy_pid, runtime.proxy_start);
	return init_fd < 0 && proxy_fd < 0;
}

static void bundle_prune(const char *folder, const char *name)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	cleanup_fd int lock_fd = -1;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path) || bundle_open(&bundle, path, NULL) != 0)
		return;
	lock_fd = bundle_lock(&bundle, 0, NULL);
	if (lock_fd >= 0 && has_ended(&bundle) && bundle_erase(&bundle, NULL) == 0)
		bundle_erase_folder(&bundle, NULL);
}

void prune(const char *folder, size_t keep)
{
	cleanup_dir DIR *listing = opendir(folder);
	struct candidates candidates = {0};
	int64_t now_s = clock_wall_s();

	for (const struct dirent *entry; listing && candidates.count < CANDIDATES_MAX && (entry = readdir(listing));) {
		cleanup_bundle struct bundle bundle = BUNDLE_INIT;
		char path[PATH_MAX];
		struct stat status;

		if (!bundle_name_is_safe(entry->d_name) ||
			snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >= (int)sizeof(path))
			continue;
		if (bundle_open(&bundle, path, NULL) == 0 && fstat(bundle.fd, &status) == 0 && has_ended(&bundle) &&
			!candidates_add(&candidates, entry->d_name, status.st_mtime))
			break;
	}
	if (candidates.count > keep)
		qsort(candidates.entries, candidates.count, sizeof(*candidates.entries), youngest_first);
	for (size_t i = keep; i < candidates.count; i++)
		if (candidates.entries[i].changed_s + PRUNE_AGE_S < now_s)
			bundle_prune(folder, candidates.entries[i].name);
	free(candidates.entries);
}
