/* The table of commands: what exists, how it is called, what it takes. */
#include <string.h>

#include "cli/command.h"

#define WHERE (OPTION_STATE_DIR | OPTION_TASK_STATE_DIR | OPTION_CONTAINER_ID)
#define SETUP (WHERE | OPTION_PROFILES | OPTION_PROFILES_DIR | OPTION_LOOPBACK_PORT | OPTION_NO_AUDIT | OPTION_HOOKS)

const struct command command_table[] = {
	{
		.name = "run",
		.summary = "start a container behind the firewall",
		.usage = "NAME [--profiles P...] -- [podman flags] IMAGE [COMMAND [ARG...]]",
		.details = "Becomes `podman run`. Everything behind -- goes to podman, except flags that the shield sets itself\n"
			   "or that would open it; those are refused with the reason.",
		.example = "terok-shield run web --profiles dev-standard my -- --rm -it alpine:latest sh",
		.run = cmd_run,
		.options = SETUP,
		.takes_container = true,
		.takes_rest = true,
	},
	{
		.name = "prepare",
		.summary = "write the state of a container and print podman's flags for it",
		.usage = "NAME [--profiles P...] [--json]",
		.details = "The flags are quoted for a shell, or a JSON array with --json.",
		.example = "eval \"podman run $(terok-shield prepare web) -d alpine:latest sleep 600\"",
		.run = cmd_prepare,
		.options = SETUP | OPTION_JSON,
		.takes_container = true,
	},
	{
		.name = "allow",
		.summary = "let a container reach names, addresses or networks",
		.usage = "NAME DESTINATION...",
		.details =
			"DESTINATION: example.com (and below), *.example.com, =example.com, example.com:443, 203.0.113.10, 2001:db8::/32.\n"
			"It takes effect at once and is kept over restarts.",
		.example = "terok-shield allow web example.com 203.0.113.10",
		.run = cmd_allow,
		.options = WHERE,
		.takes_container = true,
		.operands_min = 1,
		.operands_max = COMMAND_OPERANDS_MAX,
	},
	{
		.name = "deny",
		.summary = "take names, addresses or networks away from a container",
		.usage = "NAME DESTINATION...",
		.details = "Open connections to what is taken away end. It is kept over restarts and holds in `down` too.",
		.example = "terok-shield deny web example.com",
		.run = cmd_deny,
		.options = WHERE,
		.takes_container = true,
		.operands_min = 1,
		.operands_max = COMMAND_OPERANDS_MAX,
	},
	{
		.name = "up",
		.summary = "restore the firewall after `down` or `block`",
		.usage = "NAME",
		.example = "terok-shield up web",
		.run = cmd_up,
		.options = WHERE,
		.takes_container = true,
	},
	{
		.name = "down",
		.summary = "let everything pass but private ranges and denied destinations",
		.usage = "NAME [--all]",
		.details = "What passes is logged. With --all private ranges pass too.",
		.example = "terok-shield down web --all",
		.run = cmd_down,
		.options = WHERE | OPTION_ALL,
		.takes_container = true,
	},
	{
		.name = "block",
		.summary = "let nothing pass",
		.usage = "NAME",
		.example = "terok-shield block web",
		.run = cmd_block,
		.options = WHERE,
		.takes_container = true,
	},
	{
		.name = "rules",
		.summary = "show the state, the learned names and the rules of a running container",
		.usage = "NAME [--raw] [--json]",
		.example = "watch terok-shield rules web",
		.run = cmd_rules,
		.options = WHERE | OPTION_RAW | OPTION_JSON,
		.takes_container = true,
	},
	{
		.name = "status",
		.summary = "show the installation, or the state of one container",
		.usage = "[NAME] [--json]",
		.details = "With NAME one word: up, down, down_all, block, inactive or error.",
		.example = "terok-shield status web",
		.run = cmd_status,
		.options = WHERE | OPTION_JSON,
		.takes_container = true,
		.container_optional = true,
	},
	{
		.name = "resolve",
		.summary = "look up every name of a running container's profiles now",
		.usage = "NAME [--json] [--force]",
		.details = "Says which names resolve and which do not. --force is accepted and changes nothing.",
		.example = "terok-shield resolve web",
		.run = cmd_resolve,
		.options = WHERE | OPTION_FORCE | OPTION_JSON,
		.takes_container = true,
	},
	{
		.name = "why",
		.summary = "say whether a container may reach a destination, and which line decides it",
		.usage = "NAME DESTINATION[:PORT] [--json]",
		.details = "DESTINATION is a name or an address, also name:443, 192.0.2.1:443/tcp, [2001:db8::1]:443.\n"
			   "Nothing is looked up or changed. It works for a stopped container too.",
		.example = "terok-shield why web example.com:443",
		.run = cmd_why,
		.options = WHERE | OPTION_JSON,
		.takes_container = true,
		.operands_min = 1,
		.operands_max = 1,
	},
	{
		.name = "list",
		.summary = "list the shielded containers",
		.usage = "[--json]",
		.details = "Name, state, profiles, how many names have addresses now, and the container's id.",
		.example = "terok-shield list",
		.run = cmd_list,
		.options = OPTION_STATE_DIR | OPTION_JSON,
	},
	{
		.name = "rm",
		.summary = "remove what is kept of a stopped container: lists, settings, audit log",
		.usage = "NAME",
		.details = "The container itself is podman's to remove. One that runs is refused.",
		.example = "terok-shield rm web",
		.run = cmd_rm,
		.options = WHERE,
		.takes_container = true,
	},
	{
		.name = "profiles",
		.summary = "list the profiles there are, show one, or check them",
		.usage = "[show PROFILE | check [FILE]] [--json]",
		.details = "show prints the rules with their comments as they stand. check finds lines that are errors, names that anybody\n"
			   "can publish under, duplicates and names that others contain; without FILE in all profiles. It exits 1 when it\n"
			   "found something.",
		.example = "terok-shield profiles check my.txt",
		.words = "show check",
		.run = cmd_profiles,
		.options = OPTION_STATE_DIR | OPTION_PROFILES_DIR | OPTION_JSON,
		.operands_max = 2,
	},
	{
		.name = "config",
		.summary = "show the configuration that holds, or check config.yml",
		.usage = "show|check [--json]",
		.example = "terok-shield config show",
		.words = "show check",
		.run = cmd_config,
		.options = OPTION_STATE_DIR | OPTION_JSON,
		.operands_min = 1,
		.operands_max = 1,
	},
	{
		.name = "logs",
		.summary = "show the last records of the audit log",
		.usage = "[--container C] [-n N] [-f] [--since WHEN]",
		.details = "JSON lines, oldest first; those of all containers when none is named.",
		.example = "terok-shield logs --container web -n 10",
		.run = cmd_logs,
		.options = WHERE | OPTION_CONTAINER | OPTION_COUNT | OPTION_FOLLOW | OPTION_SINCE,
		.takes_container = true,
		.container_optional = true,
	},
	{
		.name = "preview",
		.summary = "print the ruleset that a container would get",
		.usage = "[--down [--all]] [--profiles P...]",
		.example = "terok-shield preview --down --all",
		.run = cmd_preview,
		.options = OPTION_STATE_DIR | OPTION_DOWN | OPTION_ALL | OPTION_PROFILES | OPTION_PROFILES_DIR | OPTION_LOOPBACK_PORT,
	},
	{
		.name = "setup",
		.summary = "install the hooks where podman looks for them by itself",
		.usage = "[--root | --user]",
		.details = "Only needed for containers that were started with --hooks and are to keep their shield over `podman start`.\n"
			   "--root for all users, --user for this one. Asks when neither is given.",
		.example = "terok-shield setup --user",
		.run = cmd_setup,
		.options = OPTION_STATE_DIR | OPTION_ROOT | OPTION_USER,
	},
	{
		.name = "check-environment",
		.summary = "say whether everything that is needed is here",
		.usage = "[--json]",
		.example = "terok-shield check-environment",
		.run = cmd_check_environment,
		.options = OPTION_STATE_DIR | OPTION_JSON,
	},
	{
		.name = "completion",
		.summary = "print the completion of this program for a shell",
		.usage = "bash|zsh|fish",
		.example = "source <(terok-shield completion bash)",
		.words = "bash zsh fish",
		.run = cmd_completion,
		.options = OPTION_STATE_DIR,
		.operands_min = 1,
		.operands_max = 1,
	},
	{
		.name = "help",
		.summary = "explain a command",
		.usage = "[COMMAND]",
		.example = "terok-shield help run",
		.run = cmd_help,
		.options = OPTION_STATE_DIR,
		.operands_max = 1,
	},
	{.name = NULL},
};

const struct command *command_find(const char *name)
{
	for (const struct command *command = command_table; command->name; command++) {
		if (strcmp(command->name, name) == 0)
			return command;
	}
	return NULL;
}
