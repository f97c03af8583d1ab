/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by basis.c and closest.c. */
#ifndef CKERNELS_BASIS_H
#define CKERNELS_BASIS_H

#include "strict.h"

/* The greatest coordinate, as of every symbol. */
#define NCK_BASIS_MOST 0x1p20

/* The integer nearest to v, half to even, for |v| < 2^51. */
static inline double nearest_integer(double v) { return (v + 0x1.8p52) - 0x1.8p52; }

#endif
