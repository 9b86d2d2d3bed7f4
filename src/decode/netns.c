// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>

#include "decode/container_names.h"
#include "decode/decoder.h"
#include "decode/hostnames.h"
#include "kernel/netnames.h"
#include "kernel/netowners.h"

enum { UUID_DIGITS = 36, DOCKER_DIGITS = 12 };

static bool is_hex(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!isxdigit((unsigned char)text[i]) && text[i] != '-')
			return false;
	}
	return true;
}

/* Engines name files of namespaces by chance, which tells nobody anything: "cni-<UUID>"
 * (containerd), "<UUID>" (CRI-O), "netns-<UUID>" (podman), 12 digits (docker). */
static bool is_by_chance(const char *name, size_t len)
{
	if (len == DOCKER_DIGITS)
		return is_hex(name, len);
	return len >= UUID_DIGITS && is_hex(name + len - UUID_DIGITS, UUID_DIGITS);
}

/* "pod's namespace/pod", or the container that the namespace was made for. */
static bool add_owner(const struct hostnames *host, const struct container_ref *ref,
		      struct buf *out)
{
	if (container_names_find(host->containers, ref, CONTAINER_PART_POD_NAMESPACE, out)) {
		buf_add_char(out, '/');
		return container_names_find(host->containers, ref, CONTAINER_PART_POD, out);
	}
	if (ref->id[0] && container_names_find(host->containers, ref, CONTAINER_PART_NAME, out))
		return true;
	container_ref_add(ref, out);
	return ref->id[0] || ref->name_len;
}

static bool find_owner(const struct hostnames *host, uint64_t inode, struct buf *out)
{
	uint64_t version = netnames_generation(host->netnames);
	_cleanup_buf_ struct buf path = {0};
	struct container_ref ref;

	if (!netowners_cgroup(host->netowners, inode, version, &path) || !buf_ok(&path))
		return false;
	container_ref_parse(&ref, path.data, path.len);
	return add_owner(host, &ref, out);
}

static int decode_netns(const struct decode_env *env, const struct decode_step *step,
			const void *in, size_t len, struct buf *out)
{
	_cleanup_buf_ struct buf name = {0};
	uint64_t inode;
	bool named;

	(void)step;
	if (decode_parse_decimal(in, len, &inode))
		return -EINVAL;
	named = netnames_name(env->host->netnames, inode, &name);
	if (!(named && !is_by_chance(name.data, name.len)) && find_owner(env->host, inode, out))
		return DECODE_OK;
	if (named)
		buf_add(out, name.data, name.len);
	else
		buf_printf(out, "unknown:%.*s", (int)len, (const char *)in);
	return named ? DECODE_OK : DECODE_UNKNOWN;
}

DECODER(netns, .name = "netns",
	.doc = "decimal inode number of a network namespace (net->ns.inum) → its name in "
	       "/run/netns, host for that of process 1, NAMESPACE/POD or the container that it "
	       "was made for, else unknown:N",
	.takes = FORM_DECIMAL, .gives = FORM_NAME, .follows = FOLLOWS_NETNS | FOLLOWS_CONTAINERS,
	.decode = decode_netns);
