// SPDX-License-Identifier: MIT
#include "decode/container_ref.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- containers ---- */

static bool is_id(const struct part *p)
{
	for (size_t i = 0; i < p->len; i++) {
		if (!isxdigit((unsigned char)p->text[i]))
			return false;
	}
	return p->len == CONTAINER_ID_DIGITS;
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
	*ret = p;
	return is_id(&p);
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

static void take_container(struct container_ref *ref, struct part part)
{
	struct part found;

	if (is_helper(part)) {
		ref->id[0] = '\0';
		ref->name_len = 0;
	} else if (is_engine_container(part, &found)) {
		memcpy(ref->id, found.text, found.len);
		ref->id[found.len] = '\0';
		ref->name_len = 0;
	} else if (is_named_container(part, &found)) {
		ref->id[0] = '\0';
		ref->name = found.text;
		ref->name_len = found.len;
	}
}

/* ---- pods ---- */

/*
 * "kubepods-burstable-pod<UID>.slice" (by systemd, which has '_' for each '-'; with the id of a
 * container behind a ':' where the runtime was not told of systemd), "pod<UID>" (cgroupfs).
 */
static bool is_pod(struct part p, struct part *ret)
{
	const char *colon = memchr(p.text, ':', p.len);

	if (colon)
		p.len = (size_t)(colon - p.text);
	if (takes_suffix(&p, ".slice")) {
		const char *dash = memrchr(p.text, '-', p.len);

		if (dash)
			p = (struct part){dash + 1, p.len - (size_t)(dash + 1 - p.text)};
	}
	*ret = p;
	return takes_prefix(ret, "pod");
}

/*
 * A UUID; of a pod that a file on the node describes, not the API server, 32 digits without dashes.
 * True when all of @p is one, which @to has then.
 */
static bool copy_uid(char *to, const struct part *p)
{
	size_t digits = 0;

	if (p->len > POD_UID_DIGITS)
		return false;
	for (size_t i = 0; i < p->len; i++) {
		char c = p->text[i];
		bool dash = c == '_' || c == '-';

		if (!dash && !isxdigit((unsigned char)c))
			return false;
		digits += !dash;
		to[i] = dash ? '-' : c;
	}
	to[p->len] = '\0';
	return digits == 32;
}

static void take_pod(struct container_ref *ref, struct part part)
{
	char uid[POD_UID_DIGITS + 1];
	struct part found;

	if (is_pod(part, &found) && copy_uid(uid, &found))
		memcpy(ref->pod, uid, sizeof(uid));
}

/* ---- both ---- */

void container_ref_parse(struct container_ref *ret, const char *path, size_t len)
{
	const char *end = path + len;
	struct part part;

	*ret = (struct container_ref){0};
	for (const char *at = path; at < end; at += part.len + 1) {
		const char *slash = memchr(at, '/', (size_t)(end - at));

		part = (struct part){at, (size_t)((slash ? slash : end) - at)};
		take_pod(ret, part);
		take_container(ret, part);
	}
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

void container_ref_add(const struct container_ref *ref, struct buf *out)
{
	buf_add(out, ref->id, strnlen(ref->id, CONTAINER_SHOWN_DIGITS));
	for (size_t i = 0; i < ref->name_len; i++) {
		char c = ref->name[i];

		if (is_escape(ref->name + i, ref->name_len - i, &c))
			i += 3;
		buf_add_char(out, c);
	}
}
