/* profiles: the names there are. */
#include <stdio.h>

#include "cli/launch.h"

enum command_exit cmd_profiles(const struct command_options *options, struct error *error)
{
	struct launch_profile_path path;
	char **names;
	size_t count;
	if (launch_profile_path_init(&path, options, error) || profile_names(&path.path, &names, &count, error))
		return COMMAND_FAILED;
	for (size_t i = 0; i < count; i++)
		puts(names[i]);
	profile_names_free(names, count);
	return COMMAND_DONE;
}
