// SPDX-License-Identifier: MIT
#include "kernel/offers.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/compat.h"
#include "kernel/libbpf_log.h"
#include "kernel/mounts.h"
#include "kernel/reason.h"
#include "kernel/tiny_program.h"

#define BTF_FOLDER "/sys/kernel/btf"

struct offers {
	struct kernel_btf *btf;
	bool more_btf; /* modules of the kernel have some of their own */
};

/* --- the place: what the kernel's BTF has --- */

static bool is_module(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && !STREQ(entry->d_name, "vmlinux");
}

static bool have_module_btf(void)
{
	DIR *folder = opendir(BTF_FOLDER);
	struct dirent *entry;
	bool found = false;

	while (folder && !found && (entry = readdir(folder)))
		found = is_module(entry);
	if (folder)
		closedir(folder);
	return found;
}

int offers_new(struct kernel_btf *btf, struct offers **ret)
{
	struct offers *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	kernel_btf_hold(btf);
	o->btf = btf;
	o->more_btf = have_module_btf();
	*ret = o;
	return 0;
}

void offers_free(struct offers *o)
{
	kernel_btf_release(o->btf);
	free(o);
}

/* What SEC() of programs that are loaded for one place begins with, and what stands for the place
 * in BTF (find_attach_btf_id() of libbpf). */
static const struct place_kind {
	const char *prefix;
	const char *btf_prefix;
	uint32_t kind;
	uint32_t flags;
} place_kinds[] = {
	{"tp_btf/", "btf_trace_", BTF_KIND_TYPEDEF, 0},
	{"fentry/", "", BTF_KIND_FUNC, 0},
	{"fentry.s/", "", BTF_KIND_FUNC, BPF_F_SLEEPABLE},
	{"fexit/", "", BTF_KIND_FUNC, 0},
	{"fexit.s/", "", BTF_KIND_FUNC, BPF_F_SLEEPABLE},
	{"fmod_ret/", "", BTF_KIND_FUNC, 0},
	{"fmod_ret.s/", "", BTF_KIND_FUNC, BPF_F_SLEEPABLE},
	{"lsm/", "bpf_lsm_", BTF_KIND_FUNC, 0},
	{"lsm.s/", "bpf_lsm_", BTF_KIND_FUNC, BPF_F_SLEEPABLE},
	{"iter/", "bpf_iter_", BTF_KIND_FUNC, 0},
	{"iter.s/", "bpf_iter_", BTF_KIND_FUNC, BPF_F_SLEEPABLE},
};

static const struct place_kind *find_place_kind(const char *section)
{
	for (size_t i = 0; i < ARRAY_SIZE(place_kinds); i++) {
		if (strncmp(section, place_kinds[i].prefix, strlen(place_kinds[i].prefix)) == 0)
			return &place_kinds[i];
	}
	return NULL;
}

/* --- the answer --- */

/* What libbpf says where there is nothing of that name. */
#define NOTHING_OF_THAT_NAME "failed to find kernel BTF type ID of"

static int refuse(const struct program_info *p, int code, const char *said, struct error *e)
{
	_cleanup_libbpf_log_ struct libbpf_log log;
	_cleanup_buf_ struct buf reason = {0};
	enum exit_code exit = EXIT_HOST_LACKS;

	libbpf_log_begin(&log);
	buf_add_str(&log.text, said);
	if (!reason_add(&reason, p->section, code, &log, &exit))
		buf_printf(&reason, "SEC(\"%s\"): %s", p->section, error_words(code));
	error_set(e, code, "%s", buf_str(&reason));
	if (e)
		e->exit = exit;
	return code;
}

/* The BTF id of the place, into *ret_id; 0 where only libbpf's own search can tell. */
static int find_place(struct offers *o, const struct program_info *p, const struct place_kind *kind,
		      uint32_t *ret_id, struct error *e)
{
	const struct btf *btf = kernel_btf_get_running(o->btf);
	char name[256];
	int id;

	*ret_id = 0;
	if (!btf)
		return 0; /* a sentence about that is load_error()'s */
	snprintf(name, sizeof(name), "%s%s", kind->btf_prefix, strchr(p->section, '/') + 1);
	id = btf__find_by_name_kind(btf, name, kind->kind);
	if (id > 0)
		*ret_id = (uint32_t)id;
	else if (!o->more_btf)
		return refuse(p, -ESRCH, NOTHING_OF_THAT_NAME, e);
	return 0;
}

/* "return 0", which any kind of program may. */
static int load_empty(const struct program_info *p, uint32_t btf_id, uint32_t flags)
{
	const struct tiny_program program = {.type = p->type,
					     .attach_type = p->attach_type,
					     .btf_id = btf_id,
					     .flags = flags};
	int fd = tiny_program_load(&program);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int check_placed(struct offers *o, const struct program_info *p,
			const struct place_kind *kind, struct error *e)
{
	uint32_t id;
	int err = find_place(o, p, kind, &id, e);

	if (err || !id)
		return err;
	err = load_empty(p, id, kind->flags);
	return err ? refuse(p, err, "", e) : 0;
}

static int check_netfilter(const struct program_info *p, struct error *e)
{
	int err = load_empty(p, 0, 0);

	if (err == -EINVAL)
		return error_set_lacks(e, err,
				       "this kernel has no BPF programs of netfilter (Linux 6.4 "
				       "with CONFIG_NETFILTER_BPF_LINK has them)");
	return err ? refuse(p, err, "", e) : 0;
}

static bool is_of(const char *section, const char *prefix)
{
	return strncmp(section, prefix, strlen(prefix)) == 0;
}

static bool is_kernel_probe(const char *section)
{
	return is_of(section, "kprobe") || is_of(section, "kretprobe") ||
	       is_of(section, "ksyscall/") || is_of(section, "kretsyscall/");
}

/* A tracepoint that is attached through tracefs by SEC("tp/…"). */
static int check_tracepoint(const struct program_info *p, struct error *e)
{
	_cleanup_free_ char *tracefs = NULL, *path = NULL;
	int err = mounts_find("tracefs", &tracefs);

	if (err)
		return err == -ENOENT ? refuse(p, -ENOENT, "failed to determine tracepoint", e) : 0;
	if (asprintf(&path, "%s/events/%s", tracefs, strchr(p->section, '/') + 1) < 0)
		return error_set(e, -ENOMEM, "no memory");
	if (access(path, F_OK) == 0 || errno != ENOENT)
		return 0;
	return refuse(p, -ENOENT, "failed to determine tracepoint", e);
}

int offers_check(struct offers *o, const struct program_info *program, struct error *e)
{
	const struct place_kind *kind = find_place_kind(program->section);

	if (kind)
		return check_placed(o, program, kind, e);
	if (program->type == COMPAT_BPF_PROG_TYPE_NETFILTER)
		return check_netfilter(program, e);
	if (is_of(program->section, "tp/") || is_of(program->section, "tracepoint/"))
		return check_tracepoint(program, e);
	if (is_kernel_probe(program->section) && reason_no_kprobes())
		return refuse(program, -ENOENT, "failed to create k", e);
	return 0;
}
