// SPDX-License-Identifier: MIT
#include "kernel/object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/trial.h"
#include "kernel/compat.h"
#include "kernel/libbpf_log.h"
#include "kernel/program_copy.h"
#include "kernel/reason.h"
#include "kernel/rodata.h"

#define VMLINUX_BTF "/sys/kernel/btf/vmlinux"

enum { DETAIL_SIZE = 1600 }; /* of what libbpf and the verifier said, in a sentence */

struct program {
	struct bpf_program *bpf;
	struct bpf_link *link;
	struct program_info info;
};

struct object {
	char *name;
	char *btf_path;
	struct bpf_object *bpf;
	struct program *programs;
	size_t n_programs;
	int failed_program; /* that made the load fail; -1 */
	bool loaded;
};

void object_log_setup(void)
{
	libbpf_log_setup();
}

/* --- errors --- */

static const char *denied_advice(void)
{
	if (geteuid() != 0)
		return "; run as root or give CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN";
	return "; this is root, so capabilities were dropped, or lockdown, seccomp or a security "
	       "module "
	       "forbids it (before Linux 5.11 also RLIMIT_MEMLOCK: ulimit -l unlimited)";
}

/* @what was tried with the program of @section, and what came back, with libbpf's own words where
 * it has some. */
static int object_error(struct error *e, int code, struct libbpf_log *log, const char *section,
			const char *what)
{
	_cleanup_buf_ struct buf reason = {0};
	enum exit_code exit = EXIT_FAILED;
	int shortage = reason_shortage(code, log);
	char detail[DETAIL_SIZE];
	bool known;

	if (shortage)
		return error_set(e, shortage, "%s: %s", what, error_words(shortage));
	known = reason_add(&reason, section, code, log, &exit);
	if (!known)
		buf_add_str(&reason, error_words(code));
	if (code == -EPERM && (!known || geteuid() != 0))
		buf_add_str(&reason, denied_advice());
	libbpf_log_tail(log, detail, sizeof(detail));
	error_set(e, code, "%s: %s%s%s", what, buf_str(&reason), *detail ? "\n" : "", detail);
	if (e && known)
		e->exit = exit;
	return code;
}

/* libbpf's own codes (enum libbpf_errno) begin here; strerror() knows nothing of them. */
enum { LIBBPF_CODES = 4000 };

static int open_error(struct error *e, int code, struct libbpf_log *log, const char *name)
{
	char what[256], detail[DETAIL_SIZE];

	snprintf(what, sizeof(what), "cannot read \"%s\" as a BPF object", name);
	if (code != -EINVAL && code > -LIBBPF_CODES)
		return object_error(e, code, log, "", what);
	libbpf_log_tail(log, detail, sizeof(detail));
	return error_set_usage(
		e, "%s: it is none, or damaged; compile it with: clang -target bpf -g%s%s", what,
		*detail ? "\n" : "", detail);
}

static const char *failed_section(const struct object *o)
{
	return o->failed_program < 0 ? "" : o->programs[o->failed_program].info.section;
}

static int load_error(struct error *e, int code, struct libbpf_log *log, const struct object *o)
{
	char what[256];

	if (o->btf_path && libbpf_log_has(log, "failed to parse target BTF"))
		return error_set_usage(
			e, "cannot load \"%s\": %s does not hold a kernel's BTF (--btf.path)",
			o->name, o->btf_path);
	if (access(VMLINUX_BTF, R_OK) < 0 && libbpf_log_has(log, "BTF"))
		return error_set_lacks(e, code,
				       "cannot load \"%s\": it needs the kernel's BTF, and there "
				       "is no " VMLINUX_BTF
				       "; use a kernel with CONFIG_DEBUG_INFO_BTF, or give a "
				       "file that has its BTF (--btf.path)",
				       o->name);
	snprintf(what, sizeof(what), "cannot load \"%s\"", o->name);
	return object_error(e, code, log, failed_section(o), what);
}

/* --- open --- */

