# SPDX-License-Identifier: Apache-2.0
"""Layer by layer against PyTorch: the same weights and inputs, the same threads, outputs compared, times taken in turns in one run.

    python Benchmarks/torch_layers.py [--threads N] [--rounds N] BENCH     BENCH: the neuralcodec-bench program

PyTorch runs each module as CompressAI's models do, on contiguous (NCHW) tensors, and once more in its channels-last format, which its convolutions prefer.
Times are medians of rounds, each of which is a median. Outputs must agree within 1e-4 of the largest value. The last line is JSON.
"""
import argparse
import json
import math
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.numpy import save_file


class GDN(nn.Module):
    """Ballé et al., ICLR 2017, in CompressAI's parametrization and with its operations."""

    def __init__(self, channels, inverse=False):
        super().__init__()
        self.inverse = inverse
        pedestal = 2.0**-36
        self.beta = nn.Parameter((torch.rand(channels) + 0.5 + pedestal).sqrt())
        self.gamma = nn.Parameter((0.1 * torch.eye(channels) + 0.01 * torch.rand(channels, channels) + pedestal).sqrt())
        self.pedestal = pedestal

    def forward(self, x):
        channels = x.shape[1]
        beta = torch.clamp(self.beta, min=(1e-6 + self.pedestal) ** 0.5) ** 2 - self.pedestal
        gamma = torch.clamp(self.gamma, min=self.pedestal**0.5) ** 2 - self.pedestal
        norm = F.conv2d(x**2, gamma.reshape(channels, channels, 1, 1), beta)
        return x * (torch.sqrt(norm) if self.inverse else torch.rsqrt(norm))


