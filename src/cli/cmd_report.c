/* report: what a container did, as one HTML file to attach to whatever it ran for. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/container.h"
#include "cli/look.h"
#include "cli/output.h"
#include "cli/report_page.h"
#include "state/audit.h"

#define AUDIT_LINES_MAX 20000
#define FILE_MODE       0600 /* it says what somebody's agent did: its owner hands it on */

static int lists_read(struct report *report, const struct bundle *bundle, struct error *error)
{
	for (int list = 0; list < BUNDLE_LIST_COUNT; list++) {
		cleanup_free char *content = NULL;
		int rc = bundle_read(bundle, bundle_list_file((enum bundle_list)list), BUNDLE_LIST_MAX, &content, NULL, error);
		if (rc && rc != -ENOENT)
			return rc;
		rc = content ? report_lines_add(&report->lines, (enum bundle_list)list, content) : 0;
		if (rc)
			return error_errno(error, -rc, "%s", bundle_list_file((enum bundle_list)list));
	}
	report_lines_sort(&report->lines);
	return 0;
}

static int log_read(struct report *report, const struct bundle *bundle, struct error *error)
{
	char **lines;
	size_t count, damaged = 0;
	int rc = audit_tail(bundle, AUDIT_LINES_MAX, &lines, &count, &damaged, error);
	if (rc)
		return rc;
	rc = report_events_take(&report->events, lines, count);
	audit_lines_free(lines, count);
	return rc ? error_errno(error, -rc, "cannot read the audit log") : 0;
}

/* A container that cannot be looked into has a report all the same; it is in state error. */
static enum shield_state state_find(const struct container *container)
{
	cleanup_look struct look look = {0};
	struct error error = {0};
	if (!look_take_parts(&look, container, 0, &error))
		return look.state;
	fprintf(stderr, "note: %s\n", error.text);
	return SHIELD_ERROR;
}

static void profiles_join(struct text *joined, const struct bundle_identity *identity)
{
	for (size_t i = 0; i < identity->profile_count; i++)
		text_addf(joined, "%s%s", i > 0 ? ", " : "", identity->profiles[i]);
	text_add(joined, "");
}

static int report_make(struct text *html, struct report *report, const struct container *container, struct error *error)
{
	cleanup_policy struct policy *policy = NULL;
	cleanup_text struct text profiles = {0};
	struct ruleset ruleset;
	int rc = container_ruleset(container, &ruleset, &policy, error);
	if (!rc)
		rc = lists_read(report, &container->bundle, error);
	if (!rc)
		rc = log_read(report, &container->bundle, error);
	if (rc)
		return rc;
	profiles_join(&profiles, &container->identity);
	report->container = container->identity.container;
	report->version = SHIELD_VERSION;
	report->profiles = profiles.data ? profiles.data : "";
	report->state = state_find(container);
	report->made = clock_wall_s();
	rc = report_build(report, policy);
	if (!rc)
		rc = report_page(html, report);
	return rc ? error_errno(error, -rc, "cannot make the report") : 0;
}

enum command_exit cmd_report(const struct command_options *options, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	cleanup_activity struct activity activity = {0};
	cleanup_report struct report report = {.activity = &activity};
	cleanup_text struct text html = {0};
	int rc = container_open(&container, options, error);
	if (!rc)
		rc = activity_read(&container.bundle, &activity, error);
	if (!rc)
		rc = report_make(&html, &report, &container, error);
	if (!rc)
		rc = output_put(&html, options->output, FILE_MODE, error);
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}
