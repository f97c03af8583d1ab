# SPDX-License-Identifier: Apache-2.0
"""Model families by architecture name."""
from .patch_checkerboard import PatchCheckerboard

ARCHITECTURES = {PatchCheckerboard.architecture: PatchCheckerboard}
