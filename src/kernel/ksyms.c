// SPDX-License-Identifier: MIT
#include "kernel/ksyms.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/macro.h"

#define KALLSYMS "/proc/kallsyms"
#define MODULES  "/proc/modules"

enum {
	ARENA_CHUNK = 256 << 10,
	FIRST_SYMBOLS = 16384,
	REREAD_S = 10,
	FARTHEST = 1 << 20, /* no function is that large */
};

/* Names lie here one behind the other and never move, because they were handed out. */
struct arena {
	struct arena *older;
	size_t used;
	size_t size;
	char names[];
};

struct symbol {
	uint64_t address;
	const char *name;
};

struct symbols {
	struct symbol *items; /* by address, each once */
	size_t count;
	size_t cap;
};

struct ksyms {
	pthread_mutex_t lock;
	struct symbols symbols;
	struct arena *arena;
	uint64_t read_ns;               /* when the file was read last; 0: never */
	uint64_t core_first, core_last; /* of the symbols that are no module's */
	char newest[256];               /* newest_module(), when the file was read */
};

int ksyms_new(struct ksyms **ret)
{
	struct ksyms *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	pthread_mutex_init(&k->lock, NULL);
	*ret = k;
	return 0;
}

void ksyms_free(struct ksyms *k)
{
	if (!k)
		return;
	for (struct arena *chunk = k->arena, *older; chunk; chunk = older) {
		older = chunk->older;
		free(chunk);
	}
	free(k->symbols.items);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

static const char *arena_add(struct arena **arena, const char *name)
{
	size_t len = strlen(name) + 1;
	char *copy;

	if (!*arena || (*arena)->size - (*arena)->used < len) {
		size_t size = MAX((size_t)ARENA_CHUNK, len);
		struct arena *chunk = malloc(sizeof(*chunk) + size);

		if (!chunk)
			return NULL;
		*chunk = (struct arena){.older = *arena, .size = size};
		*arena = chunk;
	}
	copy = (*arena)->names + (*arena)->used;
	memcpy(copy, name, len);
	(*arena)->used += len;
	return copy;
}

/* The last symbol at or before @address. */
static const struct symbol *find_nearest(const struct symbols *s, uint64_t address)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || address - s->items[low - 1].address > FARTHEST)
		return NULL;
	return &s->items[low - 1];
}

static const struct symbol *find(const struct symbols *s, uint64_t address)
{
	const struct symbol *nearest = find_nearest(s, address);

	return nearest && nearest->address == address ? nearest : NULL;
}

/* A line of KALLSYMS. */
struct entry {
	uint64_t address;
	const char *name;
	bool of_module;
};

/* "ffffffff81000000 T _stext" or "ffffffffc0000000 t name\t[module]": the name is cut out of @line.
 */
static bool parse_line(char *line, struct entry *ret)
{
	char *name, *end;

	ret->address = strtoull(line, &end, 16);
	if (end == line || end[0] != ' ' || end[1] == '\0' || end[2] != ' ')
		return false;
	ret->name = name = end + 3;
	name += strcspn(name, "\t\n ");
	ret->of_module = *name == '\t';
	*name = '\0';
	return ret->name[0] != '\0';
}

/* Gives back 0 to go on; anything else ends the reading with it. */
typedef int (*symbol_fn)(void *ctx, const struct entry *entry);

static int read_file(symbol_fn fn, void *ctx)
{
	FILE *file = fopen(KALLSYMS, "re");
	_cleanup_free_ char *line = NULL;
	struct entry entry;
	size_t size = 0;
	int r = 0;

	if (!file)
		return -errno;
	while (r == 0 && getline(&line, &size, file) >= 0) {
		if (parse_line(line, &entry))
			r = fn(ctx, &entry);
	}
	if (r == 0 && ferror(file))
		r = -EIO;
	fclose(file);
	return r;
}

struct reading {
	struct ksyms *ksyms;
	struct symbols fresh;
	uint64_t core_first, core_last;
};

/* Addresses of the kernel are in the upper half. */
static void widen_core(struct reading *reading, uint64_t address)
{
	if (address >> 63 == 0)
		return;
	reading->core_first = MIN(reading->core_first, address);
	reading->core_last = MAX(reading->core_last, address);
}

