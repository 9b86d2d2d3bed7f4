// SPDX-License-Identifier: MIT
#include "engine/follow.h"

#include <errno.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Not yet in the headers of all C libraries: include/uapi/linux/if_arp.h. */
#define ARPHRD_IP6GRE_TYPE 823
#define ARPHRD_RAWIP_TYPE  519

/* Devices whose packets begin with the network header on receive: tun
 * and wireguard are NONE, modems RAWIP. */
static const uint16_t headerless_types[] = {
	ARPHRD_PPP,   ARPHRD_TUNNEL,      ARPHRD_TUNNEL6, ARPHRD_SIT,
	ARPHRD_IPGRE, ARPHRD_IP6GRE_TYPE, ARPHRD_NONE,    ARPHRD_RAWIP_TYPE,
};

/* Whether packets of a device of ARPHRD_ type @type begin with a header of kind @layer. What is
 * neither (802.11 monitor mode, infiniband, CAN …) matches none. */
static bool has_link_layer(uint16_t type, enum link_layer layer)
{
	if (layer == LINK_LAYER_ETHERNET)
		return type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK;
	for (size_t i = 0; i < ARRAY_SIZE(headerless_types); i++) {
		if (headerless_types[i] == type)
			return true;
	}
	return false;
}

/* ---- making them ---- */

/* The globs of @row, "$name" replaced by the values of that option. */
static int resolve_interfaces(const struct module *m, const struct attach_config *row,
			      struct strv *ret)
{
	int err = 0;

	for (size_t i = 0; !err && i < row->interfaces.count; i++) {
		const char *text = row->interfaces.items[i].text;

		err = text[0] == '$' ? strv_add_all(ret, module_option(m, text + 1))
				     : strv_add(ret, text, strlen(text));
	}
	return err;
}

static int find_program(const struct unit *u, const struct config *config, const struct text *name,
			struct report *report, size_t *ret)
{
	for (size_t i = 0; i < u->n_programs; i++) {
		if (STREQ(u->programs[i].info.name, name->text)) {
			*ret = i;
			return 0;
		}
	}
	return report_error(report, &config->source, name->place, "the object has no program '%s'",
			    name->text);
}

static int add_followers(struct unit *u, const struct module *m, struct report *report)
{
	int err = 0;

	for (size_t i = 0; i < m->config->attach.count; i++) {
		struct follower *f = &u->followers[u->n_followers];

		f->config = &m->config->attach.items[i];
		if (find_program(u, m->config, &f->config->program, report, &f->program)) {
			err = -EINVAL;
			continue;
		}
		u->n_followers++;
		if (resolve_interfaces(m, f->config, &f->interfaces))
			return -ENOMEM;
	}
	return err;
}

int followers_build(struct unit *u, struct report *report)
{
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; i < u->plan->n_modules; i++)
		n += u->plan->modules[i].config->attach.count;
	u->followers = calloc(MAX(n, (size_t)1), sizeof(*u->followers));
	if (!u->followers)
		return -ENOMEM;
	for (size_t i = 0; i < u->plan->n_modules; i++) {
		int failed = add_followers(u, &u->plan->modules[i], report);

		if (failed)
			err = failed;
	}
	return err;
}

void followers_free(struct unit *u)
{
	for (size_t i = 0; i < u->n_followers; i++) {
		struct follower *f = &u->followers[i];

		for (size_t k = 0; k < f->n_links; k++) {
			struct error error;

			if (tc_detach(&f->links[k].tc, &error))
				log_warn("%s: %s", u->plan->name, error.text);
		}
		strv_free(&f->interfaces);
		free(f->links);
		free(f->error);
	}
	free(u->followers);
}

/* ---- following ---- */

static struct attached_link *find_link(struct follower *f, uint32_t ifindex)
{
	for (size_t i = 0; i < f->n_links; i++) {
		if (f->links[i].tc.ifindex == ifindex)
			return &f->links[i];
	}
	return NULL;
}

