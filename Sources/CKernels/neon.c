// SPDX-License-Identifier: Apache-2.0
#include "strict.h"
#include "paths.h"

#ifdef __aarch64__
#define PATH nck_neon
#define PATH_NAME "neon"
#define TILE_ROWS_1 6 // 6 positions x 4 registers, 4 of weights, 1 of input: 29 of 32
#include "template.h"
#endif
