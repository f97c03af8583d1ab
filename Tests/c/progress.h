/* SPDX-License-Identifier: Apache-2.0 */
/* Progress callbacks: one that wants a rising fraction, and one that cancels. */
#ifndef PROGRESS_H
#define PROGRESS_H
#include "check.h"

/* Of `watch`, whose user pointer is its address. */
static double last_fraction;
/* Calls of `cancel`, and the one that cancels. */
static int reports, stop_after;

static int watch(void *user, double fraction)
{
    CHECK(user == &last_fraction && fraction > last_fraction && fraction <= 1);
    last_fraction = fraction;
    return 0;
}

static int cancel(void *user, double fraction)
{
    (void)user, (void)fraction;
    return ++reports == stop_after;
}

#endif
