/* Where the other programs are, and running one. */
#include "hook/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

int program_beside(char path[PATH_MAX], const char *name, struct error *error)
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	if (length < 0)
		return error_errno(error, errno, "cannot read /proc/self/exe");
	path[length] = '\0';
	slash = strrchr(path, '/');
	if (!slash || (size_t)(slash + 1 - path) + strlen(name) >= PATH_MAX)
		return error_set(error, ENAMETOOLONG, "the path of this program is too long");
	strcpy(slash + 1, name);
	if (access(path, X_OK) != 0)
		return error_errno(error, errno, "%s is missing or cannot be executed, install terok-shield again",
			text_escaped((char[512]){0}, 512, path));
	return 0;
}

int program_capture(char *const arguments[], bool both, unsigned timeout_ms, struct text *output)
{
	int ends[2], status, rc;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	child = fork();
	if (child == 0) {
		if (dup2(ends[1], STDOUT_FILENO) < 0 || (both && dup2(ends[1], STDERR_FILENO) < 0))
			_exit(127);
		execv(arguments[0], arguments);
		_exit(127);
	}
	rc = child < 0 ? -errno : 0;
	close(ends[1]);
	if (!rc)
		rc = file_read_pipe(ends[0], PROGRAM_OUTPUT_MAX, timeout_ms, output);
	close(ends[0]);
	if (child < 0)
		return rc;
	if (rc)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (rc)
		return rc;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}
