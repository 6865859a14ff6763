/* state/bundle.h: the folder, its files, settings, what runs, the wanted state */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "state/bundle.h"
#include "state/bundle_parse.h"

#define OTHER_UID 4242

/* A folder of the test's own, and paths below it. */
static char base[] = "/tmp/shield-test-bundle.XXXXXX";

static const char *below(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_MAX, "%s%s%s", base, name[0] ? "/" : "", name);
	return path;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status, (void)type, (void)where;
	return remove(path);
}

static int setup(void **state)
{
	(void)state;
	strcpy(base + sizeof(base) - 7, "XXXXXX");
	return mkdtemp(base) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool lacks_root(void)
{
	if (geteuid() == 0)
		return false;
	if (getenv("SHIELD_NO_SKIP"))
		fail_msg("needs root, and SHIELD_NO_SKIP is set");
	print_message("SKIP: needs root, to give files to other users\n");
	return true;
}

static void make_file(const char *path, const char *content, mode_t mode)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(fchmod(fd, mode), 0);
}

static void assert_opens(const char *path)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct error error = {0};

	if (bundle_open(&bundle, path, &error))
		fail_msg("%s: %s", path, error.text);
	assert_true(bundle.fd >= 0);
	assert_string_equal(bundle.path, path);
}

static void assert_refused(const char *path, const char *says)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct error error = {0};

	if (bundle_open(&bundle, path, &error) != -EPERM || error.code != EPERM || !strstr(error.text, says))
		fail_msg("%s: expected '%s', got '%s'", path, says, error.text);
	assert_int_equal(bundle.fd, -1);
}

/* ---- the path ---- */

static void a_path_that_is_relative_odd_or_in_a_system_folder_is_refused_by_its_text(void **state)
{
	static const char *const refused[] = {"", "x", "./x", "/", "//x", "/x/", "/x//y", "/x/./y", "/x/../y", "/x/..", "/etc", "/etc/x",
		"/proc/1", "/sys/x", "/dev/shm", "/usr/x", "/bin/x", "/sbin/x", "/lib/x", "/lib64/x", "/boot/x"};
	static const char *const allowed[] = {"/etcetera", "/x", "/home/u/.local/state/..x", "/var/lib/x", "/x/...", "/rooted/x"};
	char longest[PATH_MAX + 1];
	(void)state;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct error error = {0};

		if (bundle_check_path(refused[i], &error) != -EPERM || !error.text[0])
			fail_msg("'%s' was not refused", refused[i]);
	}
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (bundle_check_path(allowed[i], NULL))
			fail_msg("'%s' was refused", allowed[i]);
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[PATH_MAX] = '\0';
	assert_int_equal(bundle_check_path(longest, NULL), -EPERM);
	assert_int_equal(bundle_check_path("/root/x", NULL), geteuid() == 0 ? 0 : -EPERM);
}

static void names_of_containers_are_checked(void **state)
{
	char longest[130];
	(void)state;

	assert_true(bundle_name_is_safe("web"));
	assert_true(bundle_name_is_safe("_a.b-c"));
	assert_false(bundle_name_is_safe(""));
	assert_false(bundle_name_is_safe(".."));
	assert_false(bundle_name_is_safe("-x"));
	assert_false(bundle_name_is_safe("a/b"));
	assert_false(bundle_name_is_safe("a b"));
	assert_false(bundle_name_is_safe("a\n"));
	assert_false(bundle_name_is_safe("b\xc3\xbc"));
	memset(longest, 'a', 129);
	longest[129] = '\0';
	assert_false(bundle_name_is_safe(longest));
	assert_true(bundle_name_is_safe(longest + 1));
}

static void a_bundle_is_made_with_its_parents_for_the_owner_alone(void **state)
{
	static const char *const folders[] = {"a", "a/b", "a/b/web", "a/b/web/hooks"};
	cleanup_bundle struct bundle bundle = BUNDLE_INIT, again = BUNDLE_INIT;
	struct stat status;
	struct error error = {0};
	(void)state;

	assert_int_equal(bundle_create(&bundle, below("a/b/web"), &error), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(stat(below(folders[i]), &status), 0);
		assert_int_equal(status.st_mode, S_IFDIR | 0700);
	}
	assert_int_equal(bundle_create(&again, below("a/b/web"), &error), 0);
	assert_opens(below("a/b/web"));
}

static void a_folder_that_is_not_there_is_enoent(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	(void)state;

	assert_int_equal(bundle_open(&bundle, below("none"), NULL), -ENOENT);
	assert_int_equal(bundle_open(&bundle, below("none/web"), NULL), -ENOENT);
}

static void a_bundle_that_is_a_link_or_a_file_or_can_be_written_by_others_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(below("real"), 0700), 0);
	assert_int_equal(symlink("real", below("link")), 0);
	make_file(below("file"), "", 0600);
	assert_int_equal(mkfifo(below("fifo"), 0600), 0);
	assert_opens(below("real"));
	assert_refused(below("link"), "symbolic link");
	assert_refused(below("file"), "not a folder");
	assert_refused(below("fifo"), "not a folder");
	chmod(below("real"), 0770);
	assert_refused(below("real"), "written by group or others");
	chmod(below("real"), 0702);
	assert_refused(below("real"), "written by group or others");
	chmod(below("real"), 01777);
	assert_refused(below("real"), "written by group or others");
	chmod(below("real"), 0755);
	assert_opens(below("real"));
}

