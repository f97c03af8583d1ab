# SPDX-License-Identifier: Apache-2.0
"""Self-attention within windows of a map (Liu et al., "Swin Transformer", ICCV 2021), shared by the networks that use it.

A map's sides are multiples of the window's; nothing is padded. With a shift s > 0 the grid of windows starts at row s and column s and wraps around the map's edges: the
window at (r, c) holds the positions (r + s + i mod H, c + s + j mod W). Positions that wrapped around are another region than those that did not, in rows and in columns,
and tokens see only keys of their own region (the scores of others are -infinity). The shift is kept even where one window covers the whole map.
"""
import torch


def to_windows(x, window):
    """(B, H, W, C) -> (B, windows, tokens, C), both row by row."""
    B, H, W, C = x.shape
    return x.view(B, H // window, window, W // window, window, C).transpose(2, 3).reshape(B, -1, window * window, C)


def from_windows(x, window, H, W):
    B, C = x.shape[0], x.shape[-1]
    return x.view(B, H // window, W // window, window, window, C).transpose(2, 3).reshape(B, H, W, C)


def regions(H, W, window, shift, device):
    """(windows, tokens): a number for each region of a window."""
    side = lambda n: (torch.arange(n, device=device) >= n - shift).long()  # wrapped around
    number = side(H)[:, None] * 2 + side(W)
    return to_windows(number[None, :, :, None], window)[0, :, :, 0]


def relative_index(window, device):
    """(tokens, tokens): row (r_q - r_k + window - 1) * (2 window - 1) + (c_q - c_k + window - 1) of a bias table, for query q and key k."""
    row, column = torch.arange(window * window, device=device) // window, torch.arange(window * window, device=device) % window
    apart = lambda v: v[:, None] - v[None, :] + window - 1
    return apart(row) * (2 * window - 1) + apart(column)


def window_attention(qkv, bias, heads, window, shift):
    """qkv (B, H, W, 3 C): queries, keys, values, each of `heads` consecutive groups of D = C / heads channels; bias (heads, tokens, tokens) -> (B, H, W, C).

    softmax over keys of (q . k) / sqrt(D) + bias, times the values; heads concatenated.
    """
    B, H, W, channels = qkv.shape
    C = channels // 3
    if shift:
        qkv = qkv.roll((-shift, -shift), (1, 2))
    q, k, v = to_windows(qkv, window).view(B, -1, window * window, 3, heads, C // heads).permute(3, 0, 1, 4, 2, 5)
    scores = (q * (C // heads) ** -0.5) @ k.transpose(-2, -1) + bias
    if shift:
        region = regions(H, W, window, shift, qkv.device)
        scores = scores.masked_fill((region[:, :, None] != region[:, None, :])[:, None], float("-inf"))
    mixed = (scores.softmax(-1) @ v).transpose(2, 3).flatten(-2)
    out = from_windows(mixed, window, H, W)
    return out.roll((shift, shift), (1, 2)) if shift else out
