/* Keeping a worker alive.
 *
 * Theory of operation. At any moment there is one worker or none, and with none a time at which the next is started. The sockets are
 * the supervisor's, so queries wait in them meanwhile, and what the kernel's sets hold stays; the next worker takes it over.
 *
 *	starting	until it says that it is ready. The first one's failure is the container's: the hook is told, and that was all.
 *			A later one has START_TICKS.
 *	serving		it beats once a second. It is taken for hung, and killed, after HANG_TICKS in which it neither beat nor used a
 *			processor, and after DEAF_TICKS in any case. A tick is a second in which this process waited and heard nothing:
 *			when the machine sleeps, or a cgroup with both processes is frozen, no ticks go by.
 *	ended		by itself with status 0: it was told to retire (`reload`), and the next is started from what is installed now.
 *			In any other way: it is counted and noted, and the next is started from the same file as the last that got
 *			ready, so that an upgrade changes nothing by accident.
 *
 * A start follows at once, unless the worker before did not live for SETTLED_MS as a ready one: then each further one waits twice as
 * long as the one before, up to BACKOFF_MAX_MS. When what is installed does not get ready, the file from before is used again.
 *
 * The container. Several may share the namespace (`members` in the bundle names them). One is watched at a time; when it has ended, one of
 * those that still live is watched instead, and when there is none, that is the end. The bundle's lock is held over that decision, and the
 * control socket removed before it is released: whoever joins under the lock either is seen here or finds no socket. Somebody who holds the
 * lock for longer than LOCK_PATIENCE_MS does not keep this process from ending. As long as it cannot be told whether one lives, for want of
 * descriptors or memory, one may, and this process goes on. The seconds of a silent worker are not counted meanwhile.
 *
 * The threat. The worker may have been taken over. What it says is at most one message a turn, of which three are known and one is
 * text, and nothing it says makes this process do more than start another worker, which has no more rights than this one.
 */
#include "supervisor/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "state/audit.h"
#include "supervisor/worker.h"

#define TICK_MS          1000
#define START_TICKS      10
#define HANG_TICKS       3
#define DEAF_TICKS       30
#define SETTLED_MS       250
#define BACKOFF_FIRST_MS 50
#define BACKOFF_MAX_MS   5000
#define RETRY_MS         100
#define LOCK_PAUSE_MS    20
#define LOCK_PATIENCE_MS 10000
#define END_PATIENCE_MS  300 /* less than the hook has with this process */

struct supervisor {
	const struct supervision *what;
	struct worker worker;
	int program_fd;  /* from which the next worker is started */
	int proven_fd;   /* from which the last was that got ready; the same one, or -1 */
	int ready_fd;    /* -1: the hook has been told */
	int init_fd;     /* of the container that is watched */
	int64_t gone_ms; /* since when it is known to have ended; 0: it lives */
	unsigned serial, restarts;
	unsigned failures; /* workers in a row that did not live long */
	int64_t start_ms;  /* when there is no worker: when to start one */
	int64_t ready_ms;  /* of the worker; 0: it is starting */
	unsigned silent;   /* ticks since it was heard */
	bool hung;         /* it was killed for that */
	bool kept;
	bool started;                      /* the hub was told that the container is there */
	const char *reason;                /* why there is nobody to have a forwarder any more */
	char said[WORKER_MESSAGE_MAX + 1]; /* why it cannot start */
};

/* Time that a sleeping machine does not count. */
static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Makes text that came from a worker fit for a line of JSON, and for a terminal. */
static void text_tame(char *text)
{
	text[strcspn(text, "\n")] = '\0';
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			*text = '?';
}

static void note(const struct supervisor *supervisor, const char *detail)
{
	char line[AUDIT_LINE_MAX], when[32];

	if (!supervisor->what->audit)
		return;
	snprintf(line, sizeof(line), "{\"ts\":\"%s\",\"container\":\"%s\",\"action\":\"error\",\"detail\":\"%s\"}",
		clock_wall_text(when, sizeof(when), clock_wall_s()), supervisor->what->container, detail);
	audit_append(supervisor->what->bundle, line); /* a full disk does not stop the next worker */
}

static int64_t backoff_ms(unsigned failures)
{
	if (!failures)
		return 0;
	return failures > 7 ? BACKOFF_MAX_MS : (int64_t)BACKOFF_FIRST_MS << (failures - 1);
}

/* Tells the hook, and closes the pipe. */
static int hook_tell(struct supervisor *supervisor, const char *line)
{
	int result = file_write_all(supervisor->ready_fd, line, strlen(line));

	close(take_fd(supervisor->ready_fd));
	return result;
}

