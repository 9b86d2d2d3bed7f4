// SPDX-License-Identifier: MIT
#include "engine/inner_maps.h"

#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/persistence.h"
#include "engine/unit.h"
#include "kernel/mapwrite.h"
#include "kernel/pins.h"

/* False: nothing of @u is pinned, or @outer is not. */
static bool add_name(const struct unit *u, const struct map_info *outer, uint32_t index,
		     struct buf *name)
{
	if (!u || !u->env->pins || !persistence_add_map_name(u->plan, outer, name))
		return false;
	buf_printf(name, "%c%" PRIu32, PERSISTENCE_INNER, index);
	return true;
}

void inner_map_keep(const struct unit *u, const struct map_info *outer, uint32_t index, int fd)
{
	_cleanup_buf_ struct buf name = {0};
	struct error error;

	if (!add_name(u, outer, index, &name) || !u->persistence.pinned)
		return;
	if (pins_put(u->env->pins, buf_str(&name), PIN_MAP, fd, &error))
		log_warn("%s: the next start needs CAP_SYS_ADMIN to open what map '%s' has at "
			 "%" PRIu32 " now, as it cannot be pinned: %s",
			 u->plan->name, outer->name, index, error.text);
}

void inner_map_forget(const struct unit *u, const struct map_info *outer, uint32_t index)
{
	struct pins_removed removed = {0};
	_cleanup_buf_ struct buf name = {0};
	struct error error;

	if (!add_name(u, outer, index, &name) || !u->persistence.pinned)
		return;
	if (pins_remove(u->env->pins, buf_str(&name), &removed, &error))
		log_warn("%s: %s", u->plan->name, error.text);
}

/* @fd, taken over, if it is the map of that number. */
static int take(int fd, uint32_t number, struct map_info *ret)
{
	_cleanup_close_ int map = fd;
	uint32_t id;
	int err = mapwrite_look_at(map, ret, &id);

	if (err)
		return err;
	if (id != number)
		return -ESTALE;
	ret->fd = TAKE_FD(map);
	return 0;
}

static int open_pinned(const struct unit *u, const struct map_info *outer, uint32_t index,
		       uint32_t number, struct map_info *ret)
{
	_cleanup_buf_ struct buf name = {0};
	struct error error;
	int fd, err;

	if (!add_name(u, outer, index, &name))
		return -ENOENT;
	err = pins_get(u->env->pins, buf_str(&name), PIN_MAP, &fd, &error);
	return err ? err : take(fd, number, ret);
}

static int open_by_number(uint32_t number, struct map_info *ret)
{
	int fd = mapwrite_open_number(number);

	return fd < 0 ? fd : take(fd, number, ret);
}

int inner_map_open(const struct unit *u, const struct map_info *outer, uint32_t index,
		   struct map_info *ret, struct error *e)
{
	uint32_t number;
	int err = mapwrite_inner_number(outer->fd, index, &number);

	if (!err && open_pinned(u, outer, index, number, ret))
		err = open_by_number(number, ret);
	return err ? error_set(e, err, "cannot open what map '%s' has at %" PRIu32 ": %s",
			       outer->name, index, error_words(err))
		   : 0;
}
