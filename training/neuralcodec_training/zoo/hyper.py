# SPDX-License-Identifier: Apache-2.0
"""Hyper analysis and synthesis: latents at 1/16 to hyperlatents at 1/64 resolution, and back to what the context model starts from."""
import torch.nn as nn

from .layers import conv, deconv, subpixel


class Hyper:
    """The networks of a hyperprior. `modules` names them; `channels` is the width of z; h_s(z_hat) holds M scales then M means, or, with `scales_only`, M scales."""

    scales_only = False
    magnitudes = False  # h_a sees |y|

    def __init__(self, channels, **modules):
        self.channels = channels
        self.modules = modules


def chain(layers, activation):
    """The layers, with the activation between them."""
    return nn.Sequential(*(m for i, layer in enumerate(layers) for m in ([activation(), layer] if i else [layer])))


def scale(h):
    """Ballé et al., ICLR 2018: z = h_a(|y|), scales = ReLU(h_s(z_hat)), means zero."""
    N, M = h.channels, h.latent_channels
    h_s = chain([deconv(N, N), deconv(N, N), conv(N, M, 3, 1)], nn.ReLU)
    h_s.append(nn.ReLU())
    hyper = Hyper(N, h_a=chain([conv(M, N, 3, 1), conv(N, N), conv(N, N)], nn.ReLU), h_s=h_s)
    hyper.scales_only = hyper.magnitudes = True
    return hyper


def mean_scale(h):
    """Minnen et al., NeurIPS 2018."""
    N, M = h.channels, h.latent_channels
    h_a = chain([conv(M, N, 3, 1), conv(N, N), conv(N, N)], nn.LeakyReLU)
    return Hyper(N, h_a=h_a, h_s=chain([deconv(N, M), deconv(M, M * 3 // 2), conv(M * 3 // 2, M * 2, 3, 1)], nn.LeakyReLU))


def cheng2020(h):
    """Cheng et al., CVPR 2020: 3x3 convolutions only; as wide as the latents."""
    N = h.latent_channels
    W = N * 3 // 2
    h_a = chain([conv(N, N, 3, 1), conv(N, N, 3, 1), conv(N, N, 3, 2), conv(N, N, 3, 1), conv(N, N, 3, 2)], nn.LeakyReLU)
    return Hyper(N, h_a=h_a, h_s=chain([conv(N, N, 3, 1), subpixel(N, N), conv(N, W, 3, 1), subpixel(W, W), conv(W, 2 * N, 3, 1)], nn.LeakyReLU))


HYPERS = {"scale": scale, "mean-scale": mean_scale, "cheng2020": cheng2020}
