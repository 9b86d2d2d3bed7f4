// SPDX-License-Identifier: MIT
#include "guard_protect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_ITEMS = 16,
	NAMED = 3, /* in a sentence; the others are counted */
};

static const struct {
	const char *name;
	const char *words;
} kinds[GUARD_PROTECTED_KINDS] = {
	[GUARD_PROTECTED_LOOPBACK] = {"loopback", "loopback"},
	[GUARD_PROTECTED_SSH] = {"ssh", "the peer of an SSH session"},
	[GUARD_PROTECTED_GATEWAY] = {"gateway", "a default gateway"},
	[GUARD_PROTECTED_DNS] = {"dns", "a DNS server of this host"},
	[GUARD_PROTECTED_NTP] = {"ntp", "a time server of this host"},
	[GUARD_PROTECTED_OPTION] = {"option", "protected by the option protect"},
};

const char *guard_protected_words(enum guard_protected_kind kind)
{
	return kinds[kind].words;
}

const char *guard_protected_name(enum guard_protected_kind kind)
{
	return kinds[kind].name;
}

void guard_protected_free(struct guard_protected_set *s)
{
	free(s->items);
	buf_free(&s->failures);
	*s = (struct guard_protected_set){0};
}

static bool has(const struct guard_protected_set *s, const struct guard_protected *item)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->items[i].kind == item->kind &&
		    memcmp(&s->items[i].prefix, &item->prefix, sizeof(item->prefix)) == 0)
			return true;
	}
	return false;
}

int guard_protected_add(struct guard_protected_set *s, const struct guard_prefix *p,
			enum guard_protected_kind kind)
{
	const struct guard_protected item = {.prefix = *p, .kind = kind};

	if (has(s, &item))
		return 0;
	if (s->count == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : FIRST_ITEMS;
		void *items = reallocarray(s->items, cap, sizeof(*s->items));

		if (!items)
			return -ENOMEM;
		s->items = items;
		s->cap = cap;
	}
	s->items[s->count++] = item;
	return 0;
}

/* ---- all of them ---- */

static int add_texts(struct guard_protected_set *s, const char *const *texts, size_t count,
		     enum guard_protected_kind kind)
{
	int err = 0;

	for (size_t i = 0; !err && i < count; i++) {
		struct guard_prefix p;

		if (guard_prefix_parse(texts[i], &p))
			err = guard_protected_add(s, &p, kind);
	}
	return err;
}

static size_t session_ports(const struct guard_protect_options *o, uint16_t ports[GUARD_SSH_PORTS])
{
	size_t count = 0;

	for (size_t i = 0; o->ssh_ports && i < o->ssh_ports->count && count < GUARD_SSH_PORTS; i++)
		ports[count++] = (uint16_t)strtoul(o->ssh_ports->items[i], NULL, 10);
	return count ? count : guard_servers_ssh_ports(o->root, ports);
}

int guard_protect_gather(const struct guard_protect_options *o, struct guard_protected_set *ret)
{
	static const char *const loopback[] = {"127.0.0.0/8", "::1"};
	uint16_t ports[GUARD_SSH_PORTS];
	size_t n_ports = session_ports(o, ports);
	int err = add_texts(ret, loopback, ARRAY_SIZE(loopback), GUARD_PROTECTED_LOOPBACK);

	if (!err)
		err = guard_peers_add_sessions(ports, n_ports, ret);
	if (!err)
		err = guard_peers_add_gateways(ret);
	if (!err)
		err = guard_servers_add_dns(o->root, ret);
	if (!err)
		err = guard_servers_add_time(o->root, ret);
	if (!err)
		err = guard_peers_add_time(ret);
	if (!err && o->networks)
		err = add_texts(ret, (const char *const *)o->networks->items, o->networks->count,
				GUARD_PROTECTED_OPTION);
	return err;
}

/* ---- whether a rule is about them ---- */

const struct guard_protected *guard_protected_next(const struct guard_protected_set *s,
						   const struct guard_prefix *rule, size_t *at)
{
	while (*at < s->count) {
		const struct guard_protected *item = &s->items[(*at)++];

		if (guard_prefix_overlaps(rule, &item->prefix))
			return item;
	}
	return NULL;
}

static void name_one(const struct guard_protected *p, struct buf *text, size_t before)
{
	if (before)
		buf_add_str(text, ", ");
	guard_prefix_add_text(&p->prefix, text);
	buf_printf(text, " (%s)", guard_protected_words(p->kind));
}

size_t guard_protected_explain(const struct guard_protected_set *s, const struct guard_prefix *rule,
			       struct buf *text)
{
	const struct guard_protected *p;
	size_t count = 0, at = 0;

	for (; (p = guard_protected_next(s, rule, &at)); count++) {
		if (count < NAMED)
			name_one(p, text, count);
	}
	if (count > NAMED)
		buf_printf(text, " and %zu more", count - NAMED);
	return count;
}
