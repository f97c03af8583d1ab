# SPDX-License-Identifier: Apache-2.0
"""Building blocks of the published networks, tensors named and arithmetic done as in CompressAI, or in the papers' own repositories."""
