/* The shells' completions. Words come from the table of commands; containers and profiles are asked of the program itself. */
#include "cli/completion.h"

#include <errno.h>
#include <string.h>

#include "cli/command.h"

#define CONTAINERS "terok-shield list 2>/dev/null | awk 'NR > 1 { print $1 }'"
#define PROFILES   "terok-shield profiles 2>/dev/null"

struct writer {
	struct text *text;
	const struct command *command;
};

/* What the help may hold and a single-quoted word may not. */
static void add_quoted(struct text *text, const char *string)
{
	text_add(text, "'");
	for (; *string; string++) {
		if (*string == '\'')
			text_add(text, "'\\''");
		else
			text_add_bytes(text, string, 1);
	}
	text_add(text, "'");
}

static void add_commands(struct text *text)
{
	for (const struct command *command = command_table; command->name; command++)
		text_addf(text, "%s%s", command == command_table ? "" : " ", command->name);
}

/* The fixed words of the first operand besides the container. */
static const char *words_of(const struct command *command)
{
	return command->words ? command->words : "";
}

/* ---- bash and zsh ---- */

static void add_option_word(void *context, const char *name, char letter, const char *value, const char *help)
{
	struct writer *writer = context;
	(void)value, (void)help;
	if (name)
		text_addf(writer->text, "--%s ", name);
	if (letter)
		text_addf(writer->text, "-%c ", letter);
}

static void add_case(struct text *text, const struct command *command)
{
	struct writer writer = {.text = text, .command = command};
	text_addf(text, "\t%s) words='", command->name);
	command_each_option(command, add_option_word, &writer);
	text_addf(text, "--help' fixed='%s' container=%d ;;\n", words_of(command), command->takes_container);
}

static void add_bash(struct text *text)
{
	text_add(text, "# bash completion of terok-shield: source <(terok-shield completion bash)\n"
		       "_terok_shield() {\n"
		       "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command= words= fixed= container=0 i\n"
		       "\tCOMPREPLY=()\n"
		       "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		       "\t\tcase ${COMP_WORDS[i]} in\n"
		       "\t\t--state-dir) ((i++)) ;;\n"
		       "\t\t--) return ;;\n"
		       "\t\t-*) ;;\n"
		       "\t\t*) [[ $command ]] || command=${COMP_WORDS[i]} ;;\n"
		       "\t\tesac\n"
		       "\tdone\n"
		       "\tif [[ ! $command ]]; then\n\t\tmapfile -t COMPREPLY < <(compgen -W '");
	add_commands(text);
	text_add(text, " --help --version --state-dir' -- \"$word\")\n\t\treturn\n\tfi\n\tcase $command in\n");
	for (const struct command *command = command_table; command->name; command++)
		add_case(text, command);
	text_add(text, "\t*) return ;;\n\tesac\n"
		       "\tcase $before in\n"
		       "\t--state-dir | --task-state-dir | --profiles-dir) mapfile -t COMPREPLY < <(compgen -d -- \"$word\"); return ;;\n"
		       "\t--profile | --profiles | show) mapfile -t COMPREPLY < <(compgen -W \"$(" PROFILES ")\" -- \"$word\"); return ;;\n"
		       "\t--container | --container-id) mapfile -t COMPREPLY < <(compgen -W \"$(" CONTAINERS ")\" -- \"$word\"); return ;;\n"
		       "\tcheck) mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); return ;;\n"
		       "\tesac\n"
		       "\tif [[ $word == -* ]]; then\n"
		       "\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
		       "\telif [[ $before == \"$command\" ]]; then\n"
		       "\t\t((container)) && fixed=$(" CONTAINERS ")\n"
		       "\t\tmapfile -t COMPREPLY < <(compgen -W \"$fixed\" -- \"$word\")\n"
		       "\telif ((container && COMP_CWORD > 2)) && [[ ${COMP_WORDS[COMP_CWORD - 2]} == \"$command\" ]]; then\n"
		       "\t\tmapfile -t COMPREPLY < <(compgen -W \"$fixed\" -- \"$word\")\n"
		       "\tfi\n}\n");
}

static void bash_render(struct text *text)
{
	add_bash(text);
	text_add(text, "complete -F _terok_shield terok-shield\n");
}

/* ---- zsh ---- */

