// SPDX-License-Identifier: MIT
#include "decode/pci_ids.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { LARGEST = 64 << 20, FIRST_ROWS = 256 };

static const char *const usual_paths[] = {
	"/usr/share/misc/pci.ids",   /* Debian */
	"/usr/share/hwdata/pci.ids", /* Fedora, Arch, SUSE */
	"/var/lib/pciutils/pci.ids", /* update-pciids of some */
};

struct row {
	uint32_t number;
	const char *name;
};

struct rows {
	struct row *items;
	size_t count;
	size_t cap;
};

struct pci_ids {
	const char *path;
	pthread_mutex_t lock;
	bool read;
	char *text; /* the file, names in it terminated; NULL: there is none */
	struct rows rows[N_PCI_KINDS];
};

int pci_ids_new(const char *path, struct pci_ids **ret)
{
	struct pci_ids *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->path = path;
	pthread_mutex_init(&p->lock, NULL);
	*ret = p;
	return 0;
}

void pci_ids_free(struct pci_ids *p)
{
	if (!p)
		return;
	pthread_mutex_destroy(&p->lock);
	for (unsigned i = 0; i < N_PCI_KINDS; i++)
		free(p->rows[i].items);
	free(p->text);
	free(p);
}

static bool add(struct rows *rows, uint32_t number, const char *name)
{
	if (rows->count == rows->cap) {
		size_t cap = MAX(rows->cap * 2, (size_t)FIRST_ROWS);
		void *p = reallocarray(rows->items, cap, sizeof(*rows->items));

		if (!p)
			return false;
		rows->items = p;
		rows->cap = cap;
	}
	rows->items[rows->count++] = (struct row){number, name};
	return true;
}

/* "8086  Intel Corporation": @digits of number, blanks, the name. */
static bool parse_entry(const char *text, size_t digits, uint32_t *ret_number,
			const char **ret_name)
{
	char *end;
	unsigned long number = strtoul(text, &end, 16);

	if (end != text + digits || *end != ' ')
		return false;
	*ret_number = (uint32_t)number;
	*ret_name = end + strspn(end, " ");
	return true;
}

/* What the lines that are indented belong to. */
struct parent {
	bool is_class;
	bool valid;
	uint32_t number;
};

/*
 * Vendors and, with a 'C' before them, classes; their devices or subclasses by a tab; what stands
 * behind two tabs (subsystems, programming interfaces) has no decoder.
 */
static bool parse_line(struct pci_ids *p, char *line, struct parent *parent)
{
	const char *name;
	uint32_t number;

	if (line[0] == '#' || line[0] == '\0' || (line[0] == '\t' && line[1] == '\t'))
		return true;
	if (line[0] == '\t') {
		if (!parent->valid ||
		    !parse_entry(line + 1, parent->is_class ? 2 : 4, &number, &name))
			return true;
		return parent->is_class
			       ? add(&p->rows[PCI_SUBCLASS], parent->number << 8 | number, name)
			       : add(&p->rows[PCI_DEVICE], parent->number << 16 | number, name);
	}
	parent->is_class = line[0] == 'C' && line[1] == ' ';
	parent->valid = parent->is_class ? parse_entry(line + 2, 2, &parent->number, &name)
					 : parse_entry(line, 4, &parent->number, &name);
	if (!parent->valid)
		return true;
	return add(&p->rows[parent->is_class ? PCI_CLASS : PCI_VENDOR], parent->number, name);
}

static int compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static void open_file(struct pci_ids *p)
{
	void *text = NULL;
	size_t len;

	if (p->path) {
		file_read(p->path, LARGEST, &text, &len, NULL);
	} else {
		for (size_t i = 0; !text && i < ARRAY_SIZE(usual_paths); i++)
			file_read(usual_paths[i], LARGEST, &text, &len, NULL);
	}
	p->text = text;
}

static void read_once(struct pci_ids *p)
{
	struct parent parent = {0};
	bool more = true;

	if (p->read)
		return;
	p->read = true;
	open_file(p);
	for (char *line = p->text, *next; more && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		line[strcspn(line, "\r")] = '\0';
		more = parse_line(p, line, &parent);
	}
	for (unsigned i = 0; i < N_PCI_KINDS; i++) {
		if (p->rows[i].count)
			qsort(p->rows[i].items, p->rows[i].count, sizeof(struct row), compare);
	}
}

bool pci_ids_present(struct pci_ids *p)
{
	bool present;

	pthread_mutex_lock(&p->lock);
	read_once(p);
	present = p->text != NULL;
	pthread_mutex_unlock(&p->lock);
	return present;
}

const char *pci_ids_name(struct pci_ids *p, enum pci_kind kind, uint32_t number)
{
	const struct row wanted = {.number = number}, *row = NULL;
	const struct rows *rows = &p->rows[kind];

	pthread_mutex_lock(&p->lock);
	read_once(p);
	if (rows->count)
		row = bsearch(&wanted, rows->items, rows->count, sizeof(*row), compare);
	pthread_mutex_unlock(&p->lock);
	return row ? row->name : NULL;
}
