# SPDX-License-Identifier: Apache-2.0
"""Training of libneuralcodec's models in PyTorch: models, losses, data, export."""
