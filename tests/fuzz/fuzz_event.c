/* A line of the stream of events: whatever it is, what a person or a command gets of it is bounded printable ASCII. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/event.h"
#include "cli/event_text.h"
#include "cli/top_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printable(const char *string, size_t max)
{
	size_t length = strnlen(string, max);

	if (length == max)
		abort();
	for (size_t i = 0; i < length; i++)
		if (string[i] < ' ' || string[i] > '~')
			abort();
}

static void check_shown(const struct event *event)
{
	struct event_style style = {.good = "", .bad = "", .faint = "", .plain = ""};

	for (style.width = 0; style.width < 200; style.width += 20) {
		struct text text = {0};

		event_text_add(&text, event, &style);
		check_printable(text.data, text.length + 1);
		if (style.width >= 40 && text.length > style.width)
			abort();
		text_free(&text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1);
	struct top_model model;
	struct event event;

	if (!line)
		return 0;
	if (size)
		memcpy(line, data, size);
	line[size] = '\0';
	if (event_parse(&event, line, NULL) == 0) {
		check_printable(event.time, sizeof(event.time));
		check_printable(event.action, sizeof(event.action));
		check_printable(event.container, sizeof(event.container));
		check_printable(event.domain, sizeof(event.domain));
		check_printable(event.dest, sizeof(event.dest));
		check_printable(event.detail, sizeof(event.detail));
		check_printable(event.proto, sizeof(event.proto));
		check_shown(&event);
		if (event.count == 0 || top_model_init(&model, "web"))
			abort();
		top_model_event(&model, &event, 1);
		for (size_t i = 0; i < model.refusal_count; i++)
			check_printable(model.refusals[i].what, sizeof(model.refusals[i].what));
		top_model_free(&model);
	}
	free(line);
	return 0;
}
