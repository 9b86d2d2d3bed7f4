// SPDX-License-Identifier: MIT
#include "kernel/links.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/netlink.h"

#define OWN_NETNS "/proc/thread-self/ns/net"

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

/* What an entry is found by: where it is, or its id. */
enum { BY_PLACE, BY_ID, N_INDICES };

struct entry {
	struct entry *next[N_INDICES]; /* in its bucket */
	struct link_info info;
	struct link_address address;
	uint32_t seen; /* the number of the last resync in which it was there */
};

/* Another namespace that is followed. */
struct space {
	uint64_t netns;
	int32_t nsid;
};

struct links {
	struct netlink *netlink;
	uint64_t own_netns;
	int32_t own_nsid; /* the id that the own namespace has in itself, if somebody gave it one */
	bool everywhere;  /* netlink_listen_everywhere() */
	bool heard;       /* of a namespace with a new id */
	bool strange;     /* there were events from an id that is not known */
	struct space *spaces;
	size_t n_spaces;
	pthread_mutex_t *lock; /* held to change the table, and by other threads to read it */
	struct entry **buckets[N_INDICES];
	uint32_t n_buckets;    /* of each, a power of two */
	uint32_t last_foreign; /* id, without LINK_FOREIGN */
	uint32_t count;
	uint32_t last_generation; /* of an interface */
	uint32_t resync;          /* the number of the resync under way, or of the last one */
	bool resyncing;
	_Atomic uint64_t generation; /* of all names */
	link_event_fn fn;            /* of the links_update() under way */
	void *ctx;
};

static struct entry **bucket_by_place(const struct links *l, uint64_t netns, uint32_t ifindex)
{
	return &l->buckets[BY_PLACE][(ifindex ^ (uint32_t)netns * 31) & (l->n_buckets - 1)];
}

static struct entry **bucket_by_id(const struct links *l, uint32_t id)
{
	return &l->buckets[BY_ID][id & (l->n_buckets - 1)];
}

static struct entry **place_of(const struct links *l, uint64_t netns, uint32_t ifindex)
{
	struct entry **at = bucket_by_place(l, netns, ifindex);

	while (*at && ((*at)->info.ifindex != ifindex || (*at)->info.netns != netns))
		at = &(*at)->next[BY_PLACE];
	return at;
}

static struct entry **id_of(const struct links *l, uint32_t id)
{
	struct entry **at = bucket_by_id(l, id);

	while (*at && (*at)->info.id != id)
		at = &(*at)->next[BY_ID];
	return at;
}

static void insert(struct links *l, struct entry *entry)
{
	struct entry **at[N_INDICES] = {bucket_by_place(l, entry->info.netns, entry->info.ifindex),
					bucket_by_id(l, entry->info.id)};

	for (unsigned i = 0; i < N_INDICES; i++) {
		entry->next[i] = *at[i];
		*at[i] = entry;
	}
}

