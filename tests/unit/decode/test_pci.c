// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "decode/hostnames.h"
#include "decode/pci_ids.h"
#include "decoding.h"

#define PCI(kind) TEXT("{name: pci_" kind "}")

static const char file[] = "# pci.ids\n"
			   "001c  PEAK-System\n"
			   "\t0001  PCAN-PCI\n"
			   "\t\t001c 0004  2 Channel\n"
			   "8086  Intel Corporation\n"
			   "\t1000  82542 Gigabit\r\n"
			   "# in between\n"
			   "\tbad  line\n"
			   "\tffff  last \xff one\n"
			   "zzzz  not hexadecimal\n"
			   "\t1001  of nobody\n"
			   "\n"
			   "C 00  Unclassified device\n"
			   "\t05  Image coprocessor\n"
			   "C 0c  Serial bus controller\n"
			   "\t03  USB controller\n"
			   "\t\t30  XHCI\n"
			   "C fe  no subclasses";

static char path[] = "/tmp/wg-pci-XXXXXX";

static int set_up(void **state)
{
	static struct hostnames host;
	static struct decode_env env = {.host = &host};

	*state = &env;
	return decoding_make_file(path, file) ? pci_ids_new(path, &host.pci_ids) : -1;
}

static int tear_down(void **state)
{
	pci_ids_free(((struct decode_env *)*state)->host->pci_ids);
	unlink(path);
	return 0;
}

static const struct decoding rows[] = {
	{PCI("vendor"), BYTES("32902"), 0, "Intel Corporation"},
	{PCI("vendor"), BYTES("28"), 0, "PEAK-System"},
	{PCI("vendor"), BYTES("48879"), 0, "unknown pci vendor: 0xbeef"},
	{PCI("vendor"), BYTES("5"), 0, "unknown pci vendor: 0x05"},
	{PCI("device"), BYTES("2156269568"), 0, "82542 Gigabit"},
	{PCI("device"), BYTES("1835009"), 0, "PCAN-PCI"},
	{PCI("device"), BYTES("2156326911"), 0, "unknown pci device: 0x8086efff"},
	{PCI("device"), BYTES("2156331007"), 0, "last \xef\xbf\xbd one"},
	{PCI("device"), BYTES("3735928559"), 0, "unknown pci device: 0xdeadbeef"},
	{PCI("device"), BYTES("1"), 0, "unknown pci device: 0x0001"},
	{PCI("class"), BYTES("0"), 0, "Unclassified device"},
	{PCI("class"), BYTES("12"), 0, "Serial bus controller"},
	{PCI("class"), BYTES("253"), 0, "unknown pci class: 0xfd"},
	{PCI("subclass"), BYTES("5"), 0, "Image coprocessor"},
	{PCI("subclass"), BYTES("3075"), 0, "USB controller"},
	{PCI("subclass"), BYTES("3"), 0, "unknown pci subclass: 0x03 (class 0x00)"},
	{PCI("subclass"), BYTES("64768"), 0, "unknown pci class: 0xfd"},
	{PCI("subclass"), BYTES("65025"), 0, "unknown pci subclass: 0x01 (class 0xfe)"},
	{PCI("vendor"), BYTES("4294967296"), -EINVAL, NULL},
	{PCI("class"), BYTES("x"), -EINVAL, NULL},
	{"[" UINT ", {name: pci_vendor}]", BYTES("\x86\x80"), 0, "Intel Corporation"},
};

static void test_rows(void **state)
{
	CHECK_DECODINGS(*state, rows);
}

static void test_without_the_file(void **state)
{
	static const char *const kinds[] = {PCI("vendor"), PCI("device"), PCI("class"),
					    PCI("subclass")};
	struct hostnames host = {0};
	const struct decode_env env = {.host = &host};

	(void)state;
	assert_int_equal(pci_ids_new("/nonexistent/pci.ids", &host.pci_ids), 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		check_decoding(&env,
			       &(struct decoding){kinds[i], BYTES("1"), 0, "missing pci.ids db"});
	pci_ids_free(host.pci_ids);
}

/* Debian's pci.ids, which other programs show as well. */
static void test_this_host(void **state)
{
	static const struct decoding usual[] = {
		{PCI("vendor"), BYTES("32902"), 0, "Intel Corporation"},
		{PCI("vendor"), BYTES("4318"), 0, "NVIDIA Corporation"},
		{PCI("device"), BYTES("2156269568"), 0,
		 "82542 Gigabit Ethernet Controller (Fiber)"},
		{PCI("class"), BYTES("2"), 0, "Network controller"},
		{PCI("subclass"), BYTES("512"), 0, "Ethernet controller"},
		{PCI("subclass"), BYTES("1540"), 0, "PCI bridge"},
	};
	struct hostnames host = {0};
	const struct decode_env env = {.host = &host};

	(void)state;
	assert_int_equal(pci_ids_new(NULL, &host.pci_ids), 0);
	if (!pci_ids_present(host.pci_ids))
		print_message("not run: no pci.ids (Debian package pci.ids)\n");
	else
		CHECK_DECODINGS(&env, usual);
	pci_ids_free(host.pci_ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_without_the_file),
		cmocka_unit_test(test_this_host),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
