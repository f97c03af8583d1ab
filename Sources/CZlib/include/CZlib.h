/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zlib, of which ../zlib has the sources that deflate and inflate need, unchanged (scripts/vendor-zlib). It is part of the library so that encoders write the
 * same bytes everywhere. Built without its own allocation (Z_SOLO), without gzip, and with the prefix z_ before its names, so that it meets no other zlib.
 */
#ifndef CZLIB_H
#define CZLIB_H

#ifndef Z_SOLO
#define Z_SOLO
#endif
#ifndef Z_PREFIX
#define Z_PREFIX
#endif
#ifndef ZLIB_CONST
#define ZLIB_CONST /* input is const */
#endif
#include "../zlib/zlib.h"

#endif
