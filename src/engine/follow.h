/* SPDX-License-Identifier: MIT */
/* Programs that follow interfaces: the rows of `attach:`. */
#pragma once

#include "engine/unit.h"

/* Makes u->followers out of the configs of @u, checked against its object. */
int followers_build(struct unit *u, struct report *report);

/* Detaches all, and frees them. */
void followers_free(struct unit *u);

/* Where @predecessor has a program of the same name at an interface that @u wants as well, the
 * program of @u replaces it there and the attachment is @u's: no packet passes unseen between the
 * two. */
void followers_take_over(struct unit *u, struct unit *predecessor);