/* Rehashes under the lock. A table that cannot grow still works, only slower. */
static void grow(struct links *l)
{
	uint32_t n_old = l->n_buckets;
	struct entry **old = l->buckets[BY_PLACE];
	struct entry **by_place = calloc((size_t)n_old * 2, sizeof(struct entry *));
	struct entry **by_id = calloc((size_t)n_old * 2, sizeof(struct entry *));

	if (!by_place || !by_id) {
		free(by_place);
		free(by_id);
		return;
	}
	free(l->buckets[BY_ID]);
	l->buckets[BY_PLACE] = by_place;
	l->buckets[BY_ID] = by_id;
	l->n_buckets = n_old * 2;
	for (uint32_t i = 0; i < n_old; i++) {
		struct entry *entry, *next;

		for (entry = old[i]; entry; entry = next) {
			next = entry->next[BY_PLACE];
			insert(l, entry);
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
	*at = entry->next[BY_PLACE];
	*id_of(l, entry->info.id) = entry->next[BY_ID];
	l->count--;
	pthread_mutex_unlock(l->lock);
	report(l, LINK_REMOVED, &entry->info);
}

static uint32_t new_id(struct links *l, const struct link_info *info)
{
	if (!info->netns)
		return info->ifindex;
	return LINK_FOREIGN | ++l->last_foreign;
}

static int add(struct links *l, const struct entry *what)
{
	struct entry *entry = malloc(sizeof(*entry));

	if (!entry)
		return -ENOMEM;
	*entry = *what;
	entry->info.id = new_id(l, &what->info);
	entry->info.generation = ++l->last_generation;
	entry->seen = l->resync;
	pthread_mutex_lock(l->lock);
	if (l->count >= l->n_buckets)
		grow(l);
	insert(l, entry);
	l->count++;
	pthread_mutex_unlock(l->lock);
	report(l, LINK_ADDED, &entry->info);
	return 0;
}

static bool is_called_so(const struct link_info *was, const struct link_info *now)
{
	return STREQ(was->name, now->name) && STREQ(was->kind, now->kind) &&
	       was->physical == now->physical;
}

static void rename_entry(struct links *l, struct entry *entry, const struct link_info *now)
{
	pthread_mutex_lock(l->lock);
	memcpy(entry->info.name, now->name, sizeof(entry->info.name));
	memcpy(entry->info.kind, now->kind, sizeof(entry->info.kind));
	entry->info.physical = now->physical;
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
	struct entry **at = place_of(l, now->info.netns, now->info.ifindex);
	/* The first time in a resync is the one that bridges the gap. */
	bool missed = l->resyncing && *at && (*at)->seen != l->resync;

	if (*at && !is_same(*at, now, missed))
		remove_at(l, at);
	at = place_of(l, now->info.netns, now->info.ifindex);
	if (!*at)
		return add(l, now);
	(*at)->seen = l->resync;
	(*at)->address = now->address;
	if (!is_called_so(&(*at)->info, &now->info))
		rename_entry(l, *at, &now->info);
	return 0;
}

static const char *text_within(const struct nlattr *nest, uint16_t type)
{
	return nest ? netlink_text(netlink_nested(nest, type)) : "";
}

/*
 * What has a device says so since Linux 5.14; before, whatever has no kind is taken for it. What
 * has a master that is of no kind either (hv_netvsc, net_failover) is paired with it.
 */
static void read_kind(const struct nlmsghdr *message, struct link_info *info)
{
	const size_t header = sizeof(struct ifinfomsg);
	const struct nlattr *nest = netlink_attribute(message, header, IFLA_LINKINFO);
	const char *kind = text_within(nest, IFLA_INFO_KIND);
	bool has_device = netlink_attribute(message, header, IFLA_PARENT_DEV_NAME) ||
			  (!*kind && info->type != ARPHRD_LOOPBACK);
	bool is_paired = netlink_attribute(message, header, IFLA_MASTER) &&
			 !*text_within(nest, IFLA_INFO_SLAVE_KIND);

	snprintf(info->kind, sizeof(info->kind), "%s", kind);
	info->physical = has_device && !is_paired;
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
	read_kind(message, &ret->info);
	address = netlink_attribute(message, sizeof(*info), IFLA_ADDRESS);
	if (address) {
		ret->address.len = MIN(mnl_attr_get_payload_len(address), MAX_ADDRESS);
		memcpy(ret->address.bytes, mnl_attr_get_payload(address), ret->address.len);
	}
	return true;
}

/* ---- other namespaces ---- */

static struct space *find_space(const struct links *l, int32_t nsid)
{
	for (size_t i = 0; i < l->n_spaces; i++) {
		if (l->spaces[i].nsid == nsid)
			return &l->spaces[i];
	}
	return NULL;
}

static struct space *find_space_of(const struct links *l, uint64_t netns)
{
	for (size_t i = 0; i < l->n_spaces; i++) {
		if (l->spaces[i].netns == netns)
			return &l->spaces[i];
	}
	return NULL;
}

/* Which of the entries remove_where() removes. */
struct condition {
	bool (*is_true)(const struct links *l, const struct entry *entry, uint64_t netns);
	uint64_t netns;
};

static void remove_where(struct links *l, const struct condition *c)
{
	for (uint32_t i = 0; i < l->n_buckets; i++) {
		struct entry **at = &l->buckets[BY_PLACE][i];

		while (*at) {
			if (c->is_true(l, *at, c->netns))
				remove_at(l, at);
			else
				at = &(*at)->next[BY_PLACE];
		}
	}
}

static bool is_in(const struct links *l, const struct entry *entry, uint64_t netns)
{
	(void)l;
	return entry->info.netns == netns;
}

static void remove_space(struct links *l, struct space *space)
{
	const struct condition in_it = {is_in, space->netns};

	*space = l->spaces[--l->n_spaces];
	remove_where(l, &in_it);
}

static bool is_own_nsid(const struct links *l, int32_t nsid)
{
	return nsid == NETLINK_OWN || nsid == l->own_nsid;
}

/* The namespace that @message about a link is from, into *ret; false for one that is not followed.
 * A dump of another says in itself which. */
static bool find_netns(struct links *l, const struct nlmsghdr *message, uint64_t *ret)
{
	const struct nlattr *target =
		netlink_attribute(message, sizeof(struct ifinfomsg), IFLA_TARGET_NETNSID);
	int32_t nsid = l->netlink->nsid;
	const struct space *space;

	if (target && mnl_attr_get_payload_len(target) == sizeof(nsid))
		memcpy(&nsid, mnl_attr_get_payload(target), sizeof(nsid));
	*ret = 0;
	if (is_own_nsid(l, nsid))
		return true;
	space = find_space(l, nsid);
	if (space)
		*ret = space->netns;
	else
		l->strange = true;
	return space;
}

static int32_t read_nsid(const struct nlmsghdr *message)
{
	const struct nlattr *a = netlink_attribute(message, sizeof(struct rtgenmsg), NETNSA_NSID);
	int32_t nsid = NETNSA_NSID_NOT_ASSIGNED;

	if (a && mnl_attr_get_payload_len(a) == sizeof(nsid))
		memcpy(&nsid, mnl_attr_get_payload(a), sizeof(nsid));
	return nsid;
}

/* A namespace has got an id, or has gone with the one that it had. Its interfaces are not told of
 * then: who had no id any more was not heard. */
static void on_nsid(struct links *l, const struct nlmsghdr *message)
{
	struct space *space;

	if (!is_own_nsid(l, l->netlink->nsid)) /* the ids that another one gives */
		return;
	if (message->nlmsg_type == RTM_NEWNSID) {
		l->heard = true;
		return;
	}
	space = find_space(l, read_nsid(message));
	if (space)
		remove_space(l, space);
}

static int on_message(void *ctx, const struct nlmsghdr *message)
{
	struct links *l = ctx;
	struct entry now, **at;

	if (message->nlmsg_type == RTM_NEWNSID || message->nlmsg_type == RTM_DELNSID)
		on_nsid(l, message);
	if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK)
		return 0;
	if (!read_link(message, &now) || !find_netns(l, message, &now.info.netns))
		return 0;
	if (message->nlmsg_type == RTM_NEWLINK) {
		/* What comes about a gap may be from before it. A removal that is told of is true
		 * of the interface that we know, whatever came after it. */
		return l->netlink->overrun ? 0 : link_is(l, &now);
	}
	at = place_of(l, now.info.netns, now.info.ifindex);
	if (*at)
		remove_at(l, at);
	return 0;
}

/* ---- reading all ---- */

static int dump(struct links *l, int32_t nsid)
{
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	struct netlink_request request = {};
	struct nlmsghdr *message =
		netlink_begin(&request, RTM_GETLINK, NLM_F_DUMP, &info, sizeof(info));

	mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (nsid != NETLINK_OWN)
		mnl_attr_put_u32(message, IFLA_TARGET_NETNSID, (uint32_t)nsid);
	return netlink_transact(l->netlink, &request, on_message, l, NULL);
}

static bool is_unseen(const struct links *l, const struct entry *entry, uint64_t netns)
{
	(void)netns;
	return entry->seen != l->resync;
}

static void remove_unseen(struct links *l)
{
	const struct condition unseen = {is_unseen, 0};

	remove_where(l, &unseen);
}

static int dump_until_whole(struct links *l, int32_t nsid)
{
	unsigned dumps = 0;
	int r;

	do
		r = dump(l, nsid);
	while (r == 0 && l->netlink->interrupted && ++dumps < MAX_DUMPS);
	return r;
}

/* A namespace that cannot be read has gone, and that it did is among the messages that were
 * dropped: its interfaces are not seen. */
static int dump_all(struct links *l)
{
	int r = dump_until_whole(l, NETLINK_OWN);

	for (size_t i = l->n_spaces; r == 0 && i > 0; i--) {
		if (dump_until_whole(l, l->spaces[i - 1].nsid) < 0)
			l->spaces[i - 1] = l->spaces[--l->n_spaces];
	}
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
	r = dump_all(l);
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

/* ---- ids of namespaces ---- */

struct nsid_answer {
	struct links *links;
	int32_t nsid;
};

static int on_answer(void *ctx, const struct nlmsghdr *message)
{
	struct nsid_answer *answer = ctx;
	struct links *l = answer->links;

	/* Others are told of what others do. */
	if (message->nlmsg_type != RTM_NEWNSID || message->nlmsg_seq != l->netlink->sequence ||
	    message->nlmsg_pid != mnl_socket_get_portid(l->netlink->socket))
		return on_message(l, message);
	answer->nsid = read_nsid(message);
	return 0;
}

/* RTM_GETNSID: the id of the namespace of @fd into *ret; RTM_NEWNSID: gives it one. */
static int transact_nsid(struct links *l, uint16_t type, int fd, int32_t *ret)
{
	struct nsid_answer answer = {.links = l, .nsid = NETNSA_NSID_NOT_ASSIGNED};
	struct rtgenmsg general = {.rtgen_family = AF_UNSPEC};
	struct netlink_request request = {};
	struct nlmsghdr *message = netlink_begin(&request, type, 0, &general, sizeof(general));
	int r;

	mnl_attr_put_u32(message, NETNSA_FD, (uint32_t)fd);
	if (type == RTM_NEWNSID)
		mnl_attr_put_u32(message, NETNSA_NSID, (uint32_t)NETNSA_NSID_NOT_ASSIGNED);
	r = netlink_transact(l->netlink, &request, on_answer, &answer, NULL);
	*ret = answer.nsid;
	return r;
}

/* The id of the namespace of @fd, which gets one where it has none. */
static int obtain_nsid(struct links *l, int fd, int32_t *ret)
{
	int32_t ignored;
	int r = transact_nsid(l, RTM_GETNSID, fd, ret);

	if (r < 0 || *ret != NETNSA_NSID_NOT_ASSIGNED)
		return r;
	r = transact_nsid(l, RTM_NEWNSID, fd, &ignored);
	if (r == 0 || r == -EEXIST) /* somebody else was quicker */
		r = transact_nsid(l, RTM_GETNSID, fd, ret);
	return r == 0 && *ret == NETNSA_NSID_NOT_ASSIGNED ? -ENOENT : r;
}

/* Somebody may give an id to the own namespace as well (ip netns set): then what happens there
 * comes with that. */
static int learn_own_nsid(struct links *l)
{
	_cleanup_close_ int fd = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);
	int32_t nsid = NETNSA_NSID_NOT_ASSIGNED;
	int r = fd < 0 ? -errno : transact_nsid(l, RTM_GETNSID, fd, &nsid);

	l->strange = false;
	if (r == 0 && nsid != l->own_nsid) {
		l->own_nsid = nsid;
		l->netlink->overrun = true; /* what came with it was not understood */
	}
	return r;
}

static int drain(struct links *l)
{
	int r = netlink_drain(l->netlink, on_message, l);

	return r == 0 && l->strange ? learn_own_nsid(l) : r;
}

int links_update(struct links *l, link_event_fn fn, void *ctx, struct error *e)
{
	int r;

	l->fn = fn;
	l->ctx = ctx;
	if (!l->netlink->overrun && drain(l) < 0)
		l->netlink->overrun = true;
	r = resync(l);
	l->fn = NULL;
	if (r < 0)
		return error_set(e, r, "cannot follow the network interfaces: %s", strerror(-r));
	return 0;
}

static int add_space(struct links *l, uint64_t netns, int32_t nsid)
{
	struct space *spaces = reallocarray(l->spaces, l->n_spaces + 1, sizeof(*spaces));

	if (!spaces)
		return -ENOMEM;
	l->spaces = spaces;
	spaces[l->n_spaces++] = (struct space){netns, nsid};
	return 0;
}

static int listen_everywhere(struct links *l)
{
	int r = l->everywhere ? 0 : netlink_listen_everywhere(l->netlink);

	if (r == 0 && !l->everywhere)
		r = learn_own_nsid(l);
	l->everywhere |= r == 0;
	return r;
}

/* What is known under the inode or the id of @netns is of one that has gone, unless both are the
 * same. */
static int follow(struct links *l, uint64_t netns, int fd)
{
	struct space *known;
	int32_t nsid = NETNSA_NSID_NOT_ASSIGNED;
	int r = listen_everywhere(l);

	if (r == 0)
		r = obtain_nsid(l, fd, &nsid);
	if (r < 0)
		return r;
	known = find_space_of(l, netns);
	if (known && known->nsid == nsid)
		return 0;
	if (known)
		remove_space(l, known);
	if ((known = find_space(l, nsid)))
		remove_space(l, known);
	r = add_space(l, netns, nsid);
	if (r == 0)
		r = dump_until_whole(l, nsid);
	known = find_space(l, nsid);
	if (r < 0 && known)
		remove_space(l, known);
	return r;
}

int links_follow(struct links *l, uint64_t netns, int fd, link_event_fn fn, void *ctx,
		 struct error *e)
{
	int r;

	l->fn = fn;
	l->ctx = ctx;
	r = follow(l, netns, fd);
	if (r == 0)
		r = resync(l);
	l->fn = NULL;
	if (r < 0)
		return error_set(e, r,
				 "cannot follow the interfaces of another network namespace: "
				 "%s%s",
				 error_words(r),
				 r == -EPERM ? "; give CAP_NET_ADMIN and CAP_NET_BROADCAST" : "");
	return 0;
}

void links_unfollow(struct links *l, bool (*keep)(void *ctx, uint64_t netns), link_event_fn fn,
		    void *ctx)
{
	l->fn = fn;
	l->ctx = ctx;
	for (size_t i = l->n_spaces; i > 0; i--) {
		if (!keep(ctx, l->spaces[i - 1].netns))
			remove_space(l, &l->spaces[i - 1]);
	}
	l->fn = NULL;
}

bool links_follows(const struct links *l, uint64_t netns)
{
	return find_space_of(l, netns);
}

bool links_heard_of_namespaces(struct links *l)
{
	bool heard = l->heard;

	l->heard = false;
	return heard;
}

/* ---- life ---- */

static int allocate(struct links **ret)
{
	struct links *l = calloc(1, sizeof(*l));
	struct stat st;

	if (!l)
		return -ENOMEM;
	*ret = l;
	l->own_nsid = NETNSA_NSID_NOT_ASSIGNED;
	l->own_netns = stat(OWN_NETNS, &st) == 0 ? st.st_ino : 0;
	l->n_buckets = FIRST_BUCKETS;
	for (unsigned i = 0; i < N_INDICES; i++)
		l->buckets[i] = calloc(FIRST_BUCKETS, sizeof(struct entry *));
	l->lock = malloc(sizeof(*l->lock));
	if (!l->buckets[BY_PLACE] || !l->buckets[BY_ID] || !l->lock)
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
	for (uint32_t i = 0; l->buckets[BY_PLACE] && i < l->n_buckets; i++) {
		struct entry *entry, *next;

		for (entry = l->buckets[BY_PLACE][i]; entry; entry = next) {
			next = entry->next[BY_PLACE];
			free(entry);
		}
	}
	if (l->lock)
		pthread_mutex_destroy(l->lock);
	free(l->lock);
	free(l->spaces);
	free(l->buckets[BY_PLACE]);
	free(l->buckets[BY_ID]);
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
		for (const struct entry *entry = l->buckets[BY_PLACE][i]; entry;
		     entry = entry->next[BY_PLACE])
			fn(ctx, LINK_ADDED, &entry->info);
	}
}

