/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CKERNELS_PATHS_H
#define CKERNELS_PATHS_H

#include "CKernels.h"

extern const nck_kernels nck_portable;
#ifdef __x86_64__
extern const nck_kernels nck_avx2, nck_avx512;
#endif
#ifdef __aarch64__
extern const nck_kernels nck_neon;
#endif

#endif
