/* SPDX-License-Identifier: MIT */
/* Programs that follow interfaces: the rows of `attach:`. */
#pragma once

#include "engine/unit.h"

/* Makes u->followers out of the configs of @u, checked against its object. */
int followers_build(struct unit *u, struct report *report);

/* Detaches all, and frees them. */
void followers_free(struct unit *u);