/* SEC()s that libbpf 1.1 does not know, or not with what stands behind the slash. */
static const struct foreign_section {
	const char *prefix;
	enum bpf_prog_type type;
	enum bpf_attach_type attach_type;
	uint32_t flags;
} foreign_sections[] = {
	{"xdp/", BPF_PROG_TYPE_XDP, BPF_XDP},
	{"xdp.frags/", BPF_PROG_TYPE_XDP, BPF_XDP, BPF_F_XDP_HAS_FRAGS},
	{"perf_event/", BPF_PROG_TYPE_PERF_EVENT},
	{"tc/", BPF_PROG_TYPE_SCHED_CLS},
	{"tcx/", BPF_PROG_TYPE_SCHED_CLS},
	{"netfilter", (enum bpf_prog_type)COMPAT_BPF_PROG_TYPE_NETFILTER,
	 (enum bpf_attach_type)COMPAT_BPF_NETFILTER},
};

static void give_type(struct bpf_program *program)
{
	const char *section = bpf_program__section_name(program);

	if (bpf_program__type(program) != BPF_PROG_TYPE_UNSPEC)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(foreign_sections); i++) {
		const struct foreign_section *f = &foreign_sections[i];

		if (strncmp(section, f->prefix, strlen(f->prefix)) != 0)
			continue;
		bpf_program__set_type(program, f->type);
		bpf_program__set_expected_attach_type(program, f->attach_type);
		bpf_program__set_flags(program, f->flags);
		return;
	}
}

static int collect_programs(struct object *o)
{
	struct bpf_program *program;
	size_t count = 0;

	bpf_object__for_each_program(program, o->bpf) count++;
	o->programs = calloc(count, sizeof(*o->programs));
	if (count && !o->programs)
		return -ENOMEM;
	bpf_object__for_each_program(program, o->bpf)
	{
		give_type(program);
		o->programs[o->n_programs++] =
			(struct program){.bpf = program,
					 .info = {.name = bpf_program__name(program),
						  .section = bpf_program__section_name(program),
						  .type = bpf_program__type(program),
						  .attach_type = bpf_program__expected_attach_type(
							  program),
						  .on_request = !bpf_program__autoload(program),
						  .fd = -1}};
	}
	return 0;
}

struct bytes {
	struct object *object;
	const void *data;
	size_t size;
};

static struct bpf_object *open_bytes(const struct bytes *b)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = b->object->name,
		    .btf_custom_path = b->object->btf_path);

	return bpf_object__open_mem(b->data, b->size, &options);
}

static void try_to_open(void *ctx)
{
	libbpf_set_print(NULL);
	bpf_object__close(open_bytes(ctx));
}

static int open_bpf(const struct bytes *b, struct error *e)
{
	_cleanup_libbpf_log_ struct libbpf_log log;
	struct object *o = b->object;
	bool survived;
	int r;

	libbpf_log_begin(&log);
	/* libbpf before 1.3 believes what BTF says of itself, and crashes where it is damaged. */
	r = trial_run(try_to_open, (void *)b, &survived);
	if (r == 0 && !survived)
		return error_set_usage(e, "cannot read \"%s\" as a BPF object: the file is damaged",
				       o->name);
	if (r == 0) {
		o->bpf = open_bytes(b);
		r = o->bpf ? collect_programs(o) : -errno;
	}
	return r < 0 ? open_error(e, r, &log, o->name) : 0;
}

DEFINE_CLEANUP(struct object *, object_close)

int object_open(const char *name, const void *data, size_t size, const char *btf_path,
		struct object **ret, struct error *e)
{
	_cleanup_(object_close_p) struct object *o = calloc(1, sizeof(*o));
	int r;

	if (btf_path && access(btf_path, R_OK) < 0)
		return error_set_usage(e, "cannot read the kernel's BTF from %s (--btf.path): %s",
				       btf_path, strerror(errno));
	if (o) {
		o->failed_program = -1;
		o->name = strdup(name);
		o->btf_path = btf_path ? strdup(btf_path) : NULL;
	}
	if (!o || !o->name || (btf_path && !o->btf_path))
		return error_set(e, -ENOMEM, "cannot open \"%s\": out of memory", name);
	r = open_bpf(&(struct bytes){o, data, size}, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(o);
	return 0;
}

void object_close(struct object *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->n_programs; i++)
		bpf_link__destroy(o->programs[i].link);
	bpf_object__close(o->bpf);
	free(o->programs);
	free(o->btf_path);
	free(o->name);
	free(o);
}

/* --- before load --- */

