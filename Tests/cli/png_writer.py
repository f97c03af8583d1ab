# SPDX-License-Identifier: Apache-2.0
"""PNG files of every kind: all colour types and depths, interlaced or not, with transparency and any other chunks."""
import struct
import zlib

import numpy as np

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # x, y, step in x, step in y
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
SIGNATURE = b"\x89PNG\r\n\x1a\n"

# Every combination that PNG allows.
KINDS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16), (6, 8), (6, 16)]


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def chunks_of(file):
    """Pairs of a type and content."""
    found, position = [], 8
    while position < len(file):
        (length,) = struct.unpack_from(">I", file, position)
        found.append((file[position + 4 : position + 8], file[position + 8 : position + 8 + length]))
        position += 12 + length
    return found


def _packed(row, depth):
    """A row of samples (width, channels) as bytes."""
    if depth == 16:
        return row.astype(">u2").tobytes()
    bits = np.unpackbits(row.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - depth :]
    return np.packbits(bits.reshape(-1)).tobytes()


def raw_png(samples, colour_type, depth, interlaced=False, chunks=(), late_chunks=()):
    """Of samples (height, width, channels) as they stand in the file. `chunks`, pairs of a type and content, stand before the pixels, `late_chunks` behind."""
    height, width, _ = samples.shape
    passes = [samples[y::step_y, x::step_x] for x, y, step_x, step_y in ADAM7] if interlaced else [samples]
    rows = b"".join(b"\0" + _packed(row, depth) for part in passes if part.size for row in part)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    pairs = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), *late_chunks, (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(kind, content) for kind, content in pairs)


def png(samples, interlaced=False, chunks=(), late_chunks=()):
    """Of samples (height, width, channels) of 8 or 16 bits."""
    return raw_png(samples, COLOUR_TYPES[samples.shape[2]], 8 * samples.dtype.itemsize, interlaced, chunks, late_chunks)


def profile_chunk(profile):
    return b"iCCP", b"a name\0\0" + zlib.compress(profile)


def xmp_chunk(packet, compressed=False):
    return b"iTXt", b"XML:com.adobe.xmp\0" + bytes([compressed, 0]) + b"en\0title\0" + (zlib.compress(packet) if compressed else packet)


def raw_profile(name, content, upper=False):
    """A profile as text, as ImageMagick writes it."""
    digits = content.hex().upper() if upper else content.hex()
    lines = [digits[i : i + 72] for i in range(0, len(digits), 72)]
    return "\n".join(["", name, f"{len(content):8d}", *lines, ""]).encode()


def text_chunk(keyword, text, kind=b"tEXt"):
    """tEXt; zTXt or iTXt, compressed."""
    before = {b"tEXt": b"", b"zTXt": b"\0", b"iTXt": b"\1\0\0\0"}[kind]
    return kind, keyword + b"\0" + before + (text if kind == b"tEXt" else zlib.compress(text))


def raw_profile_chunk(name, content, kind=b"tEXt", **options):
    return text_chunk(b"Raw profile type " + name.encode(), raw_profile(name, content, **options), kind)


def random_png(random, colour_type, depth, interlaced, transparent):
    """A file of noise, and the samples (height, width, channels) that it stands for, by the definitions of the format."""
    height, width = int(random.integers(1, 20)), int(random.integers(1, 40))
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    peak = 2**depth - 1
    samples = random.integers(0, peak, (height, width, channels), np.uint32, endpoint=True)
    chunks = []
    if colour_type == 3:
        palette = random.integers(0, 255, (2**depth, 3), np.uint32, endpoint=True)
        chunks.append((b"PLTE", palette.astype(np.uint8).tobytes()))
        expected = palette[samples[:, :, 0]]
        if transparent:
            # For the first entries only; the others are opaque.
            alpha = random.integers(0, 255, max(1, 2**depth - 1), np.uint32, endpoint=True)
            chunks.append((b"tRNS", alpha.astype(np.uint8).tobytes()))
            expected = np.concatenate([expected, np.append(alpha, [255] * (2**depth - len(alpha)))[samples]], axis=2)
        return raw_png(samples, 3, depth, interlaced, chunks), expected.astype(np.uint8)
    scale, dtype = (1, np.uint16) if depth == 16 else (255 // peak, np.uint8)
    expected = samples * scale
    if transparent:
        key = samples[height // 2, width // 2]
        chunks.append((b"tRNS", key.astype(">u2").tobytes()))
        alpha = np.where((samples == key).all(axis=2, keepdims=True), 0, peak * scale)
        expected = np.concatenate([expected, alpha], axis=2)
    return raw_png(samples, colour_type, depth, interlaced, chunks), expected.astype(dtype)
