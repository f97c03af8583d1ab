/* SPDX-License-Identifier: Apache-2.0 */
/* Included first by every kernel source: strict binary32, no contraction, no reassociation. */
#ifndef CKERNELS_STRICT_H
#define CKERNELS_STRICT_H

#ifndef __clang__
#error "the kernels are compiled by clang only: gcc fuses separate operations even where the source forbids it"
#endif
#ifdef __FAST_MATH__
#error "the kernels need strict IEEE-754 arithmetic; compile them without -ffast-math"
#endif
#pragma STDC FP_CONTRACT OFF

#include "CKernels.h"

/* Adding and taking away 1.5 * 2^23 rounds |v| <= 2^22 to an integer, half to even, with IEEE operations only. */
#define NCK_ROUND_MAGIC 0x1.8p23f

#endif