static void a_hooks_folder_that_is_a_link_or_can_be_written_by_others_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(below("web"), 0700), 0);
	assert_int_equal(mkdir(below("elsewhere"), 0700), 0);
	assert_int_equal(symlink("../elsewhere", below("web/hooks")), 0);
	assert_refused(below("web"), "hooks");
	unlink(below("web/hooks"));
	assert_int_equal(mkdir(below("web/hooks"), 0700), 0);
	assert_opens(below("web"));
	chmod(below("web/hooks"), 0720);
	assert_refused(below("web"), "hooks");
}

static void a_parent_that_others_can_write_is_refused_unless_it_is_sticky(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	(void)state;

	assert_int_equal(mkdir(below("parent"), 0700), 0);
	assert_int_equal(mkdir(below("parent/web"), 0700), 0);
	chmod(below("parent"), 0777);
	assert_refused(below("parent/web"), "chmod go-w");
	assert_int_equal(bundle_create(&bundle, below("parent/new"), NULL), -EPERM);
	chmod(below("parent"), 0770);
	assert_refused(below("parent/web"), "chmod go-w");
	chmod(below("parent"), 01777);
	assert_opens(below("parent/web"));
}

static void a_link_on_the_way_is_followed_only_where_nobody_else_could_have_made_it(void **state)
{
	(void)state;
	assert_int_equal(mkdir(below("real"), 0700), 0);
	assert_int_equal(mkdir(below("real/web"), 0700), 0);
	assert_int_equal(mkdir(below("parent"), 0700), 0);
	assert_int_equal(symlink(below("real"), below("parent/absolute")), 0);
	assert_int_equal(symlink("../parent/../real/.", below("parent/relative")), 0);
	assert_int_equal(symlink("relative", below("parent/chain")), 0);
	assert_int_equal(symlink("loop", below("parent/loop")), 0);
	assert_int_equal(symlink("/etc", below("parent/system")), 0);
	assert_int_equal(symlink("/proc/self/root", below("parent/magic")), 0);
	assert_opens(below("parent/absolute/web"));
	assert_opens(below("parent/relative/web"));
	assert_opens(below("parent/chain/web"));
	assert_refused(below("parent/loop/web"), "too many symbolic links");
	if (geteuid() == 0) /* to anybody else it is another user's */
		assert_refused(below("parent/system/apt"), "system folder /etc");
	chmod(below("parent"), 01777);
	assert_refused(below("parent/absolute/web"), "others could have made");
	/* The way back over ".." is checked like the way down. */
	chmod(below("parent"), 0700);
	assert_int_equal(mkdir(below("open"), 0700), 0);
	chmod(below("open"), 0777);
	assert_int_equal(symlink("../open/../real", below("parent/through")), 0);
	assert_refused(below("parent/through/web"), "chmod go-w");
}

static void what_belongs_to_another_user_is_refused(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	(void)state;
	if (lacks_root())
		skip();
	assert_int_equal(mkdir(below("parent"), 0755), 0);
	assert_int_equal(bundle_create(&bundle, below("parent/web"), NULL), 0);
	assert_opens(below("parent/web"));
	assert_int_equal(chown(below("parent/web/hooks"), OTHER_UID, 0), 0);
	assert_refused(below("parent/web"), "hooks");
	assert_int_equal(chown(below("parent/web/hooks"), 0, 0), 0);
	assert_int_equal(chown(below("parent/web"), OTHER_UID, 0), 0);
	assert_refused(below("parent/web"), "another user");
	assert_int_equal(chown(below("parent/web"), 65534, 65534), 0);
	assert_refused(below("parent/web"), "another user");
	assert_int_equal(chown(below("parent/web"), 0, 0), 0);
	/* Out of a user namespace the overflow uid is somebody. */
	assert_int_equal(chown(below("parent"), OTHER_UID, 0), 0);
	assert_refused(below("parent/web"), "another user");
	assert_int_equal(chown(below("parent"), 65534, 0), 0);
	assert_refused(below("parent/web"), "another user");
	assert_int_equal(chown(below("parent"), 0, 0), 0);
	assert_int_equal(symlink("web", below("parent/link")), 0);
	assert_int_equal(mkdir(below("parent/web/sub"), 0700), 0);
	assert_int_equal(lchown(below("parent/link"), OTHER_UID, 0), 0);
	assert_refused(below("parent/link/sub"), "others could have made");
}