class ChannelNorm(nn.Module):
    """Normalizes over the channels of NCHW tensors."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class WindowAttention(nn.Module):
    """Shifted-window self-attention with its residual, as Swin Transformer does it: roll, partition, mask by -100, attend, reverse, roll back."""

    def __init__(self, channels, heads, window, shift, size):
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv, self.proj = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.relative_position_bias_table = nn.Parameter(torch.randn((2 * window - 1) ** 2, heads))
        at = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        relative = at[:, :, None] - at[:, None, :] + window - 1
        self.index = relative[0] * (2 * window - 1) + relative[1]
        region = torch.zeros(size)
        for i, rows in enumerate((slice(0, -window), slice(-window, -shift), slice(-shift, None))):
            for j, columns in enumerate((slice(0, -window), slice(-window, -shift), slice(-shift, None))):
                region[rows, columns] = 3 * i + j
        parts = self.partition(region[None, :, :, None]).squeeze(-1)
        self.mask = (parts[:, None, :] != parts[:, :, None]) * -100.0 if shift else None

    def partition(self, x):
        batch, height, width, channels = x.shape
        w = self.window
        return x.view(batch, height // w, w, width // w, w, channels).permute(0, 1, 3, 2, 4, 5).reshape(-1, w * w, channels)

    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        batch, height, width, channels = x.shape
        w = self.window
        parts = self.partition(torch.roll(x, (-self.shift, -self.shift), (1, 2)))
        q, k, v = self.qkv(parts).reshape(-1, w * w, 3, self.heads, channels // self.heads).permute(2, 0, 3, 1, 4)
        scores = (q * (channels // self.heads) ** -0.5) @ k.transpose(-2, -1)
        scores = scores + self.relative_position_bias_table[self.index].permute(2, 0, 1)
        if self.mask is not None:
            scores = scores + self.mask[:, None]
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(-1, w * w, channels)
        y = self.proj(y).view(batch, height // w, width // w, w, w, channels).permute(0, 1, 3, 2, 4, 5).reshape(batch, height, width, channels)
        return (torch.roll(y, (self.shift, self.shift), (1, 2)) + x).permute(0, 3, 1, 2)


class Shuffled(nn.Sequential):
    def __init__(self, inputs, outputs, kernel):
        super().__init__(nn.Conv2d(inputs, 4 * outputs, kernel, padding=kernel // 2), nn.PixelShuffle(2))


def convolution(inputs, outputs, kernel, stride=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)


def transposed(inputs, outputs, kernel=5):
    return nn.ConvTranspose2d(inputs, outputs, kernel, 2, kernel // 2, output_padding=1)


def analysis(colours, channels, latents):
    widths = [colours, channels, channels, channels, latents]
    layers = [convolution(widths[0], widths[1], 5, 2)]
    for i in range(1, 4):
        layers += [GDN(channels), convolution(widths[i], widths[i + 1], 5, 2)]
    return nn.Sequential(*layers)


def synthesis(latents, channels, colours):
    layers = []
    for i in range(3):
        layers += [transposed(latents if i == 0 else channels, channels), GDN(channels, inverse=True)]
    return nn.Sequential(*layers, transposed(channels, colours))


def cases():
    """(name, kind, module, input (rows, columns, channels), sizes): a 768 x 512 picture through CompressAI's models at quality 4, and the default model's layers."""
    N, M = 128, 192
    picture = (512, 768)

    def at(scale, channels):
        return picture[0] // scale, picture[1] // scale, channels

    def conv(name, inputs, outputs, kernel, scale, stride=1):
        return name, "convolution", convolution(inputs, outputs, kernel, stride), at(scale, inputs), {"outputs": outputs, "kernel": kernel, "stride": stride}

    yield conv("g_a.0 5x5 s2 3-128", 3, N, 5, 1, 2)
    yield "g_a.1 GDN", "gdn", GDN(N), at(2, N), {}
    yield conv("g_a.2 5x5 s2 128-128", N, N, 5, 2, 2)
    yield "g_a.3 GDN", "gdn", GDN(N), at(4, N), {}
    yield conv("g_a.4 5x5 s2 128-128", N, N, 5, 4, 2)
    yield conv("g_a.6 5x5 s2 128-192", N, M, 5, 8, 2)
    yield conv("h_a.0 3x3 192-128", M, N, 3, 16)
    yield conv("h_a.2 5x5 s2 128-128", N, N, 5, 16, 2)
    yield "h_s.0 T5x5 s2 128-128", "transposed", transposed(N, N), at(64, N), {"outputs": N, "kernel": 5}
    yield "g_s.0 T5x5 s2 192-128", "transposed", transposed(M, N), at(16, M), {"outputs": N, "kernel": 5}
    yield "g_s.2 T5x5 s2 128-128", "transposed", transposed(N, N), at(8, N), {"outputs": N, "kernel": 5}
    yield "g_s.4 T5x5 s2 128-128", "transposed", transposed(N, N), at(4, N), {"outputs": N, "kernel": 5}
    yield "g_s.5 inverse GDN", "inverse-gdn", GDN(N, inverse=True), at(2, N), {}
    yield "g_s.6 T5x5 s2 128-3", "narrow-transposed", transposed(N, 3), at(2, N), {"outputs": 3, "kernel": 5}
    yield conv("cheng 3x3 128-128", N, N, 3, 4)
    yield conv("cheng 3x3 s2 128-128", N, N, 3, 2, 2)
    yield "cheng subpel 3x3 128-512", "shuffled", Shuffled(N, N, 3), at(4, N), {"outputs": N, "kernel": 3}
    yield conv("parameters 1x1 768-640", 768, 640, 1, 16)
    yield conv("nic embed 1x1 768-320", 768, 320, 1, 16)
    yield conv("nic block 1x1 320-320", 320, 320, 1, 16)
    yield conv("nic block 1x1 320-640", 320, 640, 1, 16)
    yield "nic depthwise 3x3 320", "depthwise", nn.Conv2d(320, 320, 3, 1, 1, groups=320), at(16, 320), {"kernel": 3}
    yield conv("nic render 3x3 80-32", 80, 32, 3, 4)
    yield "layer norm 128", "layer-norm", ChannelNorm(N), at(4, N), {}
    yield "attention 8x8 128", "window-attention", WindowAttention(N, 4, 8, 4, (128, 192)), at(4, N), {"heads": 4, "window": 8, "shift": 4}
    yield "attention 4x4 192", "window-attention", WindowAttention(M, 6, 4, 2, (32, 48)), at(16, M), {"heads": 6, "window": 4, "shift": 2}
    for module in (nn.LeakyReLU(0.1), nn.ReLU(), nn.GELU(), nn.Sigmoid(), nn.Softplus(), nn.Tanh()):
        yield type(module).__name__, "activation", module, at(4, N), {}
    yield "whole g_a", "analysis", analysis(3, N, M), at(1, 3), {"outputs": M, "channels": N}
    yield "whole g_s", "synthesis", synthesis(M, N, 3), at(16, M), {"outputs": 3, "channels": N}


def weights_of(name, kind, module):
    state = {k: v.detach().numpy() for k, v in module.state_dict().items()}
    prefix = {"shuffled": "0.", "layer-norm": "norm."}.get(kind, "")
    return {f"{name}.{k.removeprefix(prefix)}": np.ascontiguousarray(v) for k, v in state.items()}


def multiplications(module, x):
    """Multiply-accumulates of one pass, as the layers' definitions count them."""
    total = 0

    def count(layer, inputs, output):
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            total += output[0].numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.ConvTranspose2d):
            total += inputs[0].numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Linear):
            total += output.numel() * layer.in_features
        elif isinstance(layer, WindowAttention):
            total += 2 * output.numel() * layer.window**2
        elif isinstance(layer, GDN):
            total += output.numel() * output.shape[1]

    hooks = [layer.register_forward_hook(count) for layer in module.modules()]
    y = module(x)
    for hook in hooks:
        hook.remove()
    return total, y


