// SPDX-License-Identifier: MIT
/*
 * Which servers this host is configured with: of DNS, of time, and its own sshd's ports. Addresses
 * only; a name in one of these files would have to be asked for, over the network that is about to
 * be cut.
 */
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "guard_protect.h"

enum {
	CONFIG_MAX = 1 << 20, /* a larger one is none of these files */
	SSH_PORT = 22,
};

/* A kind of file: the first word of lines that are looked at, and what separates words in it. */
struct dialect {
	const char *pattern; /* of paths, glob(7) */
	const char *keywords[4];
	const char *separators;
};

typedef int (*word_fn)(void *ctx, const char *word);

static bool is_keyword(const struct dialect *d, const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(d->keywords) && d->keywords[i]; i++) {
		if (strcasecmp(d->keywords[i], word) == 0)
			return true;
	}
	return false;
}

static int read_line(const struct dialect *d, char *line, word_fn fn, void *ctx)
{
	char *at, *word;
	int err = 0;

	line[strcspn(line, "#;")] = '\0';
	word = strtok_r(line, d->separators, &at);
	if (!word || !is_keyword(d, word))
		return 0;
	while (!err && (word = strtok_r(NULL, d->separators, &at)))
		err = fn(ctx, word);
	return err;
}

/* A file that is not there or cannot be read says nothing. */
static int read_file(const struct dialect *d, const char *path, word_fn fn, void *ctx)
{
	_cleanup_buf_ struct buf text = {0};
	struct error error;
	char *next;
	int err = 0;

	if (file_read_into(path, CONFIG_MAX, &text, &error))
		return 0;
	for (next = text.data; !err && next;)
		err = read_line(d, strsep(&next, "\n"), fn, ctx);
	return err;
}

static int read_files(const char *root, const struct dialect *d, word_fn fn, void *ctx)
{
	_cleanup_buf_ struct buf pattern = {0};
	glob_t found = {0};
	int err = 0;

	buf_printf(&pattern, "%s%s", root, d->pattern);
	if (glob(buf_str(&pattern), 0, NULL, &found) == 0) {
		for (size_t i = 0; !err && i < found.gl_pathc; i++)
			err = read_file(d, found.gl_pathv[i], fn, ctx);
	}
	globfree(&found);
	return err;
}

static int read_all(const char *root, const struct dialect *dialects, size_t count, word_fn fn,
		    void *ctx)
{
	int err = 0;

	for (size_t i = 0; !err && i < count; i++)
		err = read_files(root, &dialects[i], fn, ctx);
	return err;
}

/* ---- servers ---- */

struct servers {
	struct guard_protected_set *set;
	enum guard_protected_kind kind;
};

/* "fe80::1%eth0" is fe80::1 wherever it comes in. Names are no addresses. */
static int add_server(void *ctx, const char *word)
{
	char address[GUARD_PREFIX_TEXT];
	const struct servers *s = ctx;
	size_t len = strcspn(word, "%");
	struct guard_prefix p;

	if (len >= sizeof(address))
		return 0;
	memcpy(address, word, len);
	address[len] = '\0';
	if (!guard_prefix_parse(address, &p) || p.prefixlen != GUARD_ADDRESS_BITS)
		return 0;
	return guard_protected_add(s->set, &p, s->kind);
}

int guard_servers_add_dns(const char *root, struct guard_protected_set *set)
{
	static const struct dialect dialects[] = {
		{"/etc/resolv.conf", {"nameserver"}, " \t\r"},
		/* what systemd-resolved asks when resolv.conf names only itself */
		{"/run/systemd/resolve/resolv.conf", {"nameserver"}, " \t\r"},
	};
	struct servers s = {.set = set, .kind = GUARD_PROTECTED_DNS};

	return read_all(root, dialects, ARRAY_SIZE(dialects), add_server, &s);
}

int guard_servers_add_time(const char *root, struct guard_protected_set *set)
{
#define NTP_KEYWORDS                                                                               \
	{                                                                                          \
		"server", "peer", "pool"                                                           \
	}
	static const struct dialect dialects[] = {
		{"/etc/chrony/chrony.conf", NTP_KEYWORDS, " \t\r"},
		{"/etc/chrony/sources.d/*.sources", NTP_KEYWORDS, " \t\r"},
		{"/etc/chrony.conf", NTP_KEYWORDS, " \t\r"},
		{"/run/chrony-dhcp/*.sources", NTP_KEYWORDS, " \t\r"},
		{"/etc/ntp.conf", NTP_KEYWORDS, " \t\r"},
		{"/etc/ntpsec/ntp.conf", NTP_KEYWORDS, " \t\r"},
		{"/etc/systemd/timesyncd.conf", {"NTP", "FallbackNTP"}, " \t\r="},
		{"/etc/systemd/timesyncd.conf.d/*.conf", {"NTP", "FallbackNTP"}, " \t\r="},
	};
	struct servers s = {.set = set, .kind = GUARD_PROTECTED_NTP};

	return read_all(root, dialects, ARRAY_SIZE(dialects), add_server, &s);
}

/* ---- our own sshd ---- */

struct port_list {
	uint16_t *items;
	size_t count;
};

static int add_port(void *ctx, const char *word)
{
	struct port_list *p = ctx;
	unsigned long port = strtoul(word, NULL, 10);

	if (port > 0 && port <= UINT16_MAX && p->count < GUARD_SSH_PORTS)
		p->items[p->count++] = (uint16_t)port;
	return 0;
}

size_t guard_servers_ssh_ports(const char *root, uint16_t ports[GUARD_SSH_PORTS])
{
	static const struct dialect dialects[] = {
		{"/etc/ssh/sshd_config", {"Port"}, " \t\r="},
		{"/etc/ssh/sshd_config.d/*.conf", {"Port"}, " \t\r="},
	};
	struct port_list found = {.items = ports};

	(void)read_all(root, dialects, ARRAY_SIZE(dialects), add_port, &found);
	if (found.count == 0)
		ports[found.count++] = SSH_PORT;
	return found.count;
}