/* Runs check as OTHER_UID, in a user namespace as its root when `inside`. Passes when check returns 0. */
static void as_another_user(bool inside, int (*check)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		if (setgroups(0, NULL) || setresgid(OTHER_UID, OTHER_UID, OTHER_UID) || setresuid(OTHER_UID, OTHER_UID, OTHER_UID))
			_exit(100);
		if (inside) {
			char map[64];
			int length = snprintf(map, sizeof(map), "0 %d 1\n", OTHER_UID);
			int fd;

			/* After the change of user /proc/self is root's until we are dumpable again. */
			if (prctl(PR_SET_DUMPABLE, 1) || unshare(CLONE_NEWUSER) || (fd = open("/proc/self/uid_map", O_WRONLY)) < 0 ||
				write(fd, map, (size_t)length) != length)
				_exit(77);
			close(fd);
		}
		_exit(check());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		if (getenv("SHIELD_NO_SKIP"))
			fail_msg("user namespaces are not to be had, and SHIELD_NO_SKIP is set");
		print_message("SKIP: user namespaces are not to be had\n");
		skip();
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int opens(const char *name)
{
	struct bundle bundle = BUNDLE_INIT;
	struct error error = {0};
	int result = bundle_open(&bundle, below(name), &error);

	if (result && result != -EPERM)
		print_message("%s: %s\n", name, error.text);
	bundle_close(&bundle);
	return result;
}

static int own_and_foreign_bundles(void)
{
	if (opens("home/user/web") != 0)
		return 1;
	if (opens("link/user/web") != 0) /* root's link, root's folder */
		return 2;
	if (opens("home/user/roots") != -EPERM)
		return 3;
	if (opens("home/user/nobodys") != -EPERM)
		return 4;
	if (opens("open/web") != -EPERM)
		return 5;
	return 0;
}

static int a_file_of_the_hosts_root(void)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	cleanup_free char *data = NULL;

	if (bundle_open(&bundle, below("home/user/web"), NULL))
		return 1;
	return bundle_read(&bundle, "foreign", 100, &data, NULL, NULL) == -EPERM ? 0 : 2;
}

static int another_users_folder(void)
{
	return opens("nobodys/web") == -EPERM ? 0 : 1;
}

static void in_a_user_namespace_the_hosts_root_may_own_parents_but_never_the_bundle(void **state)
{
	(void)state;
	if (lacks_root())
		skip();
	chmod(base, 0755);
	assert_int_equal(mkdir(below("home"), 0755), 0);
	assert_int_equal(mkdir(below("home/user"), 0700), 0);
	assert_int_equal(mkdir(below("home/user/web"), 0700), 0);
	assert_int_equal(mkdir(below("home/user/roots"), 0755), 0);
	assert_int_equal(mkdir(below("home/user/nobodys"), 0755), 0);
	assert_int_equal(mkdir(below("open"), 0755), 0);
	assert_int_equal(mkdir(below("open/web"), 0755), 0);
	chmod(below("open"), 0777);
	assert_int_equal(symlink("home", below("link")), 0);
	make_file(below("home/user/web/foreign"), "x", 0644);
	assert_int_equal(chown(below("home/user"), OTHER_UID, OTHER_UID), 0);
	assert_int_equal(chown(below("home/user/web"), OTHER_UID, OTHER_UID), 0);
	assert_int_equal(chown(below("home/user/nobodys"), 65534, 65534), 0);
	assert_int_equal(chown(below("open/web"), OTHER_UID, OTHER_UID), 0);
	assert_int_equal(mkdir(below("nobodys"), 0755), 0);
	assert_int_equal(mkdir(below("nobodys/web"), 0700), 0);
	assert_int_equal(chown(below("nobodys"), 65534, 65534), 0);
	assert_int_equal(chown(below("nobodys/web"), OTHER_UID, OTHER_UID), 0);
	as_another_user(false, own_and_foreign_bundles);
	as_another_user(false, a_file_of_the_hosts_root);
	as_another_user(false, another_users_folder);
	as_another_user(true, own_and_foreign_bundles);
	as_another_user(true, a_file_of_the_hosts_root);
}

/* ---- files ---- */

