# SPDX-License-Identifier: Apache-2.0
"""Lattices in the place of scalar rounding: groups of n neighbouring channels at a position are a vector, and y_hat is a point of a lattice, moved by the mean.

A learned basis B, rows spanning the lattice ("Learning Optimal Lattice Vector Quantizers for End-to-end Neural Image Compression", NeurIPS 2024): means m and scales are
those of the coordinates y B^-1, symbols are integers u, and y_hat = (u + m) B.

    babai   u = round(y B^-1 - m)
    exact   u B is the point closest to y - m B

A classical lattice: means and scales are those of y, symbols are the integer points x of docs/quantizers.md (E8 doubled), and y_hat = x step + mean.

Both kinds have the methods that TransformCoding calls; `channels` is a slice of the latents' channels, whole vectors, of which the arguments hold the values.
"""
import torch
import torch.nn as nn

from ..priors import gaussian_bits

ALL = slice(None)
LIMIT = float(1 << 20)  # of |t|, as in the library
FORMS = ("free", "orthogonal", "bounded")
BOUND = 4.0  # singular values of bounded bases lie between it and its reciprocal


class StraightThrough(torch.autograd.Function):
    """The second argument, with the gradient of the first: unlike x + (q - x).detach(), it is q to the last bit."""

    @staticmethod
    def forward(ctx, x, q):
        return q.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def vectors(values, n):
    """(B, C, H, W) -> (B, H, W, C / n, n)"""
    return values.permute(0, 2, 3, 1).unflatten(-1, (-1, n))


def channels_of(vectors):
    """The reverse."""
    return vectors.flatten(-2).permute(0, 3, 1, 2)


def times(values, matrices):
    """Vectors of (B, C, H, W) times the matrix of their group, (1 or their number, n, n), in binary32."""
    with torch.autocast(values.device.type, enabled=False):
        return channels_of((vectors(values.float(), matrices.shape[-1])[..., None, :] @ matrices)[..., 0, :])


# Nearest points of vectors t (..., n) in the lattice's units, as integers. Ties can fall otherwise than in the library; to a decoder that is all the same.


def nearest_dn(t):
    """Integers with an even sum. Where the sum is odd, the coordinate with the greatest error moves, upwards if it has none."""
    point = torch.round(t)
    error = t - point
    worst = error.abs().argmax(-1, keepdim=True)
    move = torch.where(error.gather(-1, worst) < 0, -1.0, 1.0)
    return point.scatter_add(-1, worst, move * (point.sum(-1, keepdim=True) % 2))


def nearest_of(t, points):
    """The nearest of several candidates, the first of equals; in sequence, because there may be many."""
    best, least = None, None
    for point in points:
        distance = (t - point).square().sum(-1, keepdim=True)
        if best is None:
            best, least = point, distance
        else:
            best, least = torch.where(distance < least, point, best), torch.minimum(distance, least)
    return best


def nearest_e8(t):
    """D8 and D8 + 1/2, doubled."""
    return 2 * nearest_of(t, (nearest_dn(t - c) + c for c in (0.0, 0.5)))


def reed_muller_words():
    """RM(1, 4): bit i of word f + 16 w is w + f . i modulo 2. (32, 16)"""
    i = torch.arange(16)
    parity = lambda v: sum(v >> b & 1 for b in range(4)) % 2
    return torch.stack([(parity(f & i) + w) % 2 for w in range(2) for f in range(16)]).float()


def nearest_barnes_wall(t):
    """2 z + c, c a word of RM(1, 4) and z integers with an even sum."""
    return nearest_of(t, (2 * nearest_dn((t - c) / 2) + c for c in reed_muller_words().to(t.device)))


def nearest_leech(t):
    return from_library(t, 24, "the Leech lattice", "leech")[0]


def from_library(t, n, what, *arguments, **options):
    """(points, indices) of vectors, by the library's Python package."""
    try:
        from neuralcodec import Quantizer
    except ImportError as error:
        raise ImportError(f"closest points of {what} need the library's Python package `neuralcodec`") from error
    points, indices = Quantizer(*arguments, **options).quantize(t.detach().reshape(-1, n).cpu().contiguous().numpy())
    back = lambda array: torch.from_numpy(array).to(t).reshape(t.shape)
    return back(points), back(indices)


