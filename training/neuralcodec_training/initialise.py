# SPDX-License-Identifier: Apache-2.0
"""Starting points: the KLT of the training patches (a linear transform codec), the published two-core probe's state widened and folded, or a trained model of other hyperparameters."""
import math

import numpy as np
import torch


def klt(crops, patch, count=40000):
    """Eigenvectors (columns, largest variance first) and variances of patches in pixel_unshuffle order, values centred at 0.5."""
    x = np.stack([crops.array(patch).transpose(2, 0, 1).reshape(-1) for _ in range(count)]).astype(np.float32) / 255 - 0.5
    variance, vectors = np.linalg.eigh(x.T @ x / count)
    return torch.from_numpy(vectors[:, ::-1].copy()), torch.from_numpy(variance[::-1].copy()).clamp(min=1e-9)


def to_quarter_order(rows, patch=16):
    """Reorders the rows of a patch inverse from pixel_shuffle(16) to two pixel_shuffle(4) in sequence."""
    small = patch // 4
    index = torch.arange(3 * patch * patch).view(3, 4, small, 4, small)  # colour, block row, row, block column, column
    return rows[index.permute(0, 2, 4, 1, 3).reshape(-1)]


def rate_knots(model, lambda_of, start, doubling=0.5):
    """log gains for each knot: `start` at the lowest rate, then rising with the square root of lambda times `doubling` / 0.5."""
    knots = model.hyperparameters.knots
    r = torch.linspace(0, 1, knots)
    return start + doubling * torch.log(lambda_of(r) / lambda_of(torch.zeros(1)))


@torch.no_grad()
def from_klt(model, crops, lambda_of):
    vectors, variance = klt(crops, model.patch)
    M = model.hyperparameters.latent_channels
    model.embed.weight.copy_(vectors[:, :M].t()[:, :, None, None])
    model.embed.bias.zero_()
    model.unembed.weight.copy_(to_quarter_order(vectors[:, :M])[:, :, None, None])
    model.unembed.bias.zero_()
    gain = rate_knots(model, lambda_of, math.log(4.0), 0.4)[:, None].expand(-1, M)
    model.log_gain.table.copy_(gain)
    model.log_inverse_gain.table.copy_(-gain)
    model.log_scale.table.copy_(gain + 0.5 * torch.log(variance[:M]))


@torch.no_grad()
def from_probe(model, state, crops, lambda_of):
    """The probe's network, function kept where it was trained: consecutive linear layers folded, tail channels added from the KLT."""
    h = model.hyperparameters
    N, M, K = h.core_channels, h.latent_channels, h.knots
    vectors, variance = klt(crops, model.patch)
    q = torch.log(lambda_of(torch.linspace(0, 1, K)) / 0.0018) / math.log(25.0)  # the probe's rate parameter at our knots

    def table(base, slope, tail):
        core = base.view(1, N) + q[:, None] * slope.view(1, N)
        return torch.cat([core, tail[:, None].expand(-1, M - N)], 1)

    def rate_line(parameter):
        last = parameter[:, 0, -64:, 0, 0].mean(1)
        return last[0] + q * last[1]

    def conv(layer, weight, bias):
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)

    def rate_conv(layer, weight, bias):
        layer.weight.copy_(weight)
        layer.bias.table.copy_(bias.expand(layer.bias.table.shape))

    def block(target, prefix):
        first = rate_conv if target.knots else conv
        first(target.space_in, state[prefix + ".space.0.weight"], state[prefix + ".space.0.bias"])
        conv(target.space_depthwise, state[prefix + ".space.2.weight"], state[prefix + ".space.2.bias"])
        conv(target.space_out, state[prefix + ".space.3.weight"], state[prefix + ".space.3.bias"])
        first(target.mix_in, state[prefix + ".mix.0.weight"], state[prefix + ".mix.0.bias"])
        conv(target.mix_out, state[prefix + ".mix.2.weight"], state[prefix + ".mix.2.bias"])

    def widen(weight, scale=1.0):
        """Input channels from N to M, the new ones unused."""
        return torch.cat([weight * scale, weight.new_zeros(weight.shape[0], M - N, 1, 1)], 1)

    model.embed.weight.copy_(torch.cat([state["embed.weight"], vectors[:, N:M].t()[:, :, None, None]]))
    model.embed.bias.copy_(torch.cat([state["embed.bias"], torch.zeros(M - N)]))
    model.unembed.weight.copy_(to_quarter_order(torch.cat([state["unembed.weight"], vectors[:, N:M, None, None]], 1)))
    model.unembed.bias.copy_(to_quarter_order(state["unembed.bias"]))
    for i, b in enumerate(model.analysis):
        block(b, f"analysis.{i}")
    for i, b in enumerate(model.synthesis):
        block(b, f"synthesis.{i}")
    for i, b in enumerate(model.render):
        block(b, f"render.{i + 2}")
    conv(model.grid, state["grid.weight"], state["grid.bias"])
    conv(model.render_in, state["render.0.weight"], state["render.0.bias"])
    conv(model.render_out, state["render.4.weight"], state["render.4.bias"])
    a, b, c = model.hyper_analysis
    conv(a, widen(state["hyper_analysis.0.weight"], 4.0), state["hyper_analysis.0.bias"])
    conv(b, state["hyper_analysis.2.weight"], state["hyper_analysis.2.bias"])
    conv(c, state["hyper_analysis.4.weight"], state["hyper_analysis.4.bias"])
    a, b = model.hyper_synthesis
    conv(a, state["hyper_synthesis.0.weight"], state["hyper_synthesis.0.bias"])
    conv(b, state["hyper_synthesis.3.weight"], state["hyper_synthesis.3.bias"])
    first, bias = state["parameters_net.0.weight"][:, :, 0, 0], state["parameters_net.0.bias"]
    from_hyper, from_context = first[:, :2 * N], first[:, 2 * N:]
    model.hidden.weight.copy_(torch.einsum("oh,hiyx->oiyx", from_hyper, state["hyper_synthesis.6.weight"]))
    model.hidden_bias.table.copy_((bias + from_hyper @ state["hyper_synthesis.6.bias"]).expand(K, -1))
    conv(model.context_in, widen(state["context.0.weight"], 4.0), state["context.0.bias"])
    conv(model.context_depthwise, state["context.1.weight"], state["context.1.bias"])
    conv(model.context_out, (from_context @ state["context.3.weight"][:, :, 0, 0])[:, :, None, None], from_context @ state["context.3.bias"])
    out, bias = state["parameters_net.2.weight"], state["parameters_net.2.bias"]
    model.parameters_out.weight.zero_()
    model.parameters_out.bias.zero_()
    for target, source, scale in ((0, 0, 0.2), (M, N, 1.0)):
        model.parameters_out.weight[target:target + N] = out[source:source + N] * scale
        model.parameters_out.bias[target:target + N] = bias[source:source + N] * scale
    tail_gain = rate_line(state["gain"])
    model.log_gain.table.copy_(table(state["gain"][0].view(-1), state["gain"][1].view(-1), tail_gain))
    model.log_inverse_gain.table.copy_(table(state["inverse_gain"][0].view(-1), state["inverse_gain"][1].view(-1), -tail_gain))
    log_std = torch.cat([state["log_std"].view(-1), 0.5 * torch.log(variance[N:M])])
    model.log_scale.table.copy_(model.log_gain.table + log_std)
    model.prior.medians.copy_(state["z_mean"].view(-1))
    sigma = torch.nn.functional.softplus(state["z_scale"].view(-1, 1)) * 2 + 0.1
    model.prior.log_scales.copy_(torch.log(0.55 * sigma * torch.tensor([[0.6, 1.0, 1.6]])))