static void a_file_is_replaced_and_read_and_removed(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	cleanup_free char *data = NULL;
	struct stat status;
	size_t length;
	(void)state;

	assert_int_equal(bundle_create(&bundle, below("web"), NULL), 0);
	assert_int_equal(bundle_write(&bundle, "x", "one", 3, NULL), 0);
	assert_int_equal(bundle_write(&bundle, "x", "other", 5, NULL), 0);
	assert_int_equal(bundle_read(&bundle, "x", 5, &data, &length, NULL), 0);
	assert_string_equal(data, "other");
	assert_int_equal(length, 5);
	assert_int_equal(stat(below("web/x"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(bundle_write(&bundle, BUNDLE_RESOLV_CONF, "", 0, NULL), 0);
	assert_int_equal(stat(below("web/resolv.conf"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0644);
	assert_int_equal(bundle_write(&bundle, "hooks/h.json", "{}", 2, NULL), 0);
	assert_int_equal(access(below("web/hooks/h.json"), F_OK), 0);
	assert_int_equal(bundle_remove(&bundle, "hooks/h.json", NULL), 0);
	assert_int_equal(bundle_remove(&bundle, "hooks/h.json", NULL), 0);
	assert_int_equal(access(below("web/hooks/h.json"), F_OK), -1);
	assert_int_equal(bundle_write(&bundle, "../x", "", 0, NULL), -EINVAL);
	assert_int_equal(bundle_write(&bundle, "hooks/../x", "", 0, NULL), -EINVAL);
	assert_int_equal(bundle_write(&bundle, "hooks/..", "", 0, NULL), -EINVAL);
	assert_int_equal(bundle_write(&bundle, "/x", "", 0, NULL), -EINVAL);
}

static int read_result(const struct bundle *bundle, const char *name)
{
	cleanup_free char *data = NULL;
	struct error error = {0};
	int result = bundle_read(bundle, name, 100, &data, NULL, &error);

	assert_int_equal(-result, error.code);
	return result;
}

static void a_file_that_others_could_have_made_or_changed_is_not_read(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	(void)state;

	assert_int_equal(bundle_create(&bundle, below("web"), NULL), 0);
	assert_int_equal(read_result(&bundle, "none"), -ENOENT);
	make_file(below("web/good"), "x", 0600);
	assert_int_equal(read_result(&bundle, "good"), 0);
	make_file(below("web/long"), "", 0600);
	assert_int_equal(truncate(below("web/long"), 101), 0);
	assert_int_equal(read_result(&bundle, "long"), -EFBIG);
	assert_int_equal(symlink("good", below("web/link")), 0);
	assert_int_equal(read_result(&bundle, "link"), -EPERM);
	assert_int_equal(symlink("none", below("web/dangling")), 0);
	assert_int_equal(read_result(&bundle, "dangling"), -EPERM);
	assert_int_equal(mkfifo(below("web/fifo"), 0600), 0);
	assert_int_equal(read_result(&bundle, "fifo"), -EPERM);
	assert_int_equal(mkdir(below("web/folder"), 0700), 0);
	assert_int_equal(read_result(&bundle, "folder"), -EPERM);
	make_file(below("web/group"), "x", 0620);
	assert_int_equal(read_result(&bundle, "group"), -EPERM);
	make_file(below("web/world"), "x", 0602);
	assert_int_equal(read_result(&bundle, "world"), -EPERM);
	make_file(below("outside"), "x", 0600);
	assert_int_equal(link(below("outside"), below("web/hard")), 0);
	assert_int_equal(read_result(&bundle, "hard"), -EPERM);
	assert_int_equal(unlink(below("outside")), 0);
	assert_int_equal(read_result(&bundle, "hard"), 0);
	if (lacks_root())
		return;
	assert_int_equal(chown(below("web/good"), OTHER_UID, 0), 0);
	assert_int_equal(read_result(&bundle, "good"), -EPERM);
}

static void a_bundle_that_is_swapped_after_it_was_opened_stays_the_one_that_was_checked(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	cleanup_free char *data = NULL;
	(void)state;

	assert_int_equal(bundle_create(&bundle, below("web"), NULL), 0);
	assert_int_equal(bundle_write(&bundle, "x", "checked", 7, NULL), 0);
	assert_int_equal(rename(below("web"), below("away")), 0);
	assert_int_equal(mkdir(below("web"), 0700), 0);
	make_file(below("web/x"), "swapped", 0600);
	assert_int_equal(bundle_read(&bundle, "x", 100, &data, NULL, NULL), 0);
	assert_string_equal(data, "checked");
}

static void a_bundle_whose_folder_was_removed_says_so_at_each_write(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	cleanup_bundle_stage struct bundle_stage stage = {.bundle = &bundle};
	static const char *const names[] = {"x", "hooks/x"};
	(void)state;

	assert_int_equal(bundle_create(&bundle, below("web"), NULL), 0);
	assert_int_equal(rmdir(below("web/hooks")) || rmdir(below("web")), 0);
	for (size_t i = 0; i < 2; i++) {
		struct error error = {0};

		assert_int_equal(bundle_write(&bundle, names[i], "x", 1, &error), -ENOENT);
		assert_non_null(strstr(error.text, "the folder was removed meanwhile: run the container anew"));
		assert_non_null(strstr(error.text, below("web")));
		error = (struct error){0};
		assert_int_equal(bundle_stage_add(&stage, names[i], "x", 1, &error), -ENOENT);
		assert_non_null(strstr(error.text, "the folder was removed meanwhile: run the container anew"));
	}
	assert_int_equal(bundle_lock(&bundle, 10, NULL), -ENOENT);
	assert_int_equal(stage.count, 0);
}

static void what_was_staged_and_dropped_leaves_nothing(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_stage stage = {.bundle = &bundle};
	(void)state;

	assert_int_equal(bundle_create(&bundle, below("web"), NULL), 0);
	for (unsigned i = 0; i < BUNDLE_STAGE_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%s%u", i & 1 ? "hooks/" : "", i);
		assert_int_equal(bundle_stage_add(&stage, name, "x", 1, NULL), 0);
	}
	assert_int_equal(bundle_stage_add(&stage, "more", "x", 1, NULL), -E2BIG);
	bundle_stage_drop(&stage);
	assert_int_equal(rmdir(below("web/hooks")), 0);
	assert_int_equal(rmdir(below("web")), 0);
}

static void a_link_in_the_place_of_a_file_is_replaced_and_not_written_through(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct stat status;
	(void)state;

	assert_int_equal(bundle_create(&bundle, below("web"), NULL), 0);
	make_file(below("victim"), "precious", 0600);
	assert_int_equal(symlink(below("victim"), below("web/x")), 0);
	assert_int_equal(bundle_write(&bundle, "x", "new", 3, NULL), 0);
	assert_int_equal(lstat(below("web/x"), &status), 0);
	assert_true(S_ISREG(status.st_mode));
	assert_int_equal(stat(below("victim"), &status), 0);
	assert_int_equal(status.st_size, 8);
}

static void the_lock_excludes_and_ends_with_its_descriptor(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	int first, second;
	(void)state;

	assert_int_equal(bundle_create(&bundle, below("web"), NULL), 0);
	first = bundle_lock(&bundle, 0, NULL);
	assert_true(first >= 0);
	assert_int_equal(bundle_lock(&bundle, 20, NULL), -ETIMEDOUT);
	close(first);
	second = bundle_lock(&bundle, 0, NULL);
	assert_true(second >= 0);
	close(second);
	unlink(below("web/lock"));
	assert_int_equal(symlink("victim", below("web/lock")), 0);
	assert_int_equal(bundle_lock(&bundle, 0, NULL), -EPERM);
	assert_int_equal(access(below("web/victim"), F_OK), -1);
}

/* ---- settings.json ---- */

static void settings_come_back_as_they_were_written(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_identity identity = {.container = "web",
				       .version = "1.0.0",
				       .profiles = {strdup("base"), strdup("my")},
				       .profile_count = 2},
			       identity_back;
	struct settings settings, back;
	struct error error = {0};
	(void)state;

	settings_init(&settings);
	settings.via = SETTINGS_VIA_HOST;
	settings.deny = SETTINGS_DENY_REFUSED;
	settings.reject = SETTINGS_REJECT_RESET;
	settings.audit = false;
	settings.budget_names = 0;
	settings.budget_octets = 4096;
	strcpy(settings.hub, "/run/user/1000/hub");
	assert_int_equal(addr_endpoint_parse(&settings.upstreams[settings.upstream_count++].endpoint, "[2001:db8::1]:5353", 18, 53), 0);
	assert_int_equal(addr_parse(&settings.host_gateway, "10.0.2.2", 8), 0);
	settings.loopback_ports[settings.loopback_port_count++] = 65535;
	settings.published[settings.published_count++] = (struct settings_published){.first = 8000, .last = 8010, .protocol = RULE_UDP};
	assert_int_equal(bundle_create(&bundle, below("web"), NULL), 0);
	if (bundle_settings_write(&bundle, &identity, &settings, &error))
		fail_msg("%s", error.text);
	assert_int_equal(bundle_settings_read(&bundle, &identity_back, &back, &error), 0);
	assert_string_equal(identity_back.container, "web");
	assert_string_equal(identity_back.version, "1.0.0");
	assert_int_equal(identity_back.profile_count, 2);
	assert_string_equal(identity_back.profiles[1], "my");
	assert_int_equal(back.via, settings.via);
	assert_int_equal(back.deny, settings.deny);
	assert_int_equal(back.budget_names, 0);
	assert_int_equal(back.budget_octets, 4096);
	assert_string_equal(back.hub, "/run/user/1000/hub");
	assert_int_equal(back.reject, settings.reject);
	assert_false(back.audit);
	assert_int_equal(back.upstream_count, 1);
	assert_true(addr_equal(&back.upstreams[0].endpoint.addr, &settings.upstreams[0].endpoint.addr));
	assert_int_equal(back.upstreams[0].endpoint.port, 5353);
	assert_true(addr_equal(&back.host_gateway, &settings.host_gateway));
	assert_int_equal(back.loopback_port_count, 1);
	assert_int_equal(back.loopback_ports[0], 65535);
	assert_int_equal(back.published_count, 1);
	assert_memory_equal(&back.published[0].first, &settings.published[0].first, sizeof(uint16_t));
	assert_int_equal(back.published[0].last, 8010);
	assert_int_equal(back.published[0].protocol, RULE_UDP);
	bundle_identity_free(&identity_back);

	/* What the hook would refuse is refused when it is written. */
	settings.via = SETTINGS_VIA_AUTO;
	assert_int_equal(bundle_settings_write(&bundle, &identity, &settings, &error), -EINVAL);
	bundle_identity_free(&identity);
}

static void servers_by_tls_come_back_with_their_names_and_their_cas(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_identity identity = {.container = "web", .version = "1.0.0"}, identity_back;
	struct settings settings, back;
	struct error error = {0};
	(void)state;

	settings_init(&settings);
	settings.via = SETTINGS_VIA_HOST;
	strcpy(settings.ca, "/etc/own/ca.pem");
	assert_int_equal(settings_upstream_parse(&settings.upstreams[settings.upstream_count++], "tls://192.0.2.1#dns.example"), 0);
	assert_int_equal(settings_upstream_parse(&settings.upstreams[settings.upstream_count++], "tls://[2001:db8::1]:8853#dns.example"), 0);
	assert_int_equal(bundle_create(&bundle, below("web"), NULL), 0);
	if (bundle_settings_write(&bundle, &identity, &settings, &error))
		fail_msg("%s", error.text);
	assert_int_equal(bundle_settings_read(&bundle, &identity_back, &back, &error), 0);
	assert_int_equal(back.upstream_count, 2);
	assert_memory_equal(back.upstreams, settings.upstreams, sizeof(back.upstreams));
	assert_string_equal(back.ca, "/etc/own/ca.pem");
	bundle_identity_free(&identity_back);

	assert_int_equal(settings_upstream_parse(&settings.upstreams[settings.upstream_count++], "192.0.2.1"), 0); /* in the clear */
	assert_int_equal(bundle_settings_write(&bundle, &identity, &settings, &error), -EINVAL);
	assert_non_null(strstr(error.text, "not of the kind of those before it"));
}

#define HEAD                                                                                                                               \
	"\"format\":3,\"version\":\"1\",\"container\":\"c\",\"profiles\":[],\"reject\":\"icmp\",\"via\":\"host\",\"deny\":\"nxdomain\","
#define WORDS  "\"reject\":\"icmp\",\"via\":\"host\",\"deny\":\"nxdomain\",\"audit\":true,"
#define BUDGET "\"budget_names\":600,\"budget_octets\":16384,"
#define FIFTY  "01234567890123456789012345678901234567890123456789"
#define SUM    "\"sum_allowed\":\"0123456789abcdef\",\"sum_domains\":\"0123456789abcdef\",\"sum\":\"0123456789abcdef\""
#define SUMS   "\"hub\":\"/run/user/1000/hub\"," SUM
#define NO_LISTS "\"upstreams\":[],\"loopback_ports\":[],\"host_gateway\":\"\",\"published\":[],"
#define LISTS  NO_LISTS SUMS
#define TLS_LISTS "\"upstreams\":[\"tls://192.0.2.1#dns.example\"],\"loopback_ports\":[],\"host_gateway\":\"\",\"published\":[],"
#define TAIL   BUDGET LISTS

static void settings_that_are_not_exactly_right_are_refused(void **state)
{
	static const struct {
		const char *text, *says;
		int code;
	} cases[] = {
		{"", "not JSON", EINVAL},
		{"{", "not JSON", EINVAL},
		{"[]", "not a JSON object", EINVAL},
		{"{}", "'format' is missing", EINVAL},
		{"{\"format\":2,\"more\":1}", "another version", EPROTO},
		{"{\"format\":\"1\"}", "not a number", EINVAL},
		{"{\"format\":1.5}", "not a whole number", EINVAL},
		{"{" HEAD TAIL "}", "'audit' is missing", EINVAL},
		{"{" HEAD "\"audit\":true," LISTS "}", "'budget_names' is missing", EINVAL},
		{"{" HEAD "\"audit\":true,\"budget_names\":1,\"budget_octets\":-1," LISTS "}", "budget_octets", EINVAL},
		{"{" HEAD "\"audit\":1," TAIL "}", "neither true nor false", EINVAL},
		{"{" HEAD "\"audit\":true,\"audit\":false," TAIL "}", "'audit' is there more than once", EINVAL},
		{"{" HEAD "\"audit\":true,\"more\":1," TAIL "}", "'more' is not known", EINVAL},
		{"{" HEAD "\"audit\":true," TAIL "} x", "follows", EINVAL},
		{"{\"format\":3,\"version\":\"1\",\"container\":\"../c\",\"profiles\":[]," WORDS TAIL "}", "no container's name", EINVAL},
		{"{\"format\":3,\"version\":\"1\",\"container\":\"c\\u0000d\",\"profiles\":[]," WORDS TAIL "}", "NUL", EINVAL},
		{"{\"format\":3,\"version\":\"1\",\"container\":\"c\",\"profiles\":[1]," WORDS TAIL "}", "not a string", EINVAL},
		{"{\"format\":3,\"version\":\"1\",\"container\":\"c\",\"profiles\":[],"
		 "\"reject\":\"icmp\",\"via\":\"auto\",\"deny\":\"nxdomain\",\"audit\":true," TAIL "}",
			"neither host nor container", EINVAL},
		{"{" HEAD "\"audit\":true," BUDGET "\"upstreams\":[\"x\"],\"loopback_ports\":[],\"host_gateway\":\"\",\"published\":[]," SUMS "}",
			"neither an address", EINVAL},
		{"{" HEAD "\"audit\":true," BUDGET "\"upstreams\":[],\"loopback_ports\":[\"0\"],\"host_gateway\":\"\",\"published\":[]," SUMS "}", "no port",
			EINVAL},
		{"{" HEAD "\"audit\":true," BUDGET "\"upstreams\":[],\"loopback_ports\":[\"80 \"],\"host_gateway\":\"\",\"published\":[]," SUMS "}", "no port",
			EINVAL},
		{"{" HEAD "\"audit\":true," BUDGET "\"upstreams\":[],\"loopback_ports\":[],\"host_gateway\":\"x\",\"published\":[]," SUMS "}", "no address",
			EINVAL},
		{"{" HEAD "\"audit\":true," BUDGET "\"upstreams\":[],\"loopback_ports\":[],\"host_gateway\":\"\",\"published\":[\"9-8/6\"]," SUMS "}",
			"no range", EINVAL},
		{"{" HEAD "\"audit\":true," BUDGET "\"upstreams\":[],\"loopback_ports\":[],\"host_gateway\":\"\",\"published\":[\"8-9/1\"]," SUMS "}",
			"no range", EINVAL},
		{"{" HEAD "\"audit\":true," BUDGET "\"upstreams\":[],\"loopback_ports\":[],\"host_gateway\":\"\",\"published\":[\"8-65536/6\"]," SUMS "}",
			"no range", EINVAL},
		{"{" HEAD "\"audit\":true," BUDGET "\"upstreams\":[\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\","
		 "\"1.1.1.1\",\"1.1.1.1\","
		 "\"1.1.1.1\"],\"loopback_ports\":[],\"host_gateway\":\"\",\"published\":[]," SUMS "}",
			"too many", EINVAL},
		{"{" HEAD "\"audit\":true," TAIL "}\n", "checksum is not right", EUCLEAN},
		{"{" HEAD "\"audit\":true," BUDGET "\"upstreams\":[],\"loopback_ports\":[],\"host_gateway\":\"\",\"published\":[],\"hub\":\"\"}", "'sum_allowed' is missing", EINVAL},
		{"{" HEAD "\"audit\":true," BUDGET "\"upstreams\":[],\"loopback_ports\":[],\"host_gateway\":\"\",\"published\":[],\"hub\":\"\","
		 "\"sum_allowed\":\"0x23456789abcdef\",\"sum_domains\":\"0123456789abcdef\",\"sum\":\"0123456789abcdef\"}",
			"no checksum", EINVAL},
		{"{" HEAD "\"audit\":true," BUDGET TLS_LISTS SUMS "}", "'ca' is missing", EINVAL},
		{"{" HEAD "\"audit\":true," BUDGET TLS_LISTS "\"ca\":\"ca.pem\"," SUMS "}", "no absolute path", EINVAL},
		{"{" HEAD "\"audit\":true," BUDGET TLS_LISTS "\"ca\":\"/a\",\"ca\":\"/b\"," SUMS "}", "'ca' is there more than once", EINVAL},
		{"{" HEAD "\"audit\":true," BUDGET NO_LISTS SUM "}", "'hub' is missing", EINVAL},
		{"{" HEAD "\"audit\":true," BUDGET NO_LISTS "\"hub\":\"hub\"," SUM "}", "no absolute path", EINVAL},
		{"{" HEAD "\"audit\":true," BUDGET NO_LISTS "\"hub\":\"/" FIFTY FIFTY "1234567\"," SUM "}", "too long", EINVAL},
	};
	struct bundle_identity identity;
	struct settings settings;
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = {0};

		if (bundle_settings_parse(cases[i].text, strlen(cases[i].text), &identity, &settings, &error) != -cases[i].code ||
			!strstr(error.text, cases[i].says))
			fail_msg("%s -> %s", cases[i].text, error.text);
		bundle_identity_free(&identity);
	}
}

/* ---- runtime.json and state ---- */

static void what_runs_comes_back_as_it_was_written(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_runtime runtime = {.container_id = "0123456789abcdef",
				      .init_pid = 12,
				      .init_start = 1ull << 40,
				      .proxy_pid = 13,
				      .proxy_start = 7},
			      back;
	(void)state;

	assert_int_equal(bundle_create(&bundle, below("web"), NULL), 0);
	assert_int_equal(bundle_runtime_read(&bundle, &back, NULL), -ENOENT);
	assert_int_equal(bundle_runtime_write(&bundle, &runtime, NULL), 0);
	assert_int_equal(bundle_runtime_read(&bundle, &back, NULL), 0);
	assert_string_equal(back.container_id, runtime.container_id);
	assert_int_equal(back.init_pid, 12);
	assert_true(back.init_start == 1ull << 40);
	assert_int_equal(back.proxy_pid, 13);
	runtime.init_start = (1ull << 53) + 2; /* JSON's numbers would round */
	assert_int_equal(bundle_runtime_write(&bundle, &runtime, NULL), -EINVAL);
	runtime.init_start = 1;
	strcpy(runtime.container_id, "../x");
	assert_int_equal(bundle_runtime_write(&bundle, &runtime, NULL), -EINVAL);
}

static void a_process_is_told_from_a_later_one_with_its_pid(void **state)
{
	struct pollfd poll_fd = {.events = POLLIN};
	uint64_t start = 0;
	pid_t child = fork();
	(void)state;

	assert_true(child >= 0);
	if (child == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(bundle_process_start(child, &start), 0);
	assert_int_equal(bundle_process_open(child, start + 1), -ESRCH);
	poll_fd.fd = bundle_process_open(child, start);
	assert_true(poll_fd.fd >= 0);
	/* without descriptors, and with one, it cannot be told, which is not the same as gone */
	for (rlim_t more = 1; more <= 2; more++) {
		struct rlimit before, few;

		assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
		few = (struct rlimit){(rlim_t)poll_fd.fd + more, before.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		assert_int_equal(bundle_process_open(child, start), -EMFILE);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	}
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	kill(child, SIGKILL);
	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
	close(poll_fd.fd);
	assert_int_equal(bundle_process_open(child, start), -ESRCH); /* not waited for yet */
	waitpid(child, NULL, 0);
	assert_int_equal(bundle_process_open(child, start), -ESRCH);
	assert_int_equal(bundle_process_open(0, 0), -ESRCH);
	assert_int_equal(bundle_process_open(-1, 0), -ESRCH);
}

static void the_wanted_state_is_up_until_another_is_written(void **state)
{
	static const enum shield_state wanted[] = {SHIELD_UP, SHIELD_DOWN, SHIELD_DOWN_ALL, SHIELD_BLOCK};
	static const char *const bad[] = {"", "upp\n", "up\n\n", "inactive\n", "error\n", "up\nx", " up\n"};
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	enum shield_state found = SHIELD_ERROR;
	(void)state;

	assert_int_equal(bundle_create(&bundle, below("web"), NULL), 0);
	assert_int_equal(bundle_state_read(&bundle, &found, NULL), 0);
	assert_int_equal(found, SHIELD_UP);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(bundle_state_write(&bundle, wanted[i], NULL), 0);
		assert_int_equal(bundle_state_read(&bundle, &found, NULL), 0);
		assert_int_equal(found, wanted[i]);
	}
	assert_int_equal(bundle_state_write(&bundle, SHIELD_INACTIVE, NULL), -EINVAL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		make_file(below("web/state"), bad[i], 0600);
		assert_int_equal(bundle_state_read(&bundle, &found, NULL), -EINVAL);
	}
	make_file(below("web/state"), "up\n", 0666);
	assert_int_equal(bundle_state_read(&bundle, &found, NULL), -EPERM);
}

static void learning_is_down_by_a_word_of_its_own_which_any_other_state_ends(void **state)
{
	static const enum shield_state others[] = {SHIELD_UP, SHIELD_DOWN, SHIELD_DOWN_ALL, SHIELD_BLOCK};
	static const char *const bad[] = {"learn", "learn\n\n", "down learn\n", "LEARN\n", "learn up\n"};
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	enum shield_state found = SHIELD_ERROR;
	(void)state;

	assert_int_equal(bundle_create(&bundle, below("web"), NULL), 0);
	assert_false(bundle_learns(&bundle));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(bundle_learning_write(&bundle, NULL), 0);
		assert_true(bundle_learns(&bundle));
		assert_int_equal(bundle_state_read(&bundle, &found, NULL), 0);
		assert_int_equal(found, SHIELD_DOWN);
		assert_int_equal(bundle_state_write(&bundle, others[i], NULL), 0);
		assert_false(bundle_learns(&bundle));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		make_file(below("web/state"), bad[i], 0600);
		assert_false(bundle_learns(&bundle));
		assert_int_equal(bundle_state_read(&bundle, &found, NULL), -EINVAL);
	}
	make_file(below("web/state"), "learn\n", 0666);
	assert_false(bundle_learns(&bundle));
	assert_int_equal(bundle_state_read(&bundle, &found, NULL), -EPERM);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_that_is_relative_odd_or_in_a_system_folder_is_refused_by_its_text),
		cmocka_unit_test(names_of_containers_are_checked),
		in_folder(a_bundle_is_made_with_its_parents_for_the_owner_alone),
		in_folder(a_folder_that_is_not_there_is_enoent),
		in_folder(a_bundle_that_is_a_link_or_a_file_or_can_be_written_by_others_is_refused),
		in_folder(a_hooks_folder_that_is_a_link_or_can_be_written_by_others_is_refused),
		in_folder(a_parent_that_others_can_write_is_refused_unless_it_is_sticky),
		in_folder(a_link_on_the_way_is_followed_only_where_nobody_else_could_have_made_it),
		in_folder(what_belongs_to_another_user_is_refused),
		in_folder(in_a_user_namespace_the_hosts_root_may_own_parents_but_never_the_bundle),
		in_folder(a_file_is_replaced_and_read_and_removed),
		in_folder(a_file_that_others_could_have_made_or_changed_is_not_read),
		in_folder(a_bundle_that_is_swapped_after_it_was_opened_stays_the_one_that_was_checked),
		in_folder(a_bundle_whose_folder_was_removed_says_so_at_each_write),
		in_folder(what_was_staged_and_dropped_leaves_nothing),
		in_folder(a_link_in_the_place_of_a_file_is_replaced_and_not_written_through),
		in_folder(the_lock_excludes_and_ends_with_its_descriptor),
		in_folder(settings_come_back_as_they_were_written),
		cmocka_unit_test(settings_that_are_not_exactly_right_are_refused),
		cmocka_unit_test(servers_by_tls_come_back_with_their_names_and_their_cas),
		in_folder(what_runs_comes_back_as_it_was_written),
		cmocka_unit_test(a_process_is_told_from_a_later_one_with_its_pid),
		in_folder(the_wanted_state_is_up_until_another_is_written),
		in_folder(learning_is_down_by_a_word_of_its_own_which_any_other_state_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
