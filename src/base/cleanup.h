/* SPDX-License-Identifier: MIT */
/*
 * Resources that free themselves at the end of their scope, so that every early return is safe.
 *
 *	_cleanup_free_ char *text = NULL;
 *	_cleanup_close_ int fd = -1;
 *	...
 *	*ret_text = TAKE_PTR(text);	// hand over ownership: the scope end then frees nothing
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Defines func_p(type *p), for _cleanup_(func_p) on a variable of @type, where func(NULL) is
 * safe. */
#define DEFINE_CLEANUP(type, func)                                                                 \
	static inline void func##_p(type *p)                                                       \
	{                                                                                          \
		if (*p)                                                                            \
			func(*p);                                                                  \
	}

#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) *_take_from = &(p);                                                  \
		__typeof__(p) _taken = *_take_from;                                                \
		*_take_from = NULL;                                                                \
		_taken;                                                                            \
	})

#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *_take_from = &(fd);                                                           \
		int _taken = *_take_from;                                                          \
		*_take_from = -1;                                                                  \
		_taken;                                                                            \
	})

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

/* Closes a descriptor unless it is negative, and keeps errno. Always gives back -1. */
int fd_close(int fd);

static inline void cleanup_close(int *fd)
{
	*fd = fd_close(*fd);
}

#define _cleanup_free_  _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)