/* How the worker ended, in words. */
static void end_describe(const struct supervisor *supervisor, const siginfo_t *end, char *text, size_t size)
{
	const char *when = supervisor->ready_ms ? "" : " before it was ready";

	if (supervisor->hung)
		snprintf(text, size, "the forwarder's worker did not answer any more%s and was ended", when);
	else if (*supervisor->said)
		snprintf(text, size, "the forwarder's worker could not start: %s", supervisor->said);
	else if (end->si_code == CLD_EXITED)
		snprintf(text, size, "the forwarder's worker ended%s with status %d", when, end->si_status);
	else
		snprintf(text, size, "the forwarder's worker was ended%s by signal %d", when, end->si_status);
}

/* There is no worker: when the next one starts, and from which file. */
static void next_plan(struct supervisor *supervisor)
{
	if (supervisor->ready_ms && now_ms() - supervisor->ready_ms >= SETTLED_MS)
		supervisor->failures = 0;
	if (!supervisor->ready_ms && supervisor->proven_fd >= 0 && supervisor->program_fd != supervisor->proven_fd) {
		close(supervisor->program_fd);
		supervisor->program_fd = supervisor->proven_fd;
		supervisor->kept = true;
		supervisor->failures = 0;
	}
	supervisor->start_ms = now_ms() + backoff_ms(supervisor->failures++);
}

/* From now on workers are started from what is installed. */
static void program_renew(struct supervisor *supervisor)
{
	int fd = open(supervisor->what->program, O_PATH | O_CLOEXEC);

	supervisor->kept = fd < 0;
	if (fd >= 0)
		supervisor->program_fd = fd; /* the other one is proven_fd */
}

/* Returns 1 when that is the end of everything. */
static int worker_ended(struct supervisor *supervisor)
{
	char why[WORKER_MESSAGE_MAX + 128], detail[sizeof(why) + 64];
	siginfo_t end;

	worker_reap(&supervisor->worker, &end);
	end_describe(supervisor, &end, why, sizeof(why));
	if (supervisor->ready_fd >= 0) {
		snprintf(detail, sizeof(detail), WORKER_ERROR "%s\n", why);
		hook_tell(supervisor, detail);
		return 1;
	}
	if (supervisor->ready_ms && !supervisor->hung && end.si_code == CLD_EXITED && end.si_status == 0) {
		program_renew(supervisor);
	} else {
		supervisor->restarts++;
		snprintf(detail, sizeof(detail), "%s; it is started again (restart %u)", why, supervisor->restarts);
		note(supervisor, detail);
	}
	next_plan(supervisor);
	return 0;
}

static int worker_launch(struct supervisor *supervisor)
{
	const struct worker_order order = {
		.program_fd = supervisor->program_fd,
		.bundle = supervisor->what->bundle->path,
		.sockets = supervisor->what->sockets,
		.serial = supervisor->serial,
		.restarts = supervisor->restarts,
		.kept = supervisor->kept,
	};
	int result;

	supervisor->ready_ms = 0;
	supervisor->silent = 0;
	supervisor->hung = false;
	supervisor->said[0] = '\0';
	result = worker_start(&supervisor->worker, &order);
	if (!result) {
		supervisor->serial++;
		return 0;
	}
	if (supervisor->ready_fd >= 0) {
		char line[256];

		snprintf(line, sizeof(line), WORKER_ERROR "cannot start a process for the forwarder's worker: %s\n", strerror(-result));
		hook_tell(supervisor, line);
		return 1;
	}
	next_plan(supervisor); /* no processes, no memory: later */
	return 0;
}

/* Returns 1 when nobody wants a forwarder any more. */
static int worker_ready(struct supervisor *supervisor)
{
	if (supervisor->ready_ms)
		return 0;
	supervisor->ready_ms = now_ms();
	if (supervisor->proven_fd >= 0 && supervisor->proven_fd != supervisor->program_fd)
		close(supervisor->proven_fd);
	supervisor->proven_fd = supervisor->program_fd;
	if (supervisor->ready_fd < 0)
		return 0;
	supervisor->started = true;
	herald_started(supervisor->what->herald);
	return hook_tell(supervisor, WORKER_READY) ? 1 : 0;
}

static int message_handle(struct supervisor *supervisor)
{
	char message[WORKER_MESSAGE_MAX + 1];

	if (!worker_hear(&supervisor->worker, message))
		return 0;
	if (!strcmp(message, WORKER_READY)) {
		supervisor->silent = 0;
		return worker_ready(supervisor);
	}
	if (!strcmp(message, WORKER_BEAT)) {
		supervisor->silent = 0;
	} else if (!strncmp(message, WORKER_ERROR, strlen(WORKER_ERROR))) {
		strcpy(supervisor->said, message + strlen(WORKER_ERROR));
		text_tame(supervisor->said);
	}
	return 0;
}

