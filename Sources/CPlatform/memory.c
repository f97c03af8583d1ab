// SPDX-License-Identifier: Apache-2.0
#include "CPlatform.h"
#include <stdlib.h>

enum { ALIGNMENT = 64 };

// Stands before each aligned block. The release function travels with the block, so replacing the allocator never mixes two of them.
typedef struct {
    void *start;
    void (*release)(void *user, void *pointer);
    void *user;
} prefix;

static void *default_allocate(void *user, size_t size) {
    (void)user;
    return malloc(size);
}

static void default_release(void *user, void *pointer) {
    (void)user;
    free(pointer);
}

static void *(*current_allocate)(void *, size_t) = default_allocate;
static void (*current_release)(void *, void *) = default_release;
static void *current_user;

void ncp_set_allocator(void *(*allocate)(void *, size_t), void (*deallocate)(void *, void *), void *user) {
    current_allocate = allocate ? allocate : default_allocate;
    current_release = allocate ? deallocate : default_release;
    current_user = allocate ? user : NULL;
}

void *ncp_allocate(size_t size) {
    const size_t extra = ALIGNMENT + sizeof(prefix);
    if (size > SIZE_MAX - extra) return NULL;
    char *start = current_allocate(current_user, size + extra);
    if (!start) return NULL;
    uintptr_t aligned = ((uintptr_t)start + extra) & ~(uintptr_t)(ALIGNMENT - 1);
    prefix *p = (prefix *)aligned - 1;
    p->start = start;
    p->release = current_release;
    p->user = current_user;
    return (void *)aligned;
}

void ncp_free(void *pointer) {
    if (!pointer) return;
    prefix p = ((prefix *)pointer)[-1];
    p.release(p.user, p.start);
}
