// SPDX-License-Identifier: Apache-2.0
#include "strict.h"
#include "paths.h"

#ifdef __x86_64__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define PATH nck_avx2
#define PATH_NAME "avx2"
#define TILE_ROWS_1 6 // 6 positions x 2 registers, 2 of weights, 1 of input: 15 of 16
#define REGISTER_LANES 8 // floats in a register
#include "template.h"
#pragma clang attribute pop
#endif
