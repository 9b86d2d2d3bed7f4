// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "decode/hostnames.h"
#include "decoding.h"

#define MAJORMINOR "[{name: majorminor}]"

static int set_up(void **state)
{
	static struct decode_env env;

	*state = &env;
	return hostnames_new(NULL, &env.host);
}

static int tear_down(void **state)
{
	hostnames_free(((struct decode_env *)*state)->host);
	return 0;
}

static void expect(const struct decode_env *env, unsigned major, unsigned minor, int result,
		   const char *text)
{
	uint32_t device = (uint32_t)makedev(major, minor);

	check_decoding(env, &(struct decoding){MAJORMINOR, (const char *)&device, sizeof(device),
					       result, text});
}

static void test_unknown(void **state)
{
	expect(*state, 136, 16, DECODE_UNKNOWN, "unknown:136:16");
	/* minor numbers have 20 bits, 12 of them above the major's */
	expect(*state, 4095, 1048575, DECODE_UNKNOWN, "unknown:4095:1048575");
	expect(*state, 0, 0, DECODE_UNKNOWN, "unknown:0:0");
	/* as in new_encode_dev() of the kernel, byte by byte */
	check_decoding(*state, &(struct decoding){MAJORMINOR, BYTES("\x10\x88\0\0"), DECODE_UNKNOWN,
						  "unknown:136:16"});
}

/* sysfs says the same in another way: /sys/class/block/NAME/dev is "major:minor". */
static void test_devices_of_this_host(void **state)
{
	DIR *directory = opendir("/sys/class/block");
	const struct dirent *entry;
	unsigned known = 0;

	if (!directory) {
		skip(); /* no sysfs here */
		return;
	}
	while ((entry = readdir(directory))) {
		unsigned major, minor;
		unsigned long long sectors = 0;
		char path[512];
		FILE *file;

		snprintf(path, sizeof(path), "/sys/class/block/%s/size", entry->d_name);
		file = fopen(path, "r");
		if (!file || fscanf(file, "%llu", &sectors) != 1)
			sectors = 0;
		if (file)
			fclose(file);
		snprintf(path, sizeof(path), "/sys/class/block/%s/dev", entry->d_name);
		file = fopen(path, "r");
		/* /proc/partitions leaves out what is empty */
		if (file && fscanf(file, "%u:%u", &major, &minor) == 2 && sectors) {
			expect(*state, major, minor, DECODE_OK, entry->d_name);
			known++;
		}
		if (file)
			fclose(file);
	}
	closedir(directory);
	if (!known)
		skip(); /* no block devices here */
}

static void test_refusals(void **state)
{
	static const struct refusal rows[] = {
		{8, MAJORMINOR, "has a size of 8 bytes, but its decoder 'majorminor' takes 4"},
		{4, "[" UINT ", {name: majorminor}]", "it must be the first"},
	};

	CHECK_REFUSALS(*state, rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_devices_of_this_host),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
