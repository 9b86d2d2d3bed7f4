// SPDX-License-Identifier: MIT
#include "base/suggest.h"

#include <stdint.h>
#include <string.h>

#include "base/macro.h"

enum { LONGEST = 63 }; /* no key or name of ours is longer */

/* Optimal string alignment: insert, delete, replace, swap of neighbours each cost one. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][LONGEST + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > LONGEST || m > LONGEST)
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3],
		       *two_above = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);

			best = MIN(best, MIN(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN(best, two_above[j - 2] + 1);
			row[j] = best;
		}
	}
	return rows[n % 3][m];
}

const char *suggest_nearest(const char *word, const char *const *names, size_t count)
{
	const char *nearest = NULL;
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < count; i++) {
		size_t distance = names[i] ? edit_distance(word, names[i]) : SIZE_MAX;

		if (distance < least) {
			least = distance;
			nearest = names[i];
		}
	}
	if (!nearest || least > MAX(MAX(strlen(word), strlen(nearest)) / 3, (size_t)1))
		return NULL;
	return nearest;
}
