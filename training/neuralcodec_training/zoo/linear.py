# SPDX-License-Identifier: Apache-2.0
"""Linear maps of groups of n neighbouring channels between the analysis and rounding, and back before the synthesis: the control for learned lattices, which are such a map and its
inverse, if Babai's rounding is all that quantizes.

No model file has them: the layers on either side take them up (`folded`), and the network is a plain one again.
"""
import copy
import dataclasses

import torch
import torch.nn as nn

KINDS = ("free", "orthogonal")


class LinearPair(nn.Module):
    """One pair for all groups. free: two matrices, each learned by itself; orthogonal: the exponential of a skew matrix, and its transpose. Both start as the unit matrix."""

    def __init__(self, kind, dimension):
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"unknown linear layer {kind!r}; known: {', '.join(KINDS)}")
        self.kind, self.dimension = kind, dimension
        if kind == "orthogonal":
            self.skew = nn.Parameter(torch.zeros(dimension, dimension))
        else:
            self.into = nn.Parameter(torch.eye(dimension))
            self.back = nn.Parameter(torch.eye(dimension))

    def matrices(self):
        """(1, n, n) each: what row vectors are multiplied by, there and back."""
        if self.kind == "free":
            return self.into[None], self.back[None]
        rotation = torch.matrix_exp(self.skew - self.skew.T)
        return rotation[None], rotation.T[None]


def linear(h):
    """The pair that hyperparameters ask for, or None."""
    if h.linear is None:
        if h.linear_dimension is not None:
            raise ValueError("linear_dimension: of networks with a linear layer")
        return None
    n = h.linear_dimension or h.latent_channels
    if h.latent_channels % n:
        raise ValueError(f"{h.latent_channels} channels are no whole vectors of {n}")
    return LinearPair(h.linear, n)


def block_diagonal(matrices, channels):
    matrices = matrices.detach().double()
    n = matrices.shape[-1]
    return torch.block_diag(*matrices.expand(channels // n, n, n))


@torch.no_grad()
def folded(model):
    """A network without what no model file has, of the same arithmetic but for rounding: linear pairs, and bases without a hyperprior. Others are returned as they are."""
    h = model.hyperparameters
    if model.linear is not None:
        pair, gone = model.linear.matrices(), ("linear", "linear_dimension")
    elif model.hyper is None and model.lattice is not None:
        pair, gone = (model.lattice.inverse(), model.lattice.rows), [f.name for f in dataclasses.fields(h) if f.name.startswith("lattice")]
    else:
        return model
    last, first = model.g_a[-1], model.g_s[0]
    if not (isinstance(last, nn.Conv2d) and isinstance(first, nn.ConvTranspose2d)):
        raise ValueError(f"the transform {h.transform!r} does not take up a linear map: its synthesis does not start with a linear layer")
    plain = type(model)(dataclasses.replace(h, **{name: None for name in gone}))
    state = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(("linear.", "lattice."))}
    plain.load_state_dict(copy.deepcopy(state))
    into, back = (block_diagonal(m, h.latent_channels) for m in pair)
    fold = lambda matrix, tensor: torch.einsum("ij,i...->j...", matrix, tensor.double()).to(tensor)
    plain.g_a[-1].weight.copy_(fold(into, last.weight))
    plain.g_a[-1].bias.copy_(fold(into, last.bias))
    plain.g_s[0].weight.copy_(fold(back.T, first.weight))
    return plain.train(model.training)