static int check_not_loaded(const struct object *o, const char *what, struct error *e)
{
	if (!o->loaded)
		return 0;
	return error_set(e, -EBUSY, "cannot set \"%s\": \"%s\" is loaded", what, o->name);
}

int object_set_rodata_uint(struct object *o, const char *variable, uint64_t value, struct error *e)
{
	int r = check_not_loaded(o, variable, e);

	return r < 0 ? r : rodata_set_uint(o->bpf, variable, value, e);
}

int object_set_rodata_string(struct object *o, const char *variable, const char *value,
			     struct error *e)
{
	int r = check_not_loaded(o, variable, e);

	return r < 0 ? r : rodata_set_string(o->bpf, variable, value, e);
}

int object_set_rodata_uints(struct object *o, const char *variable, const uint64_t *values,
			    size_t count, struct error *e)
{
	int r = check_not_loaded(o, variable, e);

	return r < 0 ? r : rodata_set_uints(o->bpf, variable, values, count, e);
}

int object_set_autoload(struct object *o, const char *program, bool load)
{
	for (size_t i = 0; i < o->n_programs; i++) {
		if (STREQ(o->programs[i].info.name, program))
			return bpf_program__set_autoload(o->programs[i].bpf, load);
	}
	return -ENOENT;
}

int object_share_maps(struct object *o, const struct object *of, struct error *e)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, o->bpf) {
		const struct bpf_map *theirs =
			bpf_object__find_map_by_name(of->bpf, bpf_map__name(map));
		int fd = theirs ? bpf_map__fd(theirs) : -ENOENT;
		int err = fd < 0 ? fd : bpf_map__reuse_fd(map, fd);

		if (err)
			return error_set(e, err, "cannot share the map \"%s\" of \"%s\": %s",
					 bpf_map__name(map), o->name, error_words(err));
	}
	return 0;
}

static bool is_per_cpu(enum bpf_map_type type)
{
	return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

static int read_map_info(const char *name, int fd, struct map_info *ret, uint32_t *ret_flags)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	int r = bpf_obj_get_info_by_fd(fd, &info, &size);

	if (r < 0)
		return r;
	*ret = (struct map_info){
		.name = name,
		.fd = fd,
		.type = info.type,
		.key_size = info.key_size,
		.value_size = info.value_size,
		.max_entries = info.max_entries,
		.per_cpu = is_per_cpu(info.type),
	};
	*ret_flags = info.map_flags;
	return 0;
}

/* The kernel adds it to maps of devices (kernel/bpf/devmap.c). */
enum { KERNEL_FLAGS = BPF_F_RDONLY_PROG };

int object_compare_map(const struct object *o, const char *name, int fd, struct map_info *ret_info,
		       enum map_fit *ret)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(o->bpf, name);
	uint32_t flags;
	int r = map ? read_map_info(bpf_map__name(map), fd, ret_info, &flags) : -ENOENT;

	if (r < 0)
		return r;
	if (ret_info->type != bpf_map__type(map) || ret_info->key_size != bpf_map__key_size(map) ||
	    ret_info->value_size != bpf_map__value_size(map))
		*ret = MAP_OTHER_KIND;
	else if (ret_info->max_entries != bpf_map__max_entries(map) ||
		 (flags ^ bpf_map__map_flags(map)) & ~(uint32_t)KERNEL_FLAGS)
		*ret = MAP_OTHER_SIZE;
	else
		*ret = MAP_FITS;
	return 0;
}

int object_reuse_map(struct object *o, const char *name, int fd, struct error *e)
{
	struct bpf_map *map = bpf_object__find_map_by_name(o->bpf, name);
	int r = map ? bpf_map__reuse_fd(map, fd) : -ENOENT;

	if (r < 0)
		return error_set(e, r, "cannot go on with the map \"%s\" of \"%s\": %s", name,
				 o->name, error_words(r));
	return 0;
}

/* --- load and attach --- */

static int read_info(struct program *program)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	int fd = bpf_program__fd(program->bpf), r;

	if (fd < 0)
		return 0; /* not switched on */
	r = bpf_obj_get_info_by_fd(fd, &info, &size);
	if (r < 0)
		return r;
	program->info.fd = fd;
	program->info.id = info.id;
	program->info.loaded = true;
	for (size_t i = 0; i < sizeof(info.tag); i++)
		snprintf(program->info.tag + i * 2, 3, "%02x", info.tag[i]);
	return 0;
}