class ClassicalLattice(nn.Module):
    """E8, Barnes-Wall or Leech, scaled. `scale` multiplies the points in the library's units; at first a cell's volume is 1, as that of rounding.

    The library codes points with the exact probabilities of docs/quantizers.md. `bits`, for training and estimates, is a stand-in for them: each coordinate by itself, a
    Gaussian integrated over as much of the axis as a cube of the cell's volume has. It knows neither the shape of the cells nor that only some of the integers are points.
    """

    kinds = {"e8": (8, nearest_e8, 0.5, 1.0), "barnes-wall": (16, nearest_barnes_wall, 1.0, 2**0.75), "leech": (24, nearest_leech, 1.0, 2**1.5)}

    def __init__(self, name):
        super().__init__()
        self.dimension, self.nearest, self.integer, self.cube = self.kinds[name]  # step of the symbols, side of the cube, in units of the scale
        self.register_buffer("scale", torch.tensor([1 / self.cube]))

    @property
    def step(self):
        """What a symbol stands for, in the units of means and scales."""
        return self.scale * self.integer

    def coordinates(self, y, channels=ALL):
        return y

    def symbols(self, y, means, quantise, channels=ALL):
        """Integer points; their gradient is that of the difference."""
        d = (y - means).float()
        t = vectors(d, self.dimension).detach() / self.scale
        point = channels_of(self.nearest(torch.nan_to_num(t, posinf=LIMIT, neginf=-LIMIT).clamp(-LIMIT, LIMIT)))
        return StraightThrough.apply(d / self.step, point)

    def rebuilt(self, symbols, means, channels=ALL):
        return symbols * self.step + means

    def noisy(self, y):
        """What stands for y_hat where the rate is estimated with noise: y itself, moved within a cube of the cell's volume."""
        return y + (torch.rand_like(y) - 0.5) * (self.scale * self.cube)

    def bits(self, d, symbols, scales):
        """Of residuals d = y - means with noise (symbols None), or of symbols."""
        side = self.scale * self.cube
        v = self.noisy(d) / side if symbols is None else symbols * (self.integer / self.cube)
        return gaussian_bits(v, scales / side)


