# SPDX-License-Identifier: Apache-2.0
"""What `neuralcodec.analyze` finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from . import _native

_PLANES = ("latent", "mean", "scale", "normalized", "quantized", "bits")


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a model's entropy model leaves to code in a picture. Planes are read-only float32 arrays of shape (channels, height, width): a latent stands for
    16 x 16 pixels of the picture, which is padded on the right and at the bottom."""

    quality: float
    rate_parameter: int
    bpp: float
    """Bits of the latents for each pixel of the picture."""
    hyper_bpp: float
    """Bits of the hyperlatents."""
    average_correlation: float
    """Mean magnitude of `correlation_map` beside its middle."""
    average_correlation_quantized: float
    correlation_map: NDArray[np.float64]
    """E[v(p) v(p + d)] of the normalized latents v, over all channels and positions p whose neighbour p + d is in the plane; shape (window, window),
    d = 0 in the middle."""
    correlation_map_quantized: NDArray[np.float64]
    """The same of the quantized normalized latents."""
    channel_bpp: NDArray[np.float64]
    """Bits for each pixel of the picture, one value a channel; their sum is `bpp`."""
    latent: NDArray[np.float32]
    """y, times the gain of its rate; in the coordinates of a learned basis for a model that has one."""
    mean: NDArray[np.float32]
    """Predicted by the decoder from what it has by then."""
    scale: NDArray[np.float32]
    """Predicted standard deviation."""
    normalized: NDArray[np.float32]
    """(latent - mean) / scale."""
    quantized: NDArray[np.float32]
    """The same after quantization."""
    bits: NDArray[np.float32]
    """What coding each latent takes, by the model's integer tables; the coordinates of a point of a classical lattice have equal shares."""

    @property
    def channels_by_rate(self) -> NDArray[np.intp]:
        """Channels, the one of most bits first."""
        return np.argsort(-self.channel_bpp, kind="stable")


def _analysis(values: _native._Analysis) -> Analysis:
    members: dict[str, Any] = dict(values)
    shape, window = members.pop("shape"), members.pop("window")
    for name in _PLANES:
        members[name] = np.frombuffer(members[name], np.float32).reshape(shape)
    for name in ("correlation_map", "correlation_map_quantized"):
        members[name] = np.frombuffer(members[name]).reshape(window, window)
    members["channel_bpp"] = np.frombuffer(members["channel_bpp"])
    return Analysis(**members)


Analysis.__module__ = "neuralcodec"
