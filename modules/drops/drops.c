// SPDX-License-Identifier: MIT
/*
 * What was lost where no packet is given up by name: counters of drivers, which only they know and
 * which are had over netlink (RTM_GETSTATS of rtnetlink(7)), and of each CPU's receive queue
 * (/proc/net/softnet_stat).
 */
#include "drops.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "engine/part.h"
#include "kernel/mapwrite.h"
#include "kernel/netlink.h"

#define SOFTNET_STAT "/proc/net/softnet_stat"

enum { SOFTNET_STAT_MAX = 4 << 20 }; /* a line of some hundred bytes for each CPU */

struct drops {
	struct netlink *netlink;
	int devices;                    /* descriptor of the map drops_devices */
	int softnet;                    /* of drops_softnet */
	struct drops_softnet *softnets; /* by CPU, as far as seen */
	size_t n_softnets;
	struct buf text; /* of SOFTNET_STAT */
};

static int start(const struct part_context *c, void *state, int *ret_fd, struct error *e)
{
	struct map_info devices, softnet;
	struct drops *d = state;

	(void)ret_fd;
	if (object_find_map(c->object, "drops_devices", &devices) ||
	    object_find_map(c->object, "drops_softnet", &softnet))
		return error_set(e, -ENOENT, "the object has not the maps of drops.h");
	d->devices = devices.fd;
	d->softnet = softnet.fd;
	return netlink_open(0, &d->netlink, e);
}

static void stop(void *state)
{
	struct drops *d = state;

	netlink_close(d->netlink);
	free(d->softnets);
	buf_free(&d->text);
}

/* ---- interfaces ---- */

static const struct counter {
	size_t offset; /* in struct rtnl_link_stats64 */
	uint8_t direction;
	uint8_t cause;
} counters[] = {
	{offsetof(struct rtnl_link_stats64, rx_dropped), DROPS_INGRESS, DROPS_DROPPED},
	{offsetof(struct rtnl_link_stats64, rx_missed_errors), DROPS_INGRESS, DROPS_MISSED},
	{offsetof(struct rtnl_link_stats64, rx_errors), DROPS_INGRESS, DROPS_ERROR},
	{offsetof(struct rtnl_link_stats64, rx_nohandler), DROPS_INGRESS, DROPS_NO_HANDLER},
	{offsetof(struct rtnl_link_stats64, tx_dropped), DROPS_EGRESS, DROPS_DROPPED},
	{offsetof(struct rtnl_link_stats64, tx_errors), DROPS_EGRESS, DROPS_ERROR},
};

/* Counters that are 0 take no entry: most are, and always. */
static int put_counter(const struct drops *d, uint32_t interface, const struct counter *c,
		       const void *stats)
{
	const struct drops_device_key key = {
		.interface = interface,
		.direction = c->direction,
		.cause = c->cause,
	};
	uint64_t packets;

	memcpy(&packets, (const char *)stats + c->offset, sizeof(packets));
	return packets ? mapwrite_put(d->devices, &key, &packets) : 0;
}

static int on_stats(void *ctx, const struct nlmsghdr *message)
{
	const struct if_stats_msg *about = mnl_nlmsg_get_payload(message);
	const struct nlattr *stats;
	int err = 0;

	if (message->nlmsg_type != RTM_NEWSTATS ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*about))
		return 0;
	stats = netlink_attribute(message, sizeof(*about), IFLA_STATS_LINK_64);
	if (!stats)
		return 0;
	for (size_t i = 0; !err && i < ARRAY_SIZE(counters); i++) {
		const struct counter *c = &counters[i];

		if (c->offset + sizeof(uint64_t) <= mnl_attr_get_payload_len(stats))
			err = put_counter(ctx, about->ifindex, c, mnl_attr_get_payload(stats));
	}
	return err;
}

static int fill_devices(struct drops *d, struct error *e)
{
	const struct if_stats_msg all = {
		.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64),
	};
	struct netlink_request request = {0};
	int err;

	netlink_begin(&request, RTM_GETSTATS, NLM_F_DUMP, &all, sizeof(all));
	err = netlink_transact(d->netlink, &request, on_stats, d, NULL);
	if (err)
		return error_set(e, err, "cannot get the interfaces' counters: %s",
				 error_words(err));
	return 0;
}

/* ---- CPUs ---- */

/* Columns of SOFTNET_STAT, in hexadecimal (net/core/net-procfs.c, softnet_seq_show()). */
enum { COLUMN_DROPPED = 1, COLUMN_SQUEEZED = 2, COLUMN_CPU = 12, COLUMNS };

/* The kernel's counters have 32 bits and begin anew behind these; ours go on. */
static void advance(__u64 *counter, uint32_t now)
{
	*counter += (uint32_t)(now - (uint32_t)*counter);
}

static struct drops_softnet *softnet_of(struct drops *d, uint32_t cpu)
{
	if (cpu >= d->n_softnets) {
		void *p = reallocarray(d->softnets, cpu + 1, sizeof(*d->softnets));

		if (!p)
			return NULL;
		d->softnets = p;
		memset(&d->softnets[d->n_softnets], 0,
		       (cpu + 1 - d->n_softnets) * sizeof(*d->softnets));
		d->n_softnets = cpu + 1;
	}
	return &d->softnets[cpu];
}

/* How many columns @line has, at most COLUMNS. */
static size_t split_columns(const char *line, uint32_t columns[COLUMNS])
{
	size_t n = 0;
	char *end;

	for (; n < COLUMNS; n++, line = end) {
		columns[n] = (uint32_t)strtoul(line, &end, 16);
		if (end == line)
			break;
	}
	return n;
}

/* @number: of the line, which is the CPU's before Linux 5.10, unless one is offline. */
static int fill_softnet_line(struct drops *d, const char *line, uint32_t number)
{
	uint32_t columns[COLUMNS];
	size_t n = split_columns(line, columns);
	uint32_t cpu = n > COLUMN_CPU ? columns[COLUMN_CPU] : number;
	struct drops_softnet *softnet;

	if (n <= COLUMN_SQUEEZED)
		return -EBADMSG;
	softnet = softnet_of(d, cpu);
	if (!softnet)
		return -ENOMEM;
	advance(&softnet->dropped, columns[COLUMN_DROPPED]);
	advance(&softnet->squeezed, columns[COLUMN_SQUEEZED]);
	return mapwrite_put(d->softnet, &cpu, softnet);
}

static int fill_softnet_lines(struct drops *d)
{
	char *at, *line = strtok_r(d->text.data, "\n", &at);
	int err = 0;

	for (uint32_t i = 0; line && !err; i++, line = strtok_r(NULL, "\n", &at))
		err = fill_softnet_line(d, line, i);
	return err;
}

static int fill_softnet(struct drops *d, struct error *e)
{
	int err = file_read_into(SOFTNET_STAT, SOFTNET_STAT_MAX, &d->text, e);

	if (err)
		return err;
	err = fill_softnet_lines(d);
	return err ? error_set(e, err, "cannot read " SOFTNET_STAT ": %s", error_words(err)) : 0;
}

static int fill(void *state, struct error *e)
{
	struct drops *d = state;
	int err = fill_softnet(d, e);

	/* One without the other is better than nothing. */
	return err ? (fill_devices(d, NULL), err) : fill_devices(d, e);
}

MODULE_PART(drops, .state_size = sizeof(struct drops), .start = start, .fill = fill, .stop = stop);