class BasisLattice(nn.Module):
    """A learned basis for all groups of channels (groups = 1), or one for each. It starts as the integers.

    `rows` holds the bases at a volume |det B| of 1, whatever the parameter's is: the optimizer turns and shears them. Training rounds (Babai), whatever the search is:
    only rounding has a slope with respect to B. In evaluation mode the search decides.

    form: what the optimizer holds. "free": the matrix; "orthogonal": skew matrices, of which B is the exponential; "bounded": U diag(s) V with orthogonal U and V like that, and
    singular values s of product 1 within the bound, so that B and its inverse are well-conditioned whatever the optimizer does.
    """

    step = 1.0

    def __init__(self, dimension, groups, search, form="free"):
        super().__init__()
        if search not in ("babai", "exact"):
            raise ValueError(f"unknown lattice_search {search!r}; known: babai, exact")
        if form not in FORMS:
            raise ValueError(f"unknown lattice_form {form!r}; known: {', '.join(FORMS)}")
        self.dimension, self.search, self.form = dimension, search, form
        if form == "free":
            self.basis = nn.Parameter(torch.eye(dimension).repeat(groups, 1, 1))
        else:
            self.left = nn.Parameter(torch.zeros(groups, dimension, dimension))
        if form == "bounded":
            self.right = nn.Parameter(torch.zeros(groups, dimension, dimension))
            self.spread = nn.Parameter(torch.zeros(groups, dimension))

    def matrix(self):
        """(groups, n, n), binary64, of any volume but 0."""
        if self.form == "free":
            return self.basis.double()
        rotation = lambda skew: torch.matrix_exp((skew - skew.mT).double())
        if self.form == "orthogonal":
            return rotation(self.left)
        share = torch.tanh(self.spread.double())
        singular = BOUND ** ((share - share.mean(-1, keepdim=True)) / 2)
        return rotation(self.left) * singular[:, None, :] @ rotation(self.right)

    @property
    def rows(self):
        """(groups, n, n), binary32, of volume 1. Bases that are within rounding of it stay as they are, so that files are read and written unchanged."""
        matrix = self.matrix()
        factor = torch.linalg.det(matrix).abs() ** (-1 / self.dimension)
        factor = torch.where((factor - 1).abs() < 1e-6, factor - (factor - 1).detach(), factor)
        return (matrix * factor[:, None, None]).float()

    def inverse(self):
        return torch.linalg.inv(self.rows.double()).float()

    def orthogonality(self):
        """|B B^T - I|^2 / n, the mean over the bases: what a loss may add, with some weight, to keep the rows nearly orthogonal."""
        rows = self.rows
        return (rows @ rows.mT - torch.eye(self.dimension, device=rows.device)).square().sum((1, 2)).mean() / self.dimension

    def of_groups(self, matrices, channels):
        """The matrices of some channels: (1 or their vectors, n, n)."""
        return matrices if len(matrices) == 1 or channels == ALL else matrices[channels.start // self.dimension:channels.stop // self.dimension]

    def transform(self, values, matrices, channels):
        """Each vector times the matrix of its group."""
        return times(values, self.of_groups(matrices, channels))

    def coordinates(self, y, channels=ALL):
        return self.transform(y, self.inverse(), channels)

    def symbols(self, y, means, quantise, channels=ALL):
        d = self.coordinates(y, channels) - means.float()
        if self.search == "babai" or self.training:
            return quantise(d)
        target = vectors(y.float() - self.transform(means, self.rows, channels), self.dimension)
        rows = self.of_groups(self.rows, channels)
        closest = [from_library(part, self.dimension, "a basis", basis=basis.detach().cpu().numpy(), search="exact")[1]
                   for part, basis in zip(target.tensor_split(len(rows), 3), rows)]
        return StraightThrough.apply(d, channels_of(torch.cat(closest, 3)))

    def rebuilt(self, symbols, means, channels=ALL):
        return self.transform(symbols + means, self.rows, channels)

    def noisy(self, y):
        return y + self.transform(torch.rand_like(y) - 0.5, self.rows, ALL)

    def bits(self, d, symbols, scales):
        """Of residuals d of coordinates with noise (symbols None), or of symbols."""
        return gaussian_bits(d + torch.rand_like(d) - 0.5 if symbols is None else symbols, scales)


def lattice(h, slices):
    """The module that hyperparameters ask for, None for scalars. `slices`: channels that are coded together."""
    basis_only = {name: getattr(h, name) for name in ("lattice_search", "lattice_dimension", "lattice_groups", "lattice_form") if getattr(h, name) is not None}
    if h.lattice != "basis" and basis_only:
        raise ValueError(f"{', '.join(basis_only)}: of lattices that are a basis, not of {h.lattice!r}")
    if h.lattice is None:
        return None
    if h.gain or h.hyper == "none" and (h.lattice != "basis" or h.lattice_search == "exact"):
        raise ValueError(f"the lattice {h.lattice!r} needs one rate, and a hyperprior unless it is a basis that is rounded with")
    if h.lattice != "basis" and h.lattice not in ClassicalLattice.kinds:
        raise ValueError(f"unknown lattice {h.lattice!r}; known: {', '.join(ClassicalLattice.kinds)}, basis")
    n = (8 if h.lattice_dimension is None else h.lattice_dimension) if h.lattice == "basis" else ClassicalLattice.kinds[h.lattice][0]
    if not 1 <= n <= 64:
        raise ValueError(f"a basis has 1 to 64 dimensions, not {n}")
    for count in slices:
        if count % n:
            raise ValueError(f"{count} channels are no whole vectors of the lattice {h.lattice!r}, which has {n} dimensions")
    if h.lattice != "basis":
        return ClassicalLattice(h.lattice)
    groups = h.lattice_groups or 1
    if groups not in (1, h.latent_channels // n):
        raise ValueError(f"lattice_groups must be 1 or latent_channels / lattice_dimension, {h.latent_channels // n}, not {groups}")
    return BasisLattice(n, groups, h.lattice_search or "babai", h.lattice_form or "free")
