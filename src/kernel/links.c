// SPDX-License-Identifier: MIT
#include "kernel/links.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "kernel/netlink.h"

enum {
	FIRST_BUCKETS = 64,
	/* Kernels before 6.7 may skip an interface in a dump when others come and go during it. */
	MAX_DUMPS = 8,
	MAX_RESYNCS = 64,
	MAX_ADDRESS = 32, /* MAX_ADDR_LEN of include/linux/netdevice.h */
};

struct link_address {
	uint8_t len;
	uint8_t bytes[MAX_ADDRESS];
};

struct entry {
	struct entry *next; /* in its bucket */
	struct link_info info;
	struct link_address address;
	uint32_t seen; /* the number of the last resync in which it was there */
};

struct links {
	struct netlink *netlink;
	pthread_mutex_t *lock; /* held to change the table, and by other threads to read it */
	struct entry **buckets;
	uint32_t n_buckets; /* a power of two */
	uint32_t count;
	uint32_t last_generation; /* of an interface */
	uint32_t resync;          /* the number of the resync under way, or of the last one */
	bool resyncing;
	_Atomic uint64_t generation; /* of all names */
	link_event_fn fn;            /* of the links_update() under way */
	void *ctx;
};

static struct entry **place_of(const struct links *l, uint32_t ifindex)
{
	struct entry **at = &l->buckets[ifindex & (l->n_buckets - 1)];

	while (*at && (*at)->info.ifindex != ifindex)
		at = &(*at)->next;
	return at;
}

/* Rehashes under the lock. A table that cannot grow still works, only slower. */
static void grow(struct links *l)
{
	uint32_t n_old = l->n_buckets, n_new = n_old * 2;
	struct entry **old = l->buckets, **new = calloc(n_new, sizeof(*new));

	if (!new)
		return;
	l->buckets = new;
	l->n_buckets = n_new;
	for (uint32_t i = 0; i < n_old; i++) {
		struct entry *entry, *next;

		for (entry = old[i]; entry; entry = next) {
			next = entry->next;
			entry->next = new[entry->info.ifindex & (n_new - 1)];
			new[entry->info.ifindex & (n_new - 1)] = entry;
		}
	}
	free(old);
}

static void report(struct links *l, enum link_event event, const struct link_info *info)
{
	atomic_fetch_add(&l->generation, 1);
	if (l->fn)
		l->fn(l->ctx, event, info);
}

static void remove_at(struct links *l, struct entry **at)
{
	_cleanup_free_ struct entry *entry = *at;

	pthread_mutex_lock(l->lock);
	*at = entry->next;
	l->count--;
	pthread_mutex_unlock(l->lock);
	report(l, LINK_REMOVED, &entry->info);
}

static int add(struct links *l, const struct entry *what)
{
	struct entry *entry = malloc(sizeof(*entry)), **at;

	if (!entry)
		return -ENOMEM;
	*entry = *what;
	entry->info.generation = ++l->last_generation;
	entry->seen = l->resync;
	pthread_mutex_lock(l->lock);
	if (l->count >= l->n_buckets)
		grow(l);
	at = place_of(l, entry->info.ifindex);
	entry->next = *at;
	*at = entry;
	l->count++;
	pthread_mutex_unlock(l->lock);
	report(l, LINK_ADDED, &entry->info);
	return 0;
}

static void rename_entry(struct links *l, struct entry *entry, const char *name)
{
	pthread_mutex_lock(l->lock);
	memcpy(entry->info.name, name, sizeof(entry->info.name));
	pthread_mutex_unlock(l->lock);
	report(l, LINK_RENAMED, &entry->info);
}

static bool same_address(const struct link_address *a, const struct link_address *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/*
 * Whether @now is the interface that @was describes. A change of type makes another one of it: who
 * looks at its packets must do so differently. While no message is missed, the kernel says when an
 * interface goes, so the same index is the same interface. Otherwise the address must be the same,
 * or the name where there is no address: to take one interface for two costs a re-attachment, to
 * take two for one would leave the second unmeasured.
 */
static bool is_same(const struct entry *was, const struct entry *now, bool missed)
{
	if (was->info.type != now->info.type)
		return false;
	if (!missed)
		return true;
	if (!same_address(&was->address, &now->address))
		return false;
	return now->address.len > 0 || STREQ(was->info.name, now->info.name);
}

static int link_is(struct links *l, const struct entry *now)
{
	struct entry **at = place_of(l, now->info.ifindex);
	/* The first time in a resync is the one that bridges the gap. */
	bool missed = l->resyncing && *at && (*at)->seen != l->resync;

	if (*at && !is_same(*at, now, missed))
		remove_at(l, at);
	at = place_of(l, now->info.ifindex);
	if (!*at)
		return add(l, now);
	(*at)->seen = l->resync;
	(*at)->address = now->address;
	if (!STREQ((*at)->info.name, now->info.name))
		rename_entry(l, *at, now->info.name);
	return 0;
}

static bool read_link(const struct nlmsghdr *message, struct entry *ret)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	const struct nlattr *address;
	const char *name;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*info))
		return false;
	/* A bridge tells about its ports with the same message types, of its own family: a port
	 * that leaves the bridge sends RTM_DELLINK, and the interface is still there. */
	if (info->ifi_family != AF_UNSPEC)
		return false;
	*ret = (struct entry){
		.info = {.ifindex = (uint32_t)info->ifi_index, .type = info->ifi_type}};
	name = netlink_text(netlink_attribute(message, sizeof(*info), IFLA_IFNAME));
	snprintf(ret->info.name, sizeof(ret->info.name), "%s", name);
	address = netlink_attribute(message, sizeof(*info), IFLA_ADDRESS);
	if (address) {
		ret->address.len = MIN(mnl_attr_get_payload_len(address), MAX_ADDRESS);
		memcpy(ret->address.bytes, mnl_attr_get_payload(address), ret->address.len);
	}
	return true;
}

