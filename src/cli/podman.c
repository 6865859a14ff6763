/* The podman program. */
#include "cli/podman.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#define CAPTURE_OCTETS_MAX (1u << 20)
#define CAPTURE_TIMEOUT_MS 20000
#define COMPLAINT_OCTETS_MAX 1024
#define VERSION_FILE       "podman-version"

int podman_find_program(const char *program, char path[PATH_MAX])
{
	const char *folders = getenv("PATH");
	if (!folders || !*folders)
		folders = "/usr/local/bin:/usr/bin:/bin";
	for (const char *at = folders;;) {
		size_t length = strcspn(at, ":");
		/* A relative folder depends on where the caller stands: not for us. */
		if (length > 0 && at[0] == '/') {
			int written = snprintf(path, PATH_MAX, "%.*s/%s", (int)length, at, program);
			struct stat status;
			if (written > 0 && written < PATH_MAX && access(path, X_OK) == 0 && stat(path, &status) == 0 &&
				S_ISREG(status.st_mode))
				return 0;
		}
		if (!at[length])
			return -ENOENT;
		at += length + 1;
	}
}

/* In the child: never returns. */
static void capture_exec(char *const *arguments, int output_fd, int complaint_fd)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(output_fd, 1) < 0 || dup2(complaint_fd < 0 ? null_fd : complaint_fd, 2) < 0)
		_exit(127);
	execv(arguments[0], arguments);
	_exit(127);
}

/* The last line of what a program wrote to its standard error: podman's reason stands behind its warnings. */
static int complain(const char *program, const char *word, int complaint_fd, struct error *error)
{
	char text[COMPLAINT_OCTETS_MAX + 1], shown[300];
	off_t end = complaint_fd < 0 ? 0 : lseek(complaint_fd, 0, SEEK_END);
	off_t start = end > COMPLAINT_OCTETS_MAX ? end - COMPLAINT_OCTETS_MAX : 0;
	ssize_t length = end > 0 ? pread(complaint_fd, text, COMPLAINT_OCTETS_MAX, start) : 0;
	while (length > 0 && text[length - 1] == '\n')
		length--;
	text[length > 0 ? length : 0] = '\0';
	const char *line = strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
	line += strncmp(line, "Error: ", 7) == 0 ? 7 : 0;
	return error_set(error, EREMOTEIO, "%s %s failed%s%s", program, word, *line ? ": " : "", text_escaped(shown, sizeof(shown), line));
}

int podman_capture(char *const *arguments, char **output, struct error *error)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return error_errno(error, errno, "cannot make a pipe for %s", arguments[0]);
	cleanup_fd int read_fd = ends[0];
	cleanup_fd int write_fd = ends[1];
	cleanup_fd int complaint_fd = memfd_create("complaint", MFD_CLOEXEC); /* without it the reason is missing, no more */
	pid_t child = fork();
	if (child < 0)
		return error_errno(error, errno, "cannot start %s", arguments[0]);
	if (child == 0)
		capture_exec(arguments, write_fd, complaint_fd);
	close(take_fd(write_fd));
	cleanup_text struct text text = {0};
	int rc = file_read_pipe(read_fd, CAPTURE_OCTETS_MAX, CAPTURE_TIMEOUT_MS, &text);
	if (rc)
		kill(child, SIGKILL);
	int status = 0;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (rc)
		return error_errno(error, -rc, "cannot read what %s prints", arguments[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return complain(arguments[0], arguments[1] ? arguments[1] : "", complaint_fd, error);
	*output = text_take(&text);
	return *output ? 0 : error_set(error, ENOMEM, "out of memory");
}

static int version_parse(const char *word, struct podman_version *version)
{
	size_t length = strspn(word, "0123456789.");
	size_t whole = strcspn(word, " \n");
	if (length == 0 || word[0] == '.' || whole >= sizeof(version->text))
		return -EINVAL;
	memcpy(version->text, word, whole);
	version->text[whole] = '\0';
	version->major = (unsigned)strtoul(word, NULL, 10);
	char shown[sizeof(version->text)];
	return strcmp(text_escaped(shown, sizeof(shown), version->text), version->text) == 0 ? 0 : -EINVAL;
}

int podman_version_get(const char *root, struct podman_version *version, struct error *error)
{
	char path[PATH_MAX], key[PATH_MAX + 128];
	if (podman_find_program("podman", path))
		return error_set(error, ENOENT, "podman is not in $PATH: install it");
	struct stat status;
	if (stat(path, &status))
		return error_errno(error, errno, "cannot look at %s", path);
	snprintf(key, sizeof(key), "%s %lld %lld.%09ld %llu\n", path, (long long)status.st_size, (long long)status.st_mtim.tv_sec,
		status.st_mtim.tv_nsec, (unsigned long long)status.st_ino);
	cleanup_fd int root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *kept = NULL;
	size_t key_length = strlen(key);
	if (root_fd >= 0 && file_read(root_fd, VERSION_FILE, sizeof(key) + 64, &kept, NULL) == 0 && strncmp(kept, key, key_length) == 0 &&
		version_parse(kept + key_length, version) == 0)
		return 0;
	cleanup_free char *output = NULL;
	int rc = podman_capture((char *[]){path, "--version", NULL}, &output, error);
	if (rc)
		return rc;
	static const char prefix[] = "podman version ";
	const char *word = strncmp(output, prefix, sizeof(prefix) - 1) == 0 ? output + sizeof(prefix) - 1 : output;
	if (version_parse(word, version))
		return error_set(error, EPROTO, "%s --version prints no version", path);
	/* A folder without containers may be anybody's: asking for the version leaves nothing there. */
	if (root_fd >= 0 && faccessat(root_fd, "containers", F_OK, 0) == 0) {
		char content[sizeof(key) + 64];
		int length = snprintf(content, sizeof(content), "%s%s\n", key, version->text);
		file_replace(root_fd, VERSION_FILE, 0600, content, (size_t)length); /* only a cache */
	}
	return 0;
}
