#include "start.h"
void start_measure(unsigned runs, unsigned containers) { (void)runs; (void)containers; }
void start_profile(unsigned names) { (void)names; }
void start_podman(bool quick) { (void)quick; }