static void attach_failed(const struct unit *u, struct follower *f, const struct link_info *link,
			  const struct error *error)
{
	/* An interface that vanished before we got there is nobody's fault. */
	if (error->code == -ENODEV)
		return;
	f->failed++;
	free(f->error);
	f->error = strdup(error->text);
	log_warn("%s: %s: %s", u->plan->name, link->name, error->text);
}

static void forget_link(struct follower *f, struct attached_link *link)
{
	*link = f->links[--f->n_links];
}

static bool remember_link(struct follower *f, const struct attached_link *link)
{
	struct attached_link *links = reallocarray(f->links, f->n_links + 1, sizeof(*links));

	if (!links)
		return false;
	f->links = links;
	links[f->n_links++] = *link;
	return true;
}

static void attach(struct unit *u, const struct unit_env *env, struct follower *f,
		   const struct link_info *link)
{
	enum tc_direction direction = f->config->hook == HOOK_TC_INGRESS ? TC_INGRESS : TC_EGRESS;
	struct attached_link to;
	struct error error;

	memcpy(to.name, link->name, sizeof(to.name));
	if (tc_attach(env->tc_mechanism, u->programs[f->program].info.fd, link->ifindex, direction,
		      &to.tc, &error))
		attach_failed(u, f, link, &error);
	else if (!remember_link(f, &to))
		tc_detach(&to.tc, &error);
}

static void detach(struct unit *u, struct follower *f, struct attached_link *link)
{
	struct error error;

	if (tc_detach(&link->tc, &error))
		log_warn("%s: %s: %s", u->plan->name, link->name, error.text);
	forget_link(f, link);
}

static void follow(struct unit *u, const struct unit_env *env, struct follower *f,
		   enum link_event event, const struct link_info *link)
{
	bool wanted = event != LINK_REMOVED && has_link_layer(link->type, f->config->link_layer) &&
		      strv_globs_match(&f->interfaces, link->name);
	struct attached_link *present = find_link(f, link->ifindex);

	if (wanted && present)
		memcpy(present->name, link->name, sizeof(present->name));
	else if (wanted)
		attach(u, env, f, link);
	else if (present)
		detach(u, f, present);
}

void unit_link_event(struct unit *u, const struct unit_env *env, enum link_event event,
		     const struct link_info *link)
{
	for (size_t i = 0; i < u->n_followers; i++)
		follow(u, env, &u->followers[i], event, link);
}

/* ---- taking over ---- */

/* Whether @link is ours now. What is not stays with the predecessor, which detaches it. */
static bool take_over_link(const struct unit *u, struct follower *f, struct attached_link *link)
{
	struct error error;

	if (!strv_globs_match(&f->interfaces, link->name))
		return false;
	if (!tc_replace(&link->tc, u->programs[f->program].info.fd, &error))
		return remember_link(f, link);
	if (error.code != -ENODEV)
		log_warn("%s: %s: %s", u->plan->name, link->name, error.text);
	return false;
}

static void take_over(const struct unit *u, struct follower *f, struct follower *from)
{
	for (size_t i = 0; i < from->n_links;) {
		if (take_over_link(u, f, &from->links[i]))
			forget_link(from, &from->links[i]);
		else
			i++;
	}
}

void unit_take_over(struct unit *u, struct unit *predecessor)
{
	for (size_t i = 0; i < u->n_followers; i++) {
		struct follower *f = &u->followers[i];
		const char *name = u->programs[f->program].info.name;

		for (size_t k = 0; k < predecessor->n_followers; k++) {
			struct follower *from = &predecessor->followers[k];

			if (from->config->hook == f->config->hook &&
			    from->config->link_layer == f->config->link_layer &&
			    STREQ(predecessor->programs[from->program].info.name, name))
				take_over(u, f, from);
		}
	}
}
