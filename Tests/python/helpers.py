# SPDX-License-Identifier: Apache-2.0
"""A test picture, CRC-32C, and the .nic container taken apart and put together again, written from docs/format.md."""

import struct
from collections.abc import Iterable

import numpy as np

SIGNATURE = bytes.fromhex("8E4E49430D0A1A0A")

# Fields of the HEAD chunk, in file order.
HEAD = struct.Struct("<IIBBBHHH8s8sI")
HEAD_FIELDS = ("width", "height", "channels", "depth", "coding", "rate", "tile_columns", "tile_rows", "model_id", "model_hash", "symbols_crc")


def picture(height: int, width: int, channels: int | None = 3, seed: int = 0) -> np.ndarray:
    """Ramps, soft waves, edges and a little noise: what a photograph is made of. channels None: shape (H, W)."""
    rng = np.random.default_rng(seed)
    y, x, c = np.ogrid[:height, :width, : channels or 1]
    smooth = 110 + 50 * np.sin((x + 2 * c + seed) / 17.0) + 40 * np.cos((y - 3 * c) / 23.0) + 0.1 * x
    edges = np.where((x // 19 + y // 11) % 4 == 0, 35, 0)
    pixels = np.clip(smooth + edges + rng.normal(0, 2, (height, width, channels or 1)), 0, 255).astype(np.uint8)
    return pixels[:, :, 0] if channels is None else pixels


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float("inf") if error == 0 else 10 * np.log10(255**2 / error)


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli).

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def chunk(kind: bytes, payload: bytes, length: int | None = None) -> bytes:
    """A chunk with a right checksum, whatever length it claims."""
    body = struct.pack("<I", len(payload) if length is None else length) + kind + payload
    return body + struct.pack("<I", crc32c(body))


def split(file: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The versions (2 bytes) and the chunks as (type, payload); asserts that every checksum is right and nothing is left over."""
    assert file[:8] == SIGNATURE
    chunks, position = [], 10
    while position < len(file):
        (length,) = struct.unpack_from("<I", file, position)
        end = position + 8 + length
        assert struct.unpack_from("<I", file, end) == (crc32c(file[position:end]),)
        chunks.append((file[position + 4 : position + 8], file[position + 8 : end]))
        position = end + 4
    assert position == len(file)
    return file[8:10], chunks


def join(versions: bytes, chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    return SIGNATURE + versions + b"".join(chunk(*item) for item in chunks)


def read_head(file: bytes) -> dict[str, int | bytes]:
    kind, payload = split(file)[1][0]
    assert kind == b"HEAD"
    return dict(zip(HEAD_FIELDS, HEAD.unpack(payload), strict=True))


def with_head(file: bytes, **changes: int | bytes) -> bytes:
    """The file with other header fields and a checksum that fits them."""
    versions, chunks = split(file)
    head = read_head(file) | changes
    chunks[0] = (b"HEAD", HEAD.pack(*head.values()))
    return join(versions, chunks)