def separated(weight):
    """A dense 3x3 convolution (O, I, 3, 3) as a depthwise (I, 1, 3, 3) and a pointwise one (O, I, 1, 1): of each input the nearest product of both."""
    u, s, v = torch.linalg.svd(weight.permute(1, 0, 2, 3).flatten(2), full_matrices=False)  # I x (O, 9)
    size = s[:, :1].sqrt()
    return (v[:, 0] * size).view(-1, 1, 3, 3), (u[:, :, 0] * size).t()[:, :, None, None]


def narrowed(outputs, weight, bias, count):
    """The `count` inputs of a pointwise layer that matter most, and weights from those alone that come nearest to its results.

    outputs (positions, inputs): samples of its inputs. Returns (kept, weight, bias).
    """
    kept = (outputs.square().mean(0) * weight.square().sum(0)).topk(count).indices.sort().values
    mean = outputs.mean(0)
    centred = outputs - mean
    moments = centred[:, kept].t() @ centred
    moments[:, kept] += 1e-4 * moments[:, kept].diagonal().mean() * torch.eye(count)
    fitted = weight @ torch.linalg.solve(moments[:, kept], moments).t()
    return kept, fitted, bias + weight @ mean - fitted @ mean[kept]


@torch.no_grad()
def from_model(model, source, pictures, r):
    """The weights of a trained model of the same widths, which may have fewer analysis blocks, a dense `hidden`, or wider synthesis blocks.

    pictures (B, 3, H, W) and their rate parameters r (B): what narrower blocks are fitted on.
    """
    old, state = source.state_dict(), model.state_dict()
    samples = {}
    hooks = [block.mix_out.register_forward_hook(lambda _, inputs, __, i=i: samples.update({i: inputs[0].movedim(1, 3).flatten(0, 2).float()}))
             for i, block in enumerate(source.synthesis)]
    source(pictures, r, rounded=True)
    for hook in hooks:
        hook.remove()
    if state["hidden.weight"].shape != old["hidden.weight"].shape:
        old["hidden_depthwise.weight"], old["hidden.weight"] = separated(old["hidden.weight"])
        state["hidden_depthwise.bias"].zero_()
    for i, a in samples.items():
        inner, outer = f"synthesis.{i}.mix_in.", f"synthesis.{i}.mix_out."
        count = state[inner + "weight"].shape[0]
        if count < old[inner + "weight"].shape[0]:
            kept, weight, old[outer + "bias"] = narrowed(a, old[outer + "weight"][:, :, 0, 0], old[outer + "bias"], count)
            old[inner + "weight"], old[inner + "bias.table"], old[outer + "weight"] = old[inner + "weight"][kept], old[inner + "bias.table"][:, kept], weight[:, :, None, None]
    unknown = set(old) - set(state)
    if unknown:
        raise SystemExit(f"cannot start from these weights: the new model has no {', '.join(sorted(unknown))}")
    for name, t in old.items():
        if t.shape != state[name].shape:
            raise SystemExit(f"cannot start from these weights: {name} is {tuple(t.shape)} there, and {tuple(state[name].shape)} here")
        state[name].copy_(t)
    model.load_state_dict(state)