bool object_refuses(const struct object *o, size_t index, struct error *e)
{
	const struct program_info *info = &o->programs[index].info;

	if (info->type != BPF_PROG_TYPE_EXT)
		return false;
	error_set_usage(e,
			"SEC(\"%s\") replaces a function of another loaded program, and nothing "
			"says of which one; leave it to the loader of that program",
			info->section);
	return true;
}

/* libbpf names the program that it fails at in its last sentence about one. */
static int find_failed_program(const struct object *o, struct libbpf_log *log)
{
	char name[256];

	if (!libbpf_log_last_program(log, name, sizeof(name)))
		return -1;
	for (size_t i = 0; i < o->n_programs; i++) {
		if (STREQ(o->programs[i].info.name, name))
			return (int)i;
	}
	return -1;
}

/* No program's fault: without it the next one fails as well. */
static bool is_scarcity(int code)
{
	return code == -EMFILE || code == -ENFILE || code == -ENOMEM;
}

int object_failed_program(const struct object *o)
{
	return o->failed_program;
}

/* Descriptors that libbpf uses while it loads: of BTF, and of what it probes the kernel with. */
enum { LOAD_DESCRIPTORS = 8 };

/* Whether so many can be had; none is kept. */
static int try_descriptors(size_t count)
{
	_cleanup_free_ int *fds = calloc(count, sizeof(*fds));
	size_t n = 0;
	int r = 0;

	if (!fds)
		return -ENOMEM;
	while (r == 0 && n < count) {
		fds[n] = epoll_create1(EPOLL_CLOEXEC);
		r = fds[n] < 0 ? -errno : 0;
		n += r == 0;
	}
	while (n > 0)
		fd_close(fds[--n]);
	return r;
}

/* A feature of the kernel that libbpf could not probe is one that it believes not to be there, and
 * what comes of that misleads: so there have to be enough descriptors beforehand. */
static int check_descriptors(const struct object *o)
{
	const struct bpf_map *map;
	size_t maps = 0;

	bpf_object__for_each_map(map, o->bpf)
		maps++;
	return try_descriptors(maps + o->n_programs + LOAD_DESCRIPTORS);
}

int object_load(struct object *o, struct error *e)
{
	_cleanup_libbpf_log_ struct libbpf_log log;
	int r;

	libbpf_log_begin(&log);
	r = check_descriptors(o);
	if (r < 0)
		return load_error(e, r, &log, o);
	r = bpf_object__load(o->bpf);
	if (r < 0) {
		if (!is_scarcity(r) && !reason_shortage(r, &log))
			o->failed_program = find_failed_program(o, &log);
		return load_error(e, r, &log, o);
	}
	o->loaded = true;
	for (size_t i = 0; i < o->n_programs && r == 0; i++)
		r = read_info(&o->programs[i]);
	return r < 0 ? load_error(e, r, &log, o) : 0;
}

/* The sections that name what they are attached to after the slash, and that libbpf knows how to.
 */
static const char *const attaching_sections[] = {
	"kprobe/",
	"kretprobe/",
	"kprobe.multi/",
	"kretprobe.multi/",
	"ksyscall/",
	"kretsyscall/",
	"uprobe/",
	"uprobe.s/",
	"uretprobe/",
	"uretprobe.s/",
	"usdt/",
	"tp/",
	"tracepoint/",
	"raw_tp/",
	"raw_tracepoint/",
	"raw_tp.w/",
	"raw_tracepoint.w/",
	"tp_btf/",
	"fentry/",
	"fentry.s/",
	"fexit/",
	"fexit.s/",
	"fmod_ret/",
	"fmod_ret.s/",
	"freplace/",
	"lsm/",
	"lsm.s/",
	"iter/",
	"iter.s/",
};

bool object_section_says_where(const char *section)
{
	for (size_t i = 0; i < ARRAY_SIZE(attaching_sections); i++) {
		size_t len = strlen(attaching_sections[i]);

		if (strncmp(section, attaching_sections[i], len) == 0)
			return section[len] != '\0';
	}
	return false;
}

