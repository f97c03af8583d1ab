// SPDX-License-Identifier: Apache-2.0
// The twin that defines the results: no instruction set beyond the architecture's base, fmaf for every fused operation.
#include "strict.h"
#include "paths.h"

#define PATH nck_portable
#define PATH_NAME "portable"
#define TILE_ROWS_1 1
#include "template.h"