static void zsh_option(void *context, const char *name, char letter, const char *value, const char *help)
{
	struct writer *writer = context;
	cleanup_text struct text word = {0};
	(void)value, (void)help;
	if (name)
		text_addf(&word, "--%s", name);
	else
		text_addf(&word, "-%c", letter);
	text_addf(writer->text, " %s", word.data ? word.data : "");
}

static void zsh_render(struct text *text)
{
	text_add(text, "#compdef terok-shield\n# zsh completion of terok-shield: source <(terok-shield completion zsh)\n"
		       "_terok_shield() {\n\tlocal -a commands names\n\tlocal command=${words[2]}\n\tcommands=(\n");
	for (const struct command *command = command_table; command->name; command++) {
		cleanup_text struct text line = {0};
		text_addf(&line, "%s:%s", command->name, command->summary);
		text_add(text, "\t\t");
		add_quoted(text, line.data ? line.data : "");
		text_add(text, "\n");
	}
	text_add(text, "\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n"
		       "\tcase ${words[CURRENT - 1]} in\n"
		       "\t--state-dir | --task-state-dir | --profiles-dir) _files -/; return ;;\n"
		       "\t--profile | --profiles | show) names=(${(f)\"$(" PROFILES ")\"}); compadd -a names; return ;;\n"
		       "\t--container | --container-id) names=(${(f)\"$(" CONTAINERS ")\"}); compadd -a names; return ;;\n"
		       "\tcheck) _files; return ;;\n"
		       "\tesac\n\tcase $command in\n");
	for (const struct command *command = command_table; command->name; command++) {
		struct writer writer = {.text = text, .command = command};
		text_addf(text, "\t%s)\n\t\t[[ $PREFIX == -* ]] && compadd --", command->name);
		command_each_option(command, zsh_option, &writer);
		text_add(text, " --help\n");
		if (command->takes_container)
			text_add(text, "\t\tif ((CURRENT == 3)); then\n\t\t\tnames=(${(f)\"$(" CONTAINERS ")\"}); compadd -a names\n\t\tfi\n");
		if (command->words)
			text_addf(text, "\t\tif ((CURRENT == %d)); then\n\t\t\tcompadd -- %s\n\t\tfi\n", command->takes_container ? 4 : 3,
				command->words);
		text_add(text, "\t\t;;\n");
	}
	text_add(text, "\tesac\n}\ncompdef _terok_shield terok-shield\n");
}

/* ---- fish ---- */

static void fish_option(void *context, const char *name, char letter, const char *value, const char *help)
{
	struct writer *writer = context;
	text_addf(writer->text, "complete -c terok-shield -n '__fish_seen_subcommand_from %s'", writer->command->name);
	if (letter)
		text_addf(writer->text, " -s %c", letter);
	if (name)
		text_addf(writer->text, " -l %s", name);
	if (value)
		text_add(writer->text, " -r");
	if (name && (strcmp(name, "profiles") == 0 || strcmp(name, "profile") == 0))
		text_add(writer->text, " -a '(" PROFILES ")'");
	text_add(writer->text, " -d ");
	add_quoted(writer->text, help);
	text_add(writer->text, "\n");
}

static void fish_render(struct text *text)
{
	text_add(text, "# fish completion of terok-shield: terok-shield completion fish | source\ncomplete -c terok-shield -f\n");
	for (const struct command *command = command_table; command->name; command++) {
		struct writer writer = {.text = text, .command = command};
		text_addf(text, "complete -c terok-shield -n __fish_use_subcommand -a %s -d ", command->name);
		add_quoted(text, command->summary);
		text_add(text, "\n");
		if (command->words)
			text_addf(text, "complete -c terok-shield -n '__fish_seen_subcommand_from %s' -a '%s'\n", command->name,
				command->words);
		if (command->takes_container)
			text_addf(text,
				"complete -c terok-shield -n '__fish_seen_subcommand_from %s' -a \"(terok-shield list 2>/dev/null | awk "
				"'NR > 1 { print \\$1 }')\"\n",
				command->name);
		command_each_option(command, fish_option, &writer);
	}
}

int completion_render(struct text *text, const char *shell)
{
	static const struct {
		const char *shell;
		void (*render)(struct text *text);
	} shells[] = {{"bash", bash_render}, {"zsh", zsh_render}, {"fish", fish_render}};
	for (size_t i = 0; i < sizeof(shells) / sizeof(*shells); i++) {
		if (strcmp(shells[i].shell, shell) != 0)
			continue;
		shells[i].render(text);
		return text_failed(text) ? -ENOMEM : 0;
	}
	return -EINVAL;
}
