/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NCL_ROWS_H
#define NCL_ROWS_H

#include "CPlanes.h"

/* Row y of a plane without gaps, the most significant byte first, and back. */
void ncl_take_row(const ncl_source *source, size_t y, uint8_t *out);
void ncl_put_row(const uint8_t *row, const ncl_target *target, size_t y);

#endif