bool links_get(const struct links *l, uint32_t id, struct link_info *ret)
{
	const struct entry *entry;

	pthread_mutex_lock(l->lock);
	entry = *id_of(l, id);
	if (entry)
		*ret = entry->info;
	pthread_mutex_unlock(l->lock);
	return entry;
}

bool links_name(const struct links *l, uint32_t id, char name[IF_NAMESIZE])
{
	struct link_info link;
	bool found = links_get(l, id, &link);

	if (found)
		memcpy(name, link.name, IF_NAMESIZE);
	return found;
}

static bool matches(const char *pattern, const void *what)
{
	static const char prefix[] = "kind:";
	const struct link_info *link = what;

	if (strncmp(pattern, prefix, strlen(prefix)) != 0)
		return fnmatch(pattern, link->name, 0) == 0;
	pattern += strlen(prefix);
	return (link->physical && fnmatch(pattern, "physical", 0) == 0) ||
	       (*link->kind && fnmatch(pattern, link->kind, 0) == 0);
}

bool link_is_chosen(const struct link_info *link, const struct strv *patterns)
{
	return strv_choose(patterns, matches, link);
}

uint64_t links_own_netns(const struct links *l)
{
	return l->own_netns;
}

uint64_t links_generation(const struct links *l)
{
	return atomic_load(&l->generation);
}