static int keep(void *ctx, const struct entry *entry)
{
	struct reading *reading = ctx;
	struct symbols *fresh = &reading->fresh;
	uint64_t address = entry->address;
	const char *name = entry->name;
	const struct symbol *known;

	/* 0: hidden, or an absolute symbol that nobody asks for. Of several names of one address,
	 * which follow each other, the first. */
	if (address == 0 || (fresh->count && fresh->items[fresh->count - 1].address == address))
		return 0;
	if (!entry->of_module)
		widen_core(reading, address);
	if (fresh->count == fresh->cap) {
		size_t cap = MAX(fresh->cap * 2, (size_t)FIRST_SYMBOLS);
		void *p = realloc(fresh->items, cap * sizeof(*fresh->items));

		if (!p)
			return -ENOMEM;
		fresh->items = p;
		fresh->cap = cap;
	}
	known = find(&reading->ksyms->symbols, address);
	if (known && STREQ(known->name, name))
		name = known->name;
	else
		name = arena_add(&reading->ksyms->arena, name);
	if (!name)
		return -ENOMEM;
	fresh->items[fresh->count++] = (struct symbol){address, name};
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

/* What was known stays when reading fails. */
static void read_again(struct ksyms *k)
{
	struct reading reading = {.ksyms = k, .core_first = UINT64_MAX};
	struct symbols fresh;
	void *p;

	if (read_file(keep, &reading) < 0) {
		free(reading.fresh.items);
		return;
	}
	fresh = reading.fresh;
	if (fresh.count > 0)
		qsort(fresh.items, fresh.count, sizeof(*fresh.items), by_address);
	p = realloc(fresh.items, MAX(fresh.count, (size_t)1) * sizeof(*fresh.items));
	if (p)
		fresh.items = p;
	fresh.cap = fresh.count;
	free(k->symbols.items);
	k->symbols = fresh;
	k->core_first = reading.core_first;
	k->core_last = reading.core_last;
}

/* The module that was loaded last, and where: "name ADDRESS" of the first line of MODULES, whose
 * other fields change all the time. "" where there is none. */
static void newest_module(char *to, size_t size)
{
	char line[256], name[64], address[32];

	*to = '\0';
	if (file_read_short(MODULES, line, sizeof(line)) > 0 &&
	    sscanf(line, "%63s %*s %*s %*s %*s %31s", name, address) == 2)
		snprintf(to, size, "%s %s", name, address);
}

/* Whether the symbol before @address may be of another module than the one that has been loaded
 * there meanwhile. */
static bool is_outdated(const struct ksyms *k, uint64_t address)
{
	char newest[sizeof(k->newest)];

	if (address >= k->core_first && address <= k->core_last)
		return false;
	newest_module(newest, sizeof(newest));
	return !STREQ(newest, k->newest);
}

static const char *look_up(struct ksyms *k, uint64_t address,
			   const struct symbol *(*find_it)(const struct symbols *, uint64_t))
{
	const struct symbol *symbol;
	const char *name = NULL;
	uint64_t now;

	pthread_mutex_lock(&k->lock);
	symbol = find_it(&k->symbols, address);
	now = clock_monotonic_ns();
	if ((!symbol && (k->read_ns == 0 || now - k->read_ns >= REREAD_S * NSEC_PER_SEC)) ||
	    (symbol && symbol->address != address && is_outdated(k, address))) {
		newest_module(k->newest, sizeof(k->newest));
		k->read_ns = now;
		read_again(k);
		symbol = find_it(&k->symbols, address);
	}
	if (symbol)
		name = symbol->name;
	pthread_mutex_unlock(&k->lock);
	return name;
}

const char *ksyms_name(struct ksyms *k, uint64_t address)
{
	return look_up(k, address, find);
}

const char *ksyms_nearest(struct ksyms *k, uint64_t address)
{
	return look_up(k, address, find_nearest);
}

struct search {
	const char *symbol;
	uint64_t address;
};

static int match(void *ctx, const struct entry *entry)
{
	struct search *search = ctx;

	if (!STREQ(entry->name, search->symbol))
		return 0;
	search->address = entry->address;
	return 1;
}

int ksyms_address(struct ksyms *k, const char *symbol, uint64_t *ret, struct error *e)
{
	struct search search = {.symbol = symbol};
	int r = read_file(match, &search);

	(void)k; /* the table has one name an address, and a symbol may be another of its names */
	if (r < 0)
		return error_set(e, r, "cannot read " KALLSYMS ": %s", strerror(-r));
	if (r == 0)
		return error_set(e, -ENOENT, "this kernel has no symbol \"%s\" (" KALLSYMS ")",
				 symbol);
	if (search.address == 0)
		return error_set(
			e, -EPERM,
			"cannot get the address of \"%s\": " KALLSYMS
			" hides addresses; run as root, with kernel.kptr_restrict at most 1",
			symbol);
	*ret = search.address;
	return 0;
}
