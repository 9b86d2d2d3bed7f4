// SPDX-License-Identifier: MIT
/* replay DIR… : gives each file of the folders to the fuzz target that this is linked to. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "fuzz.h"

enum { LARGEST = 1 << 20 };

static int replay_file(const char *path)
{
	_cleanup_free_ void *data = NULL;
	_cleanup_free_ uint8_t *exact = NULL;
	struct error e;
	size_t len = 0;

	if (file_read(path, LARGEST, &data, &len, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	exact = malloc(len); /* not a byte more, so that a sanitizer sees who reads it */
	if (!exact && len > 0)
		return -1;
	if (len > 0)
		memcpy(exact, data, len);
	fprintf(stderr, "%s\n", path);
	return LLVMFuzzerTestOneInput(exact, len);
}

static int is_shown(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* The number of files, or -1. */
static int replay_folder(const char *folder)
{
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, is_shown, alphasort), result = count;

	if (count < 0)
		perror(folder);
	for (int i = 0; i < count; i++) {
		_cleanup_buf_ struct buf path = {0};

		buf_printf(&path, "%s/%s", folder, entries[i]->d_name);
		if (result >= 0 && replay_file(buf_str(&path)))
			result = -1;
		free(entries[i]);
	}
	free(entries);
	return result;
}

int main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++) {
		int found = replay_folder(argv[i]);

		if (found < 0)
			return EXIT_FAILURE;
		count += found;
	}
	printf("%d inputs\n", count);
	return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
