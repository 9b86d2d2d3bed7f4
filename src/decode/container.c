// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "decode/decoder.h"
#include "kernel/cgroups.h"

/* Container engines give a container 64 hexadecimal digits, and show the first 12. */
enum { ID_DIGITS = 64, SHOWN_DIGITS = 12 };

/* A part of a path, between slashes. */
struct part {
	const char *text;
	size_t len;
};

static bool takes_prefix(struct part *p, const char *prefix)
{
	size_t len = strlen(prefix);

	if (p->len <= len || memcmp(p->text, prefix, len) != 0)
		return false;
	*p = (struct part){p->text + len, p->len - len};
	return true;
}

static bool takes_suffix(struct part *p, const char *suffix)
{
	size_t len = strlen(suffix);

	if (p->len <= len || memcmp(p->text + p->len - len, suffix, len) != 0)
		return false;
	p->len -= len;
	return true;
}

static bool is_id(const struct part *p)
{
	for (size_t i = 0; i < p->len; i++) {
		if (!isxdigit((unsigned char)p->text[i]))
			return false;
	}
	return p->len == ID_DIGITS;
}

/* Groups of their own that engines have for what belongs to a container but is not in it. */
static bool is_helper(struct part p)
{
	return takes_prefix(&p, "libpod-conmon-") || takes_prefix(&p, "crio-conmon-") ||
	       takes_prefix(&p, "lxc.monitor.");
}

/*
 * "<64 digits>" (docker and kubernetes with cgroupfs), "docker-….scope", "cri-containerd-….scope",
 * "crio-….scope", "libpod-….scope" (by systemd): whatever stands before the last '-' is the engine.
 */
static bool is_engine_container(struct part p, struct part *ret)
{
	takes_suffix(&p, ".scope");
	for (size_t i = p.len; i > 0; i--) {
		if (p.text[i - 1] != '-' && p.text[i - 1] != ':')
			continue;
		p = (struct part){p.text + i, p.len - i};
		break;
	}
	if (!is_id(&p))
		return false;
	*ret = (struct part){p.text, SHOWN_DIGITS};
	return true;
}

/* Containers that have names instead: machinectl(1), lxc. */
static bool is_named_container(struct part p, struct part *ret)
{
	bool named = (takes_prefix(&p, "machine-") && takes_suffix(&p, ".scope")) ||
		     (takes_prefix(&p, "systemd-nspawn@") && takes_suffix(&p, ".service")) ||
		     takes_prefix(&p, "lxc.payload.");

	*ret = p;
	return named;
}

/* Whether "\xHH" stands at @at, which systemd writes for what the name of a unit cannot have. */
static bool is_escape(const char *at, size_t len, char *ret)
{
	char digits[3] = "";

	if (len < 4 || at[0] != '\\' || at[1] != 'x' || !isxdigit((unsigned char)at[2]) ||
	    !isxdigit((unsigned char)at[3]))
		return false;
	memcpy(digits, at + 2, 2);
	*ret = (char)strtoul(digits, NULL, 16);
	return true;
}

static void add_unescaped(struct buf *out, const struct part *p)
{
	for (size_t i = 0; i < p->len; i++) {
		char c = p->text[i];

		if (is_escape(p->text + i, p->len - i, &c))
			i += 3;
		buf_add_char(out, c);
	}
}

/* The innermost container, since a group may be one of many inside it; nothing outside of any. */
static void add_container(struct buf *out, const char *path, size_t len)
{
	struct part found = {0}, part;

	for (const char *at = path, *end = path + len; at < end; at += part.len + 1) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		struct part name;

		part = (struct part){at, (size_t)((slash ? slash : end) - at)};
		if (is_helper(part))
			found = (struct part){0};
		else if (is_engine_container(part, &name) || is_named_container(part, &name))
			found = name;
	}
	add_unescaped(out, &found);
}

static int decode_container(const struct decode_env *env, const struct decode_step *step,
			    const void *in, size_t len, struct buf *out)
{
	_cleanup_buf_ struct buf path = {0};
	enum cgroup_state state;
	uint64_t id;

	(void)step;
	if (len && *(const char *)in == '/') {
		add_container(out, in, len);
		return DECODE_OK;
	}
	if (decode_parse_decimal(in, len, &id))
		return -EINVAL;
	state = cgroups_path(env->cgroups, id, &path);
	if (!buf_ok(&path))
		return -ENOMEM;
	if (state == CGROUP_UNKNOWN)
		buf_printf(out, "unknown_cgroup_id:%.*s", (int)len, (const char *)in);
	else
		add_container(out, path.data, path.len);
	return state == CGROUP_THERE ? DECODE_OK : DECODE_UNKNOWN;
}

DECODER(container, .name = "container",
	.doc = "decimal cgroup id, or path of a cgroup → the container's short id or name, empty "
	       "outside of containers, else unknown_cgroup_id:N",
	.takes = FORM_DECIMAL | FORM_NAME, .gives = FORM_TEXT, .follows = FOLLOWS_CGROUPS,
	.prepare = decode_prepare_cgroups, .decode = decode_container);
