/* terok-shield: the program that a user calls. */
#include "cli/command.h"

int main(int argc, char **argv)
{
	return command_main(argc, argv);
}