static int on_message(void *ctx, const struct nlmsghdr *message)
{
	struct links *l = ctx;
	struct entry now, **at;

	if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK)
		return 0;
	if (!read_link(message, &now))
		return 0;
	if (message->nlmsg_type == RTM_NEWLINK) {
		/* What comes about a gap may be from before it. A removal that is told of is true
		 * of the interface that we know, whatever came after it. */
		return l->netlink->overrun ? 0 : link_is(l, &now);
	}
	at = place_of(l, now.info.ifindex);
	if (*at)
		remove_at(l, at);
	return 0;
}

static int dump(struct links *l)
{
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	struct netlink_request request = {};
	struct nlmsghdr *message =
		netlink_begin(&request, RTM_GETLINK, NLM_F_DUMP, &info, sizeof(info));

	mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return netlink_transact(l->netlink, &request, on_message, l, NULL);
}

static void remove_unseen(struct links *l)
{
	for (uint32_t i = 0; i < l->n_buckets; i++) {
		struct entry **at = &l->buckets[i];

		while (*at) {
			if ((*at)->seen == l->resync)
				at = &(*at)->next;
			else
				remove_at(l, at);
		}
	}
}

static int dump_until_whole(struct links *l)
{
	unsigned dumps = 0;
	int r;

	do
		r = dump(l);
	while (r == 0 && l->netlink->interrupted && ++dumps < MAX_DUMPS);
	return r;
}

/*
 * Compares the table with what there is. Dump and events come over the one socket in the order in
 * which they happened, so each message is simply the newest state. The socket must have been empty
 * since messages were dropped: only then does the kernel queue new ones, and tell when it drops
 * again (netlink_overrun() of net/netlink/af_netlink.c).
 */
static int resync_once(struct links *l)
{
	int r = netlink_drain(l->netlink, on_message, l);

	if (r < 0)
		return r;
	l->netlink->overrun = false;
	l->resync++;
	l->resyncing = true;
	r = dump_until_whole(l);
	l->resyncing = false;
	if (r < 0)
		l->netlink->overrun = true;
	else if (!l->netlink->overrun)
		remove_unseen(l);
	return r;
}

static int resync(struct links *l)
{
	int r = 0;

	for (unsigned i = 0; l->netlink->overrun && r == 0; i++)
		r = i < MAX_RESYNCS ? resync_once(l) : -EBUSY;
	return r;
}

int links_update(struct links *l, link_event_fn fn, void *ctx, struct error *e)
{
	int r;

	l->fn = fn;
	l->ctx = ctx;
	if (!l->netlink->overrun && netlink_drain(l->netlink, on_message, l) < 0)
		l->netlink->overrun = true;
	r = resync(l);
	l->fn = NULL;
	if (r < 0)
		return error_set(e, r, "cannot follow the network interfaces: %s", strerror(-r));
	return 0;
}

static int allocate(struct links **ret)
{
	struct links *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	*ret = l;
	l->n_buckets = FIRST_BUCKETS;
	l->buckets = calloc(FIRST_BUCKETS, sizeof(struct entry *));
	l->lock = malloc(sizeof(*l->lock));
	if (!l->buckets || !l->lock)
		return -ENOMEM;
	return -pthread_mutex_init(l->lock, NULL);
}

DEFINE_CLEANUP(struct links *, links_close)

int links_open(struct links **ret, struct error *e)
{
	_cleanup_(links_close_p) struct links *l = NULL;
	int r = allocate(&l);

	if (r < 0)
		return error_set(e, r, "cannot follow the network interfaces: %s", strerror(-r));
	r = netlink_open(RTMGRP_LINK, &l->netlink, e);
	if (r < 0)
		return r;
	l->netlink->overrun = true; /* all that is there is still unknown */
	r = links_update(l, NULL, NULL, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(l);
	return 0;
}

void links_close(struct links *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; l->buckets && i < l->n_buckets; i++) {
		struct entry *entry, *next;

		for (entry = l->buckets[i]; entry; entry = next) {
			next = entry->next;
			free(entry);
		}
	}
	if (l->lock)
		pthread_mutex_destroy(l->lock);
	free(l->lock);
	free(l->buckets);
	netlink_close(l->netlink);
	free(l);
}

int links_fd(const struct links *l)
{
	return mnl_socket_get_fd(l->netlink->socket);
}

void links_each(struct links *l, link_event_fn fn, void *ctx)
{
	/* No lock: only the owner, who calls this, changes the table. */
	for (uint32_t i = 0; i < l->n_buckets; i++) {
		for (const struct entry *entry = l->buckets[i]; entry; entry = entry->next)
			fn(ctx, LINK_ADDED, &entry->info);
	}
}

bool links_get(const struct links *l, uint32_t ifindex, struct link_info *ret)
{
	const struct entry *entry;

	pthread_mutex_lock(l->lock);
	entry = *place_of(l, ifindex);
	if (entry)
		*ret = entry->info;
	pthread_mutex_unlock(l->lock);
	return entry;
}

bool links_name(const struct links *l, uint32_t ifindex, char name[IF_NAMESIZE])
{
	struct link_info link;
	bool found = links_get(l, ifindex, &link);

	if (found)
		memcpy(name, link.name, IF_NAMESIZE);
	return found;
}

uint64_t links_generation(const struct links *l)
{
	return atomic_load(&l->generation);
}
