// SPDX-License-Identifier: Apache-2.0
#include "strict.h"
#include "paths.h"

#ifdef __x86_64__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#define PATH nck_avx512
#define PATH_NAME "avx512"
#define TILE_ROWS_1 12 // accumulators, weights and one input stay within 32 registers
#define TILE_ROWS_2 12
#define TILE_ROWS_3 8
#define TILE_ROWS_4 6
#define REGISTER_LANES 16 // floats in a register
#include "template.h"
#pragma clang attribute pop
#endif
