/* Stands in for libFuzzer where there is none: runs the target once on every file of the folders named as arguments.
 * A folder that is missing or empty is a failure, so that a lost corpus does not pass for a replayed one. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_folder(const char *path)
{
	cleanup_dir DIR *folder = opendir(path);
	struct dirent *entry;
	int count = 0;

	if (!folder) {
		perror(path);
		return 1;
	}
	while ((entry = readdir(folder))) {
		cleanup_free char *data = NULL;
		cleanup_free uint8_t *copy = NULL;
		size_t length = 0;

		if (entry->d_name[0] == '.')
			continue;
		if (file_read(dirfd(folder), entry->d_name, 1u << 20, &data, &length)) {
			fprintf(stderr, "%s/%s: cannot be read\n", path, entry->d_name);
			return 1;
		}
		copy = malloc(length ? length : 1); /* exact size: a sanitizer sees the first octet behind */
		if (!copy)
			return 1;
		memcpy(copy, data, length);
		LLVMFuzzerTestOneInput(copy, length);
		count++;
	}
	printf("%s: %d inputs replayed\n", path, count);
	return count == 0;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		if (argv[i][0] != '-')
			failed |= replay_folder(argv[i]);
	return failed;
}
