/* Several files of the bundle, replaced together: all are written beside the old ones first, then renamed one after the other. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "state/bundle_file.h"
#include "state/bundle_parse.h"

#define SHOWN(word) text_escaped((char[300]){0}, 300, word)

static bool has_content(const struct bundle *bundle, const char *name, const void *data, size_t length)
{
	cleanup_free char *old = NULL;
	size_t old_length;

	return bundle_read(bundle, name, BUNDLE_LIST_MAX, &old, &old_length, NULL) == 0 && old_length == length &&
	       (length == 0 || memcmp(old, data, length) == 0);
}

int bundle_stage_add(struct bundle_stage *stage, const char *name, const void *data, size_t length, struct error *error)
{
	const char *base;
	cleanup_fd int folder = bundle_file_folder(stage->bundle, name, &base, error);
	int result;

	if (folder < 0)
		return folder == -ENOENT ? bundle_write_failed(stage->bundle, name, ENOENT, error) : folder;
	if (stage->count == BUNDLE_STAGE_MAX || strlen(name) >= sizeof(stage->files[0].name))
		return error_set(error, E2BIG, "%s: too many files at once", SHOWN(name));
	if (strcmp(name, bundle_list_file(BUNDLE_PROFILE_ALLOWED)) == 0) {
		stage->sums.allowed = bundle_sum(data, length);
		stage->has_allowed = true;
	} else if (strcmp(name, bundle_list_file(BUNDLE_PROFILE_DOMAINS)) == 0) {
		stage->sums.domains = bundle_sum(data, length);
		stage->has_domains = true;
	}
	if (has_content(stage->bundle, name, data, length)) /* writing waits for the disk, and most runs change nothing */
		return 0;
	result = file_stage(folder, base, bundle_file_mode(name), data, length, stage->files[stage->count].temporary);
	if (result)
		return bundle_write_failed(stage->bundle, name, -result, error);
	snprintf(stage->files[stage->count].name, sizeof(stage->files[0].name), "%s", name);
	stage->count++;
	return 0;
}

/* Waits until the renames are on the disk, once for each folder. */
static int folders_sync(const struct bundle_stage *stage, const bool touched[2], struct error *error)
{
	for (int i = 0; i < 2; i++) {
		const char *base;
		cleanup_fd int folder = touched[i] ? bundle_file_folder(stage->bundle, i ? "hooks/x" : "x", &base, error) : -1;

		if (touched[i] && folder < 0)
			return folder == -ENOENT ? bundle_write_failed(stage->bundle, "hooks", ENOENT, error) : folder;
		if (touched[i] && fsync(folder))
			return error_errno(error, errno, "%s: waiting for the disk", SHOWN(stage->bundle->path));
	}
	return 0;
}

int bundle_stage_commit(struct bundle_stage *stage, struct error *error)
{
	bool touched[2] = {false, false};
	size_t done = 0;
	int result = 0;

	for (; result == 0 && done < stage->count; done += result == 0) {
		const char *base;
		cleanup_fd int folder = bundle_file_folder(stage->bundle, stage->files[done].name, &base, error);

		if (folder < 0)
			result = folder == -ENOENT ? bundle_write_failed(stage->bundle, stage->files[done].name, ENOENT, error) : folder;
		else if (renameat(folder, stage->files[done].temporary, folder, base))
			result = bundle_write_failed(stage->bundle, stage->files[done].name, errno, error);
		else
			touched[base != stage->files[done].name] = true;
	}
	memmove(stage->files, stage->files + done, (stage->count - done) * sizeof(stage->files[0]));
	stage->count -= done;
	return result ? result : folders_sync(stage, touched, error);
}

void bundle_stage_drop(struct bundle_stage *stage)
{
	for (size_t i = 0; i < stage->count; i++) {
		const char *base;
		cleanup_fd int folder = bundle_file_folder(stage->bundle, stage->files[i].name, &base, NULL);

		if (folder >= 0)
			unlinkat(folder, stage->files[i].temporary, 0);
	}
	stage->count = 0;
}
