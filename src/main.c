// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/command.h"

/* Where one of the three standard descriptors is closed, the next socket would get its number and
 * be written to as if it were the terminal. What is opened here cannot be written to. */
static void occupy_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* A page that was cut off (the disk is full, stdout is closed) is a failure. */
static int check_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	fprintf(stderr, "wiregauge: cannot write to standard output: %s\n", strerror(errno));
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	int code, failed;

	occupy_standard_descriptors();
	code = (int)command_main(argc, argv);
	failed = check_output();
	return code ? code : failed;
}
