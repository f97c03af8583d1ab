# SPDX-License-Identifier: Apache-2.0
"""Spatial correlation of normalized latents: the loss of "Towards Efficient Image Compression Without Autoregressive Models" (NeurIPS 2023), and its measure.

An entropy model that predicted everything would leave normalized latents v = (y - mean) / scale that are white. What correlation is left between neighbours is rate
that a better context could save; the loss makes the transform and the hyperprior remove it instead.
"""
import torch

MASKS = ("point", "short-cross", "box", "long-cross")
PAIRS = ("all", "anchors", "unexplained")


def shifted_products(v, window):
    """Yields (dy, dx, products): v(p) v(p + d) for every d of the window that comes after the centre in raster order; the map is symmetric."""
    reach = window // 2
    height, width = v.shape[-2:]
    for dy in range(0, reach + 1):
        for dx in range(-reach, reach + 1):
            if dy == 0 and dx < 0 or dy >= height or abs(dx) >= width:
                continue
            here = v[..., : height - dy, max(0, -dx) : width - max(0, dx)]
            there = v[..., dy:, max(0, dx) : width - max(0, -dx)]
            yield dy, dx, here * there


def correlation_map(v, window=5, pairs="all"):
    """E[v(p) v(p + d)] for all d of a window x window neighbourhood, centre included: a (window, window) tensor.

    v: (B, C, H, W); the mean runs over batch, channels and all positions whose neighbour lies in the map. pairs: "all"; "anchors", only where both positions are anchors of a
    checkerboard (row + column even: those coded without context); "unexplained", all but those of an anchor and a position that is coded with anchors as its context.
    An entry without such pairs is 0.
    """
    if window % 2 != 1 or window < 3:
        raise ValueError(f"the window must be odd and at least 3, not {window}")
    if pairs not in PAIRS:
        raise ValueError(f"pairs must be one of {', '.join(PAIRS)}, not {pairs!r}")
    reach = window // 2
    rows = [[v.new_zeros(()) for _ in range(window)] for _ in range(window)]
    parity = (torch.arange(v.shape[-2], device=v.device)[:, None] + torch.arange(v.shape[-1], device=v.device)) % 2
    for dy, dx, products in shifted_products(v, window):
        if pairs != "all" and (dy + dx) % 2:
            continue  # an anchor and one that sees it
        if pairs == "anchors":
            anchors = (parity[: v.shape[-2] - dy, max(0, -dx) : v.shape[-1] - max(0, dx)] == 0).expand_as(products)
            products = products[anchors]
        rows[reach + dy][reach + dx] = rows[reach - dy][reach - dx] = products.mean()
    return torch.stack([torch.stack(row) for row in rows])


def correlation_mask(name, window=5):
    """1 where the map is penalized: "point" leaves out the centre, the variance; the others also what a context explains: "short-cross" the four neighbours, "box" all eight,
    "long-cross" the centre's row and column."""
    reach = window // 2
    d = torch.arange(window) - reach
    rows, columns = d[:, None].abs(), d[None, :].abs()
    left_out = {
        "point": (rows + columns) == 0,
        "short-cross": (rows + columns) <= 1,
        "box": torch.maximum(rows, columns) <= 1,
        "long-cross": torch.minimum(rows, columns) == 0,
    }
    if name not in left_out:
        raise ValueError(f"the mask must be one of {', '.join(MASKS)}, not {name!r}")
    return (~left_out[name]).float()


def correlation_loss(v, window=5, mask="point", pairs="all", relative=False):
    """Squared norm of the masked correlation map of normalized latents; relative: of the map over its centre, which scales that are too large do not make smaller."""
    found = correlation_map(v, window, pairs)
    if relative:
        found = found / found[window // 2, window // 2].clamp(min=1e-6)
    return (found * correlation_mask(mask, window).to(v.device)).square().sum()


def mean_off_centre(found):
    """Mean absolute off-centre entry of a correlation map: the figure the paper reports before and after."""
    off_centre = correlation_mask("point", found.shape[-1]).to(found)
    return ((found * off_centre).abs().sum() / off_centre.sum()).item()


@torch.no_grad()
def average_correlation(v, window=5):
    return mean_off_centre(correlation_map(v, window))
