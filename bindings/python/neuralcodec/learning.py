# SPDX-License-Identifier: Apache-2.0
"""What `Quantizer.learn` measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import _native

_STARTS = ("identity", "principal axes", "classical", "random")  # nc_lattice_start


@dataclass(frozen=True)
class LatticeFigures:
    """What a quantizer does to the held-out samples."""

    distortion: float
    """Mean squared error of a value."""
    rate: float
    """Bits a value: entropies of the coordinates, each coded by itself."""
    chained_rate: float
    """Bits a value where each coordinate is coded given its linear prediction from those before it, rounded to quarters."""
    nsm: float
    """Normalized second moment; measured for the exact search."""


@dataclass(frozen=True)
class LatticeReport:
    """What came of learning a lattice, on held-out samples: the integers at the same scale, and the learned basis with each search."""

    scalar: LatticeFigures
    babai: LatticeFigures
    nearest_plane: LatticeFigures
    exact: LatticeFigures
    objective: float
    """Rate + lam * distortion / scale^2 with the search asked for, in bits a value; the chained rate for "exact"."""
    scalar_objective: float
    """That of the integers."""
    orthogonality_defect: float
    """Product of the rows' lengths / volume; 1 for orthogonal rows."""
    condition: float
    """Greatest singular value of the basis / the smallest."""
    error_deviation: float
    """Of the errors' covariance from a multiple of the unit matrix: the greatest of an entry / the mean variance. Near 0 where no
    small change of the cell lowers the error."""
    proven: float
    """Part of the exact search's points that are proven to be closest ones."""
    start: str
    """Where the best descent began: "identity", "principal axes", "classical" or "random"."""
    samples: int
    """Samples learned from."""
    held_out: int
    """Samples held out, to choose the basis and to measure it."""


def _report(values: _native._LatticeReport) -> LatticeReport:
    members: dict[str, Any] = dict(values)
    for name in ("scalar", "babai", "nearest_plane", "exact"):
        members[name] = LatticeFigures(*members[name])
    members["start"] = _STARTS[members["start"]]
    return LatticeReport(**members)


for _kind in (LatticeFigures, LatticeReport):
    _kind.__module__ = "neuralcodec"