int object_attach(struct object *o, size_t index, struct error *e)
{
	struct program *program = &o->programs[index];
	_cleanup_libbpf_log_ struct libbpf_log log;
	_cleanup_free_ char *lsms = NULL;
	char what[256];
	int r;

	libbpf_log_begin(&log);
	snprintf(what, sizeof(what), "cannot attach program \"%s\" (%s)", program->info.name,
		 program->info.section);
	if (!program->info.loaded)
		return error_set(e, -EINVAL, "%s: it was not loaded", what);
	if (program->link)
		return 0;
	if (program->info.type == BPF_PROG_TYPE_LSM && !reason_lsm_runs(&lsms))
		return error_set_lacks(e, -EOPNOTSUPP,
				       "%s: the kernel would never run it: 'bpf' is not among its "
				       "LSMs; boot it with lsm=%s,bpf",
				       what, lsms);
	program->link = bpf_program__attach(program->bpf);
	if (program->link)
		return 0;
	r = -errno;
	return object_error(e, r, &log, program->info.section, what);
}

void object_detach(struct object *o, size_t index)
{
	bpf_link__destroy(o->programs[index].link);
	o->programs[index].link = NULL;
}

/* --- what there is --- */

size_t object_program_count(const struct object *o)
{
	return o->n_programs;
}

void object_program(const struct object *o, size_t index, struct program_info *ret)
{
	*ret = o->programs[index].info;
}

int object_find_program(const struct object *o, const char *name, struct program_info *ret)
{
	for (size_t i = 0; i < o->n_programs; i++) {
		if (STREQ(o->programs[i].info.name, name)) {
			object_program(o, i, ret);
			return 0;
		}
	}
	return -ENOENT;
}

int object_load_copy(const struct object *o, size_t index, uint32_t flags, uint32_t attach_type)
{
	return program_copy(o->programs[index].bpf, bpf_object__btf_fd(o->bpf), flags, attach_type);
}

/* src_reg 0: of the kernel's; other calls are of functions of the object, or of the kernel's by
 * their BTF. */
static bool is_helper_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == 0 && insn->imm > 0 &&
	       insn->imm < OBJECT_HELPERS_MAX;
}

void object_program_helpers(const struct object *o, size_t index, struct object_helpers *ret)
{
	const struct bpf_insn *insns = bpf_program__insns(o->programs[index].bpf);
	size_t n = bpf_program__insn_cnt(o->programs[index].bpf);

	*ret = (struct object_helpers){0};
	for (size_t i = 0; insns && i < n; i++) {
		if (is_helper_call(&insns[i]))
			ret->bits[insns[i].imm / 64] |= UINT64_C(1) << insns[i].imm % 64;
	}
}

static void fill_map_info(const struct bpf_map *map, struct map_info *ret)
{
	*ret = (struct map_info){
		.name = bpf_map__name(map),
		.fd = bpf_map__fd(map),
		.type = bpf_map__type(map),
		.key_size = bpf_map__key_size(map),
		.value_size = bpf_map__value_size(map),
		.max_entries = bpf_map__max_entries(map),
		.per_cpu = is_per_cpu(bpf_map__type(map)),
	};
}

int object_find_map(const struct object *o, const char *name, struct map_info *ret)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(o->bpf, name);

	if (!map || bpf_map__is_internal(map))
		return -ENOENT;
	fill_map_info(map, ret);
	return 0;
}

int object_set_max_entries(struct object *o, const char *name, uint32_t entries, struct error *e)
{
	struct bpf_map *map = bpf_object__find_map_by_name(o->bpf, name);
	int r = map ? bpf_map__set_max_entries(map, entries) : -ENOENT;

	if (r == -ENOENT)
		return error_set_usage(e, "the object has no map '%s'", name);
	if (r < 0)
		return error_set(e, r, "cannot make room for %u entries in map '%s': %s", entries,
				 name, error_words(r));
	return 0;
}

bool object_map(const struct object *o, size_t index, struct map_info *ret)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, o->bpf) {
		if (bpf_map__is_internal(map) || index-- > 0)
			continue;
		fill_map_info(map, ret);
		return true;
	}
	return false;
}

int program_stats_read(int prog_fd, struct program_stats *ret)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	int r = bpf_obj_get_info_by_fd(prog_fd, &info, &size);

	if (r < 0)
		return r;
	*ret = (struct program_stats){.run_time_ns = info.run_time_ns, .run_count = info.run_cnt};
	return 0;
}