/* A second went by, and the worker was not heard. */
static void tick(struct supervisor *supervisor)
{
	bool works = worker_works(&supervisor->worker);

	supervisor->silent++;
	if (supervisor->ready_ms ? supervisor->silent >= DEAF_TICKS || (supervisor->silent >= HANG_TICKS && !works)
				 : supervisor->silent >= START_TICKS) {
		supervisor->hung = true;
		worker_kill(&supervisor->worker);
	}
}

/* A living member, to be watched from now on: its pidfd; -ESRCH when there is none, another error when that cannot be told. */
static int member_open(const struct bundle *bundle)
{
	struct bundle_members members;
	int rc = bundle_members_read(bundle, &members, NULL);
	int result = -ESRCH;

	if (rc == -EINVAL || rc == -EPERM) /* it names nobody that can be believed */
		return -ESRCH;
	if (rc)
		return rc;
	for (size_t i = 0; i < members.count; i++) {
		int fd = bundle_process_open(members.list[i].pid, members.list[i].start);

		if (fd >= 0)
			return fd;
		if (fd != -ESRCH)
			result = fd;
	}
	return result;
}

/* The container that was watched has ended. Returns 1 when it was the last. */
static int member_ended(struct supervisor *supervisor)
{
	const struct bundle *bundle = supervisor->what->bundle;
	cleanup_fd int lock_fd = bundle_lock(bundle, 0, NULL);
	int member_fd;

	if (!supervisor->gone_ms)
		supervisor->gone_ms = now_ms();
	if (lock_fd == -ETIMEDOUT && now_ms() - supervisor->gone_ms < LOCK_PATIENCE_MS)
		return 0;
	member_fd = member_open(bundle);
	if (member_fd >= 0) {
		close(supervisor->init_fd);
		supervisor->init_fd = member_fd;
		supervisor->gone_ms = 0;
		return 0;
	}
	if (member_fd != -ESRCH)
		return 0;
	if (lock_fd >= 0)
		bundle_remove(bundle, BUNDLE_CONTROL_SOCKET, NULL);
	return 1;
}

/* Nothing can be waited for: no memory, or fewer descriptors than are waited for. That may pass, so this process goes on, but not
 * beyond its last container's end. Returns as turn(). */
static int wait_failed(struct supervisor *supervisor)
{
	if (errno == EINTR)
		return -1;
	nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000L}, NULL);
	if (pidfd_send_signal(supervisor->init_fd, 0, NULL, 0) == 0 || errno != ESRCH)
		return -1;
	return member_ended(supervisor) ? 0 : -1;
}

/* One turn. Returns -1 to go on, otherwise the exit status. */
static int turn(struct supervisor *supervisor)
{
	int64_t wait_ms = TICK_MS;
	int count;

	if (!supervisor->worker.pid) {
		wait_ms = supervisor->start_ms - now_ms();
		if (wait_ms <= 0) {
			if (worker_launch(supervisor))
				return 1;
			wait_ms = supervisor->worker.pid ? TICK_MS : 0;
		}
	}
	struct pollfd watched[] = {
		{supervisor->gone_ms ? -1 : supervisor->init_fd, POLLIN, 0},
		{supervisor->what->end_fd, POLLIN, 0},
		{supervisor->worker.pid_fd, POLLIN, 0},
		{supervisor->worker.pipe_fd, POLLIN, 0},
		{supervisor->what->herald->fd, POLLIN, 0},
	};
	if (supervisor->gone_ms && wait_ms > LOCK_PAUSE_MS)
		wait_ms = LOCK_PAUSE_MS;
	count = poll(watched, sizeof(watched) / sizeof(*watched), (int)wait_ms);
	if (count < 0)
		return wait_failed(supervisor);
	if (watched[1].revents) {
		supervisor->reason = "stopped";
		return 0;
	}
	if ((supervisor->gone_ms || watched[0].revents) && member_ended(supervisor)) {
		supervisor->reason = "exited";
		return 0;
	}
	if (watched[4].revents)
		herald_hear(supervisor->what->herald);
	if (watched[3].revents) /* first what it has said, then how it ended */
		return message_handle(supervisor) ? 1 : -1;
	if (watched[2].revents)
		return worker_ended(supervisor) ? 1 : -1;
	if (!count && supervisor->worker.pid && !supervisor->gone_ms)
		tick(supervisor);
	return -1;
}

int supervise(const struct supervision *supervision)
{
	struct supervisor supervisor = {
		.what = supervision,
		.worker = WORKER_INIT,
		.program_fd = supervision->program_fd,
		.proven_fd = -1,
		.ready_fd = supervision->ready_fd,
		.init_fd = supervision->init_fd,
		.reason = "failed",
	};
	int status;

	do
		status = turn(&supervisor);
	while (status < 0);
	worker_end(&supervisor.worker, END_PATIENCE_MS);
	if (supervisor.started)
		herald_exited(supervision->herald, supervisor.reason);
	return status;
}
