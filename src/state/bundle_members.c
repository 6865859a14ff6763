/* Who is under the shield: processes, and the members of a network namespace. Of libc alone, since the supervisor reads them too. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/proc_stat.h"
#include "base/text.h"
#include "state/bundle_parse.h"

#define PROC_MAX           65536
#define MEMBERS_OCTETS_MAX (BUNDLE_MEMBERS_MAX * 256)

/* ---- processes ---- */

int bundle_process_start(pid_t pid, uint64_t *start)
{
	cleanup_free char *data = NULL;
	char name[64];
	int result;

	if (pid <= 0)
		return -ESRCH;
	snprintf(name, sizeof(name), "/proc/%d/stat", (int)pid);
	result = file_read(AT_FDCWD, name, PROC_MAX, &data, NULL);
	if (result)
		return result == -ENOENT ? -ESRCH : result;
	return proc_stat_number(data, PROC_STAT_START, start) ? 0 : -EIO;
}

int bundle_process_open(pid_t pid, uint64_t start)
{
	cleanup_fd int fd = -1;
	struct pollfd end;
	uint64_t found;
	int result;

	if (pid <= 0)
		return -ESRCH;
	/* The descriptor first: what is read then is of this process, or of a later one, whose start differs. */
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return errno == EINVAL ? -ESRCH : -errno;
	result = bundle_process_start(pid, &found);
	if (result)
		return result;
	end = (struct pollfd){.fd = fd, .events = POLLIN};
	if (found != start || poll(&end, 1, 0) > 0) /* another one; or ended, and its parent has not waited for it */
		return -ESRCH;
	return take_fd(fd);
}

/* ---- members ---- */

/* One of which it cannot be told is taken for one that does. */
static bool member_lives(const struct bundle_member *member)
{
	cleanup_fd int fd = bundle_process_open(member->pid, member->start);

	return fd != -ESRCH;
}

static bool member_parse(const char *line, struct bundle_member *member)
{
	int64_t pid;
	int end = -1;

	if (sscanf(line, "%" SCNd64 " %" SCNu64 " %64[0-9a-zA-Z_+.-] %128[0-9a-zA-Z_.-]%n", &pid, &member->start, member->id, member->name,
		    &end) != 4)
		return false;
	member->pid = (pid_t)pid;
	return line[end] == '\0' && pid > 0 && pid <= INT32_MAX && bundle_name_is_safe(member->name);
}

int bundle_members_parse(char *data, struct bundle_members *members, struct error *error)
{
	unsigned number = 1;
	char *rest = NULL;

	members->count = 0;
	for (char *line = strtok_r(data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), number++) {
		if (number > BUNDLE_MEMBERS_MAX || !member_parse(line, &members->list[members->count]))
			return error_set(
				error, EINVAL, "%s:%u: '%s' is no member", BUNDLE_MEMBERS, number, text_escaped((char[128]){0}, 128, line));
		members->count++;
	}
	return 0;
}

int bundle_members_read(const struct bundle *bundle, struct bundle_members *members, struct error *error)
{
	cleanup_free char *data = NULL;
	struct error unread = {0};
	int result = bundle_read(bundle, BUNDLE_MEMBERS, MEMBERS_OCTETS_MAX, &data, NULL, &unread);
	size_t living = 0;

	members->count = 0;
	if (result == -ENOENT)
		return 0;
	if (result)
		return error_set(error, unread.code, "%s", unread.text);
	result = bundle_members_parse(data, members, error);
	for (size_t i = 0; i < members->count; i++)
		if (member_lives(&members->list[i]))
			members->list[living++] = members->list[i];
	members->count = living;
	return result;
}

int bundle_members_write(const struct bundle *bundle, const struct bundle_members *members, struct error *error)
{
	cleanup_text struct text text = {0};

	for (size_t i = 0; i < members->count; i++) {
		const struct bundle_member *member = &members->list[i];

		text_addf(&text, "%d %" PRIu64 " %s %s\n", (int)member->pid, member->start, member->id, member->name);
	}
	if (text_failed(&text))
		return error_errno(error, ENOMEM, "%s", BUNDLE_MEMBERS);
	return bundle_write_volatile(bundle, BUNDLE_MEMBERS, text.data ? text.data : "", text.length, error);
}

int bundle_members_add(struct bundle_members *members, const struct bundle_member *member, struct error *error)
{
	bundle_members_remove(members, member->id);
	if (members->count == BUNDLE_MEMBERS_MAX)
		return error_set(error, E2BIG, "more than %d containers share the network namespace", BUNDLE_MEMBERS_MAX);
	members->list[members->count++] = *member;
	return 0;
}

bool bundle_members_remove(struct bundle_members *members, const char *id)
{
	size_t kept = 0, count = members->count;

	for (size_t i = 0; i < count; i++)
		if (strcmp(members->list[i].id, id) != 0)
			members->list[kept++] = members->list[i];
	members->count = kept;
	return kept < count;
}

const struct bundle_member *bundle_members_find(const struct bundle_members *members, pid_t pid)
{
	for (size_t i = 0; i < members->count; i++)
		if (members->list[i].pid == pid)
			return &members->list[i];
	return NULL;
}
