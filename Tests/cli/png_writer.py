# SPDX-License-Identifier: Apache-2.0
"""PNG files of the kinds that Pillow cannot write."""
import struct
import zlib

import numpy as np

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # x, y, step in x, step in y
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def png(samples, interlaced=False, chunks=()):
    """Of samples (height, width, channels) of 8 or 16 bits. `chunks`: pairs of a type and content to stand before the pixels."""
    height, width, channels = samples.shape
    passes = [samples[y::step_y, x::step_x] for x, y, step_x, step_y in ADAM7] if interlaced else [samples]
    big_endian = samples.dtype.newbyteorder(">")
    rows = b"".join(b"\0" + row.astype(big_endian).tobytes() for part in passes if part.size for row in part)
    header = struct.pack(">IIBBBBB", width, height, 8 * samples.dtype.itemsize, COLOUR_TYPES[channels], 0, 0, interlaced)
    file = b"\x89PNG\r\n\x1a\n"
    for kind, content in [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]:
        file += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return file
