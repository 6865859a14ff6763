/* base/file.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

struct folder {
	char path[64];
	int fd;
};

static int folder_setup(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	if (!folder)
		return -1;
	strcpy(folder->path, "/tmp/shield-test-file.XXXXXX");
	if (!mkdtemp(folder->path))
		return -1;
	folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = folder;
	return folder->fd < 0;
}

/* Returns how many entries there were. */
static int folder_empty(struct folder *folder)
{
	cleanup_dir DIR *listing = opendir(folder->path);
	struct dirent *entry;
	int count = 0;

	while (listing && (entry = readdir(listing))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		count++;
		if (unlinkat(folder->fd, entry->d_name, 0) < 0)
			unlinkat(folder->fd, entry->d_name, AT_REMOVEDIR);
	}
	return count;
}

static int folder_teardown(void **state)
{
	struct folder *folder = *state;

	folder_empty(folder);
	close(folder->fd);
	rmdir(folder->path);
	free(folder);
	return 0;
}

static void what_was_written_is_read_again_whatever_its_size(void **state)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000};
	struct folder *folder = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		cleanup_free char *written = malloc(sizes[i] + 1);
		cleanup_free char *data = NULL;
		size_t length = 1;

		assert_non_null(written);
		memset(written, 'a' + (int)i, sizes[i]);
		assert_int_equal(file_replace(folder->fd, "f", 0600, written, sizes[i]), 0);
		assert_int_equal(file_read(folder->fd, "f", sizes[i], &data, &length), 0);
		assert_int_equal(length, sizes[i]);
		assert_memory_equal(data, written, length);
		assert_int_equal(data[length], '\0');
	}
}

static void a_file_over_the_bound_is_refused(void **state)
{
	struct folder *folder = *state;
	char *data = NULL;

	assert_int_equal(file_replace(folder->fd, "f", 0600, "12345", 5), 0);
	assert_int_equal(file_read(folder->fd, "f", 4, &data, NULL), -EFBIG);
	assert_null(data);
	assert_int_equal(file_read(folder->fd, "f", SIZE_MAX, &data, NULL), 0);
	free(data);
}

static void a_descriptor_is_read_to_its_end_or_to_the_bound(void **state)
{
	static const struct {
		size_t written, max;
		int result;
	} cases[] = {{0, 0, 0}, {1, 0, -EFBIG}, {5000, 5000, 0}, {5000, 4999, -EFBIG}, {30000, 60000, 0}, {30000, 4096, -EFBIG}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static const char zeros[30000];
		cleanup_free char *data = NULL;
		size_t length = 0;
		int ends[2];

		assert_int_equal(pipe(ends), 0);
		assert_int_equal(file_write_all(ends[1], zeros, cases[i].written), 0);
		close(ends[1]);
		assert_int_equal(file_read_fd(ends[0], cases[i].max, &data, &length), cases[i].result);
		if (cases[i].result == 0)
			assert_int_equal(length, cases[i].written);
		close(ends[0]);
	}
}

static void a_sysctl_is_read_whole(void **state)
{
	cleanup_free char *data = NULL;

	(void)state;
	assert_int_equal(file_read(AT_FDCWD, "/proc/sys/kernel/overflowuid", 4096, &data, NULL), 0);
	assert_string_equal(data, "65534\n");
}

static void links_and_what_is_no_regular_file_are_not_read(void **state)
{
	struct folder *folder = *state;
	char *data = NULL;

	assert_int_equal(file_replace(folder->fd, "f", 0600, "x", 1), 0);
	assert_int_equal(symlinkat("f", folder->fd, "link"), 0);
	assert_int_equal(mkfifoat(folder->fd, "fifo", 0600), 0);
	assert_int_equal(mkdirat(folder->fd, "folder", 0700), 0);
	assert_int_equal(file_read(folder->fd, "link", 10, &data, NULL), -ELOOP);
	assert_int_equal(file_read(folder->fd, "fifo", 10, &data, NULL), -EINVAL);
	assert_int_equal(file_read(folder->fd, "folder", 10, &data, NULL), -EINVAL);
	assert_int_equal(file_read(folder->fd, "missing", 10, &data, NULL), -ENOENT);
	assert_null(data);
}

static void replacing_sets_the_mode_whatever_the_umask_and_leaves_nothing_beside_the_file(void **state)
{
	struct folder *folder = *state;
	mode_t umask_before = umask(0077);
	struct stat status;

	folder_empty(folder);
	assert_int_equal(file_replace(folder->fd, "f", 0644, "old", 3), 0);
	umask(umask_before);
	assert_int_equal(file_replace(folder->fd, "f", 0640, "new", 3), 0);
	assert_int_equal(fstatat(folder->fd, "f", &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	assert_int_equal(folder_empty(folder), 1);
}

static void replacing_a_link_replaces_the_link_and_not_what_it_points_to(void **state)
{
	struct folder *folder = *state;
	cleanup_free char *data = NULL;

	assert_int_equal(file_replace(folder->fd, "target", 0600, "old", 3), 0);
	assert_int_equal(symlinkat("target", folder->fd, "replaced"), 0);
	assert_int_equal(file_replace(folder->fd, "replaced", 0600, "new", 3), 0);
	assert_int_equal(file_read(folder->fd, "target", 10, &data, NULL), 0);
	assert_string_equal(data, "old");
}

static void a_replacement_that_fails_leaves_nothing_behind(void **state)
{
	struct folder *folder = *state;

	folder_empty(folder);
	assert_int_equal(mkdirat(folder->fd, "folder", 0700), 0);
	assert_int_equal(file_replace(folder->fd, "folder", 0600, "x", 1), -EISDIR);
	assert_int_equal(file_replace(folder->fd, "missing/f", 0600, "x", 1), -ENOENT);
	assert_int_equal(file_replace(folder->fd, "folder/", 0600, "x", 1), -EINVAL);
	assert_int_equal(folder_empty(folder), 1);
}

static void a_path_with_folders_is_replaced_where_it_is(void **state)
{
	struct folder *folder = *state;
	cleanup_free char *data = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/by-path", folder->path);
	assert_int_equal(file_replace(AT_FDCWD, path, 0600, "x", 1), 0);
	assert_int_equal(file_read(folder->fd, "by-path", 10, &data, NULL), 0);
	assert_string_equal(data, "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read_again_whatever_its_size),
		cmocka_unit_test(a_file_over_the_bound_is_refused),
		cmocka_unit_test(a_sysctl_is_read_whole),
		cmocka_unit_test(a_descriptor_is_read_to_its_end_or_to_the_bound),
		cmocka_unit_test(links_and_what_is_no_regular_file_are_not_read),
		cmocka_unit_test(replacing_sets_the_mode_whatever_the_umask_and_leaves_nothing_beside_the_file),
		cmocka_unit_test(replacing_a_link_replaces_the_link_and_not_what_it_points_to),
		cmocka_unit_test(a_replacement_that_fails_leaves_nothing_behind),
		cmocka_unit_test(a_path_with_folders_is_replaced_where_it_is),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
