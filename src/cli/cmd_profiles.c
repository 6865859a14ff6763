/* profiles: the names there are, one profile as it stands, or all of them looked over. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/launch.h"
#include "cli/lint.h"
#include "cli/output.h"

#define PROFILE_OCTETS_MAX (16u << 20)

#define SHOWN(word) text_escaped((char[300]){0}, 300, word)

struct profile_text {
	char path[PATH_MAX];
	char *data; /* owned */
	size_t length;
};

static void text_close(struct profile_text *text)
{
	free(text->data);
}
#define cleanup_profile_text __attribute__((cleanup(text_close)))

/* -ENOENT when there is no such file; then the error is not filled. */
static int text_read(struct profile_text *text, const char *path, struct error *error)
{
	struct stat status;
	int length = snprintf(text->path, sizeof(text->path), "%s", path);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (length < 0 || (size_t)length >= sizeof(text->path))
		return error_set(error, ENAMETOOLONG, "the path of the profile is too long");
	if (fd < 0 || fstat(fd, &status))
		return error_errno(error, errno, "%s", SHOWN(path));
	if (!S_ISREG(status.st_mode))
		return error_set(error, EINVAL, "%s: it is not a regular file", SHOWN(path));
	int rc = file_read_fd(fd, PROFILE_OCTETS_MAX, &text->data, &text->length);
	return rc ? error_errno(error, -rc, "%s", SHOWN(path)) : 0;
}

/* By name; the first folder that has it wins, as for profile_load(). */
static int text_find(struct profile_text *text, const struct profile_path *path, const char *name, struct error *error)
{
	for (size_t i = 0; i < path->count; i++) {
		cleanup_free char *file = NULL;
		if (asprintf(&file, "%s/%s.txt", path->folders[i], name) < 0) {
			file = NULL;
			return error_set(error, ENOMEM, "out of memory");
		}
		int rc = text_read(text, file, error);
		if (rc != -ENOENT)
			return rc;
	}
	cleanup_profile_set struct profile_set set = {0};
	return profile_load(&set, path, name, error); /* says which names there are */
}

/* ---- names ---- */

static int names_print(const struct profile_path *path, bool json, struct error *error)
{
	char **names;
	size_t count;
	bool failed = false;
	int rc = profile_names(path, &names, &count, error);
	if (rc)
		return rc;
	cJSON *array = json ? cJSON_CreateArray() : NULL;
	for (size_t i = 0; i < count; i++) {
		if (json)
			output_add(array, NULL, cJSON_CreateString(names[i]), &failed);
		else
			puts(names[i]);
	}
	profile_names_free(names, count);
	return json ? output_json(array, failed, error) : 0;
}

/* ---- show ---- */

/* The lines as they stand, but nothing that would steer a terminal. */
static void lines_print(const struct profile_text *text)
{
	printf("# %s\n", SHOWN(text->path));
	for (size_t i = 0; i < text->length; i++) {
		unsigned char octet = (unsigned char)text->data[i];
		if ((octet < 0x20 && octet != '\n' && octet != '\t') || octet == 0x7f)
			printf("\\x%02x", octet);
		else
			putchar(octet);
	}
	if (text->length > 0 && text->data[text->length - 1] != '\n')
		putchar('\n');
}

static void rule_json(cJSON *rules, const char *line, size_t length, uint32_t number, bool *failed)
{
	cleanup_text struct text canonical = {0};
	const char *text = line;
	size_t text_length = rule_strip(&text, length);
	struct rule rule;
	if (text_length == 0)
		return;
	bool good = profile_rule_parse(&rule, text, text_length, NULL) == 0;
	if (good)
		rule_format(&rule, &canonical);
	cleanup_free char *written = strndup(text, text_length), *comment = NULL;
	const char *mark = memchr(text + text_length, '#', (size_t)(line + length - (text + text_length)));
	if (mark) {
		mark += 1 + strspn(mark + 1, " \t");
		comment = strndup(mark, line + length > mark ? (size_t)(line + length - mark) : 0);
	}
	cJSON *object = cJSON_CreateObject();
	output_add(object, "line", cJSON_CreateNumber(number), failed);
	output_add(object, "text", written ? output_string(written) : NULL, failed);
	output_add(object, "rule", output_string(good && !text_failed(&canonical) ? canonical.data : NULL), failed);
	output_add(object, "comment", output_string(comment), failed);
	output_add(rules, NULL, object, failed);
}

static int show_json(const struct profile_text *text, const char *name, struct error *error)
{
	cJSON *object = cJSON_CreateObject(), *rules = cJSON_CreateArray();
	bool failed = false;
	uint32_t number = 0;
	output_add(object, "name", cJSON_CreateString(name), &failed);
	output_add(object, "path", output_string(text->path), &failed);
	for (const char *line = text->data, *end; line < text->data + text->length; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text->data + text->length - line));
		end = end ? end : text->data + text->length;
		rule_json(rules, line, (size_t)(end - line), ++number, &failed);
	}
	output_add(object, "rules", rules, &failed);
	return output_json(object, failed, error);
}

