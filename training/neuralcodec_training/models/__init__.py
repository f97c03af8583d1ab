# SPDX-License-Identifier: Apache-2.0
"""Model families by architecture name."""
from .patch_checkerboard import PatchCheckerboard
from .transform_coding import TransformCoding

ARCHITECTURES = {model.architecture: model for model in (PatchCheckerboard, TransformCoding)}
