/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator that counts, and refuses when told to. */
#ifndef COUNTING_ALLOCATOR_H
#define COUNTING_ALLOCATOR_H
#include <stdatomic.h>
#include <stdlib.h>

/* Blocks that were not given back; calls so far; the call that fails, -1: none. */
static atomic_long live, calls, fail_at = -1;

static void *allocate(void *user, size_t size)
{
    (void)user;
    if (++calls == fail_at) return NULL;
    live++;
    return malloc(size ? size : 1);
}

static void deallocate(void *user, void *pointer)
{
    (void)user;
    live--;
    free(pointer);
}

#endif