static enum command_exit show(const struct profile_path *path, const struct command_options *options, struct error *error)
{
	cleanup_profile_text struct profile_text text = {0};
	const char *name = options->operand_count > 1 ? options->operands[1] : "";
	if (!profile_name_is_safe(name)) {
		if (options->operand_count > 1)
			error_set(error, EINVAL, "Unsafe profile name: '%s'", SHOWN(name));
		else
			error_set(error, EINVAL, "profiles show needs the name of a profile; `terok-shield profiles` lists them");
		return COMMAND_USAGE;
	}
	if (text_find(&text, path, name, error))
		return COMMAND_FAILED;
	if (options->json)
		return show_json(&text, name, error) ? COMMAND_FAILED : COMMAND_DONE;
	lines_print(&text);
	return COMMAND_DONE;
}

/* ---- check ---- */

struct check {
	cJSON *findings; /* with --json */
	bool failed;
	size_t files, errors, warnings;
};

static int text_check(struct check *check, const struct profile_text *text, struct error *error)
{
	cleanup_lint struct lint lint = {0};
	if (lint_profile(&lint, text->data, text->length))
		return error_set(error, ENOMEM, "out of memory");
	check->files++;
	for (size_t i = 0; i < lint.count; i++) {
		const struct lint_finding *finding = &lint.findings[i];
		bool wrong = finding->kind == LINT_ERROR;
		check->errors += wrong;
		check->warnings += !wrong;
		if (!check->findings) {
			printf("%s:%u: %s%s%s: %s\n", SHOWN(text->path), finding->line, output_style(wrong ? OUTPUT_BAD : OUTPUT_FAINT),
				wrong ? "error" : "warning", output_style(OUTPUT_PLAIN), finding->text);
			continue;
		}
		cJSON *object = cJSON_CreateObject();
		output_add(object, "file", output_string(text->path), &check->failed);
		output_add(object, "line", cJSON_CreateNumber(finding->line), &check->failed);
		output_add(object, "severity", cJSON_CreateString(wrong ? "error" : "warning"), &check->failed);
		output_add(object, "kind", cJSON_CreateString(lint_kind_name(finding->kind)), &check->failed);
		output_add(object, "text", output_string(finding->text), &check->failed);
		output_add(check->findings, NULL, object, &check->failed);
	}
	return 0;
}

/* A file, or else a profile of that name. */
static int one_check(struct check *check, const struct profile_path *path, const char *word, struct error *error)
{
	cleanup_profile_text struct profile_text text = {0};
	int rc = text_read(&text, word, error);
	if (rc == -ENOENT && profile_name_is_safe(word))
		rc = text_find(&text, path, word, error);
	else if (rc == -ENOENT)
		rc = error_errno(error, ENOENT, "%s", SHOWN(word));
	return rc ? rc : text_check(check, &text, error);
}

static int all_check(struct check *check, const struct profile_path *path, struct error *error)
{
	char **names;
	size_t count;
	int rc = profile_names(path, &names, &count, error);
	if (rc)
		return rc;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		cleanup_profile_text struct profile_text text = {0};
		rc = text_find(&text, path, names[i], error);
		if (!rc)
			rc = text_check(check, &text, error);
	}
	profile_names_free(names, count);
	return rc;
}

static enum command_exit check_run(const struct profile_path *path, const struct command_options *options, struct error *error)
{
	struct check check = {.findings = options->json ? cJSON_CreateArray() : NULL};
	int rc = options->operand_count > 1 ? one_check(&check, path, options->operands[1], error) : all_check(&check, path, error);
	if (rc) {
		cJSON_Delete(check.findings);
		return COMMAND_FAILED;
	}
	if (options->json) {
		cJSON *object = cJSON_CreateObject();
		output_add(object, "files", cJSON_CreateNumber((double)check.files), &check.failed);
		output_add(object, "errors", cJSON_CreateNumber((double)check.errors), &check.failed);
		output_add(object, "warnings", cJSON_CreateNumber((double)check.warnings), &check.failed);
		output_add(object, "findings", check.findings, &check.failed);
		if (output_json(object, check.failed, error))
			return COMMAND_FAILED;
	} else {
		printf("%zu profile%s: %zu error%s, %zu warning%s\n", check.files, check.files == 1 ? "" : "s", check.errors,
			check.errors == 1 ? "" : "s", check.warnings, check.warnings == 1 ? "" : "s");
	}
	return check.errors + check.warnings > 0 ? COMMAND_FAILED : COMMAND_DONE;
}

enum command_exit cmd_profiles(const struct command_options *options, struct error *error)
{
	struct launch_profile_path path;
	if (launch_profile_path_init(&path, options, error))
		return COMMAND_FAILED;
	if (options->operand_count == 0)
		return names_print(&path.path, options->json, error) ? COMMAND_FAILED : COMMAND_DONE;
	return strcmp(options->operands[0], "show") == 0 ? show(&path.path, options, error) : check_run(&path.path, options, error);
}
