# SPDX-License-Identifier: Apache-2.0
"""What a forward pass of any model gives."""
from typing import NamedTuple

import torch


class Coded(NamedTuple):
    """A batch after coding."""

    x_hat: torch.Tensor  # reconstruction (B, 3, H, W)
    y_bits: torch.Tensor  # of each latent
    z_bits: torch.Tensor  # of each hyperlatent
    normalized: torch.Tensor  # (y - mean) / scale before quantization