def timed(module, x):
    module(x)
    times = []
    while len(times) < 5 or sum(times) < 0.15:
        start = time.perf_counter()
        module(x)
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_grad_enabled(False)
    torch.set_num_threads(options.threads)
    layers, inputs, tensors, description = [], {}, {}, []
    for name, kind, module, shape, sizes in cases():
        x = torch.randn(1, shape[2], shape[0], shape[1])
        layers.append((name, module))
        inputs[name] = x
        tensors[f"{name}.input"] = np.ascontiguousarray(x[0].permute(1, 2, 0).numpy())
        tensors.update(weights_of(name, kind, module))
        description.append({"name": name, "kind": kind, **sizes})
    macs = {name: multiplications(module, inputs[name]) for name, module in layers}
    ours, contiguous, channels_last = ({name: [] for name, _ in layers} for _ in range(3))
    with tempfile.TemporaryDirectory() as folder:
        save_file(tensors, f"{folder}/layers.safetensors", {"layers": json.dumps(description)})
        for _ in range(options.rounds):
            command = [options.bench, "layers", f"{folder}/layers.safetensors", str(options.threads), folder]
            answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
            for name, module in layers:
                ours[name].append(answer[name])
                contiguous[name].append(timed(module.to(memory_format=torch.contiguous_format), inputs[name]))
                channels_last[name].append(timed(module.to(memory_format=torch.channels_last), inputs[name].to(memory_format=torch.channels_last)))
        errors = {}
        for name, (_, y) in macs.items():
            expected = y[0].permute(1, 2, 0).numpy()
            got = np.fromfile(f"{folder}/{name}.f32", np.float32).reshape(expected.shape)
            errors[name] = float(np.abs(got - expected).max() / np.abs(expected).max())
            assert errors[name] < 1e-4, f"{name}: the outputs differ by {errors[name]:.2g} of the largest value"
    rows = []
    print(f"{options.threads} threads, PyTorch {torch.__version__}; ms, medians of {options.rounds} rounds; GMAC/s; PyTorch's time / ours")
    print(f"{'':26}{'GMAC':>7}{'ours':>9}{'NCHW':>9}{'ch.last':>9}{'ours/s':>9}{'NCHW/s':>9}{'ratio':>8}{'ch.last':>8}")
    for name, _ in layers:
        a, b, c = (sorted(t[name])[options.rounds // 2] for t in (ours, contiguous, channels_last))
        work = macs[name][0] * 1e-9
        rows.append({"name": name, "gmac": work, "ours": a, "torch": b, "torch_channels_last": c, "ours_rounds": ours[name], "torch_rounds": contiguous[name],
                     "largest_relative_error": errors[name]})
        speeds = f"{work / a:9.1f}{work / b:9.1f}" if work else f"{'':18}"
        print(f"{name:26}{work:7.2f}{1e3 * a:9.2f}{1e3 * b:9.2f}{1e3 * c:9.2f}{speeds}{b / a:8.2f}{c / a:8.2f}")
    single = [r for r in rows if not r["name"].startswith("whole")]
    for key in ("torch", "torch_channels_last"):
        mean = math.exp(sum(math.log(r[key] / r["ours"]) for r in single) / len(single))
        print(f"geometric mean over {len(single)} layers, {key}: {mean:.2f}")
    result = {"threads": options.threads, "torch": torch.__version__, "layers": rows}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
