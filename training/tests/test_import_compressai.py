# SPDX-License-Identifier: Apache-2.0
"""Imports of CompressAI's checkpoints, made up as it writes them: names, buffers and wrappings of its versions."""
import sys

import numpy as np
import pytest
import torch

from neuralcodec_training import __main__ as main
from neuralcodec_training.import_compressai import SOURCES, import_model
from neuralcodec_training.model_file import read_model, restore_model, write_model
from neuralcodec_training.models import TransformCoding
from neuralcodec_training.reference import code_fixed, pad
from neuralcodec_training.synthetic import synthetic_picture
from neuralcodec_training.zoo.layers import GDN, MaskedConv2d


TCM = {"hyper_channels": 16, "depths": [2, 1, 3, 2, 1, 1], "head_channels": [8, 16, 8, 8, 16, 4], "window": 4, "hyper_window": 2, "hyper_head_channels": 4,
       "attention_channels": 16, "attention_head_channels": 8, "slices": [8, 8, 16], "max_support_slices": 1}


def compressai_state(model, bottleneck="matrices.{}"):
    """The state dict that CompressAI would have of this model, its buffers included."""
    state = {n: t.clone() for n, t in model.state_dict().items() if n not in ("scale_table", "entropy_bottleneck.medians")}
    if bottleneck != "matrices.{}":
        for old in [n for n in state if n.startswith("entropy_bottleneck.")]:
            kind, index = old.split(".")[1:]
            plural = bottleneck == "_matrices.{}"
            kind = f"_{kind}." if plural else {"matrices": "_matrix", "biases": "_bias", "factors": "_factor"}[kind]
            state[f"entropy_bottleneck.{kind}{index}"] = state.pop(old)
    if model.hyperparameters.context == "checkerboard":  # whose entropy_parameters has the context first
        prior, context = state["entropy_parameters.0.weight"].chunk(2, 1)
        state["entropy_parameters.0.weight"] = torch.cat([context, prior], 1)
    C = model.entropy_bottleneck.medians.shape[0]
    quantiles = torch.tensor([-10.0, 0, 10]).repeat(C, 1, 1) + model.entropy_bottleneck.medians[:, None, None]
    state.update({"entropy_bottleneck.quantiles": quantiles, "entropy_bottleneck.target": torch.zeros(3), "entropy_bottleneck._offset": torch.zeros(C).int(),
                  "entropy_bottleneck._quantized_cdf": torch.zeros(C, 5).int(), "entropy_bottleneck._cdf_length": torch.zeros(C).int(),
                  "entropy_bottleneck.likelihood_lower_bound.bound": torch.ones(1)})
    if model.hyper:
        state.update({"gaussian_conditional.scale_table": model.scale_table.clone(), "gaussian_conditional._offset": torch.zeros(64).int(),
                      "gaussian_conditional.lower_bound_scale.bound": torch.ones(1)})
    for name, module in model.named_modules():
        if isinstance(module, GDN):
            state.update({f"{name}.{p}_reparam.{b}": torch.ones(1) for p in ("beta", "gamma") for b in ("pedestal", "lower_bound.bound")})
        if isinstance(module, MaskedConv2d):
            state[name + ".mask"] = module.mask.expand_as(module.weight).clone()
    return state


def made_up(architecture):
    s = SOURCES[architecture]
    N, M = (32, 32) if s.transform.startswith("cheng") else (16, 32)
    more = TCM if s.transform == "tcm" else {}
    torch.manual_seed(len(architecture))
    model = TransformCoding(TransformCoding.Hyperparameters(s.transform, s.hyper, s.context, N, M, **more)).eval()
    with torch.no_grad():
        model.entropy_bottleneck.medians.uniform_(-2, 2)
    return model


WRAPPINGS = {
    "plain": lambda state: state,
    "trainer": lambda state: {"epoch": 3, "state_dict": state, "loss": torch.tensor(1.5), "optimizer": {"state": {}, "param_groups": []}},
    "parallel": lambda state: {"state_dict": {"module." + n: t for n, t in state.items()}},
    "net": lambda state: {"net": state},
    "network": lambda state: {"network": {"net." + n: t for n, t in state.items()}},
}


def linear(*names_and_sizes):
    torch.manual_seed(4)
    return {f"{name}.{part}": t for name, i, o in names_and_sizes for part, t in (("weight", torch.randn(o, i)), ("bias", torch.randn(o)))}


def variable(architecture, steps):
    """(model of one rate, state of CompressAI's variable-rate one)"""
    model = made_up(architecture)
    state = compressai_state(model, "_matrix{}")
    state["Gain"] = torch.tensor([0.1, 0.3, 1.0])
    state.update(linear(("QuantABCD.0", 2, 12), ("QuantABCD.2", 12, 12), ("QuantABCD.4", 12, 1)))
    if steps:
        state.update(linear(("gayn2zqstep.0", 1, 10), ("gayn2zqstep.2", 10, 10), ("gayn2zqstep.4", 10, 1)))
        state["lower_bound_zqstep.bound"] = torch.tensor([0.5])
    if architecture == "mbt2018":
        state.update(linear(("scale_to_context", 1, 64)))
    return model, state


@pytest.mark.parametrize("architecture, steps", (("bmshj2018-hyperprior", True), ("mbt2018-mean", True), ("mbt2018-mean", False), ("mbt2018", False)))
def test_variable_rates(architecture, steps, tmp_path):
    model, state = variable(architecture, steps)
    found = import_model({"state_dict": state}, architecture + "-vbr")
    h = found.hyperparameters
    assert h.gain == 9 and h.variable_step == (1 if steps else None)
    gains = found.vbr.gains
    assert torch.equal(gains[[0, 4, 8]], state["Gain"]) and gains[2].item() == pytest.approx((0.1 * 0.3) ** 0.5) and (gains[1:] > gains[:-1]).all()
    assert all(torch.equal(found.state_dict()[n], state[n]) for n in state if n.startswith("QuantABCD"))
    if steps:
        wide = lambda n, v: v @ state[f"gayn2zqstep.{n}.weight"].T + state[f"gayn2zqstep.{n}.bias"]
        expected = torch.nn.functional.softplus(wide(4, wide(2, wide(0, 1 / gains[:, None]).relu()).relu()))[:, 0].clamp(min=0.5)
        torch.testing.assert_close(found.vbr.steps.detach(), expected, rtol=1e-4, atol=1e-5)
    if architecture == "mbt2018":
        expected = gains[:, None] * state["scale_to_context.weight"][:, 0] + state["scale_to_context.bias"]
        torch.testing.assert_close(found.vbr.context.detach(), expected)
    write_model(str(tmp_path / "model.safetensors"), found, "vbr")
    tensors, metadata = read_model(str(tmp_path / "model.safetensors"))
    x = pad(synthetic_picture(64, 64, 1), 64)
    restored = restore_model(tensors, metadata)
    for rate in (0, 40000):
        a, b = code_fixed(restored, x, rate), code_fixed(found, x, rate)
        assert torch.equal(a["reconstruction"], b["reconstruction"])


@pytest.mark.parametrize("spoil, message", (
    (lambda s: s.pop("Gain"), "Gain"), (lambda s: s["Gain"].neg_().add_(1), "ascending"), (lambda s: s.pop("QuantABCD.2.bias"), "QuantABCD.2.bias"),
    (lambda s: s.pop("scale_to_context.weight"), "scale_to_context.weight")))
def test_variable_rates_that_do_not_fit(spoil, message):
    _, state = variable("mbt2018", False)
    spoil(state)
    with pytest.raises(ValueError, match=message):
        import_model(state, "mbt2018-vbr")


@pytest.mark.parametrize("architecture", [n for n in SOURCES if not SOURCES[n].variable_rate])
def test_round_trip(architecture, tmp_path, monkeypatch, capsys):
    model = made_up(architecture)
    checkpoint, output = str(tmp_path / "checkpoint.pth.tar"), str(tmp_path / "model.safetensors")
    torch.save(WRAPPINGS["trainer"](compressai_state(model)), checkpoint)
    monkeypatch.setattr(sys, "argv", ["x", "import-compressai", checkpoint, "--architecture", architecture, "-o", output])
    main.main()
    assert "hash" in capsys.readouterr().out
    tensors, metadata = read_model(output)
    assert metadata["id"] == SOURCES[architecture].id
    x = pad(synthetic_picture(64, 64, 1), model.stride)
    found, expected = code_fixed(restore_model(tensors, metadata), x), code_fixed(model, x)
    for key in expected:
        assert torch.equal(found[key], expected[key]), key
    assert (tensors["prior.medians"] == model.entropy_bottleneck.medians.numpy()).all()
    expected_tables = model.coding_tables()
    assert all(np.array_equal(tensors[name], value) for name, value in expected_tables.items())


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("bottleneck", ("matrices.{}", "_matrices.{}", "_matrix{}"))
def test_wrappings_and_earlier_names(wrapping, bottleneck):
    model = made_up("mbt2018")
    found = import_model(WRAPPINGS[wrapping](compressai_state(model, bottleneck)), "mbt2018")
    assert all(torch.equal(found.state_dict()[n], t) for n, t in model.state_dict().items())


def test_names_of_nested_codecs():
    model = made_up("cheng2020-anchor-checkerboard")
    prefix = lambda n: "latent_codec.hyper." if n.startswith(("h_", "entropy_b")) else "latent_codec.y." if n.startswith(("entropy_p", "context")) else ""
    state = {prefix(n) + n: t for n, t in compressai_state(model).items() if not n.startswith("gaussian")}
    state["latent_codec.y.y.gaussian_conditional.scale_table"] = torch.tensor([])
    found = import_model(state, "cheng2020-anchor-checkerboard")
    assert all(torch.equal(found.state_dict()[n], t) for n, t in model.state_dict().items())


def test_own_scale_tables_are_kept():
    model = made_up("mbt2018-mean")
    state = compressai_state(model)
    state["gaussian_conditional.scale_table"] = torch.tensor([0.11, 0.5, 2.0, 30.0])
    tables = import_model(state, "mbt2018-mean").coding_tables()
    assert list(tables["gaussian.thresholds"]) == list(np.float32([0.11, 0.5, 2.0])) and len(tables["gaussian.lengths"]) == 4
    state["gaussian_conditional.scale_table"] = torch.tensor([0.5, 0.11])
    with pytest.raises(ValueError, match="scale_table"):
        import_model(state, "mbt2018-mean")


def change(name, value):
    def apply(state):
        state[name] = value
    return apply


@pytest.mark.parametrize("spoil, message", (
    (lambda s: s.pop("h_s.2.weight"), "missing: h_s.2.weight"),
    (change("h_s.9.weight", torch.zeros(2)), "unexpected: h_s.9.weight"),
    (change("g_s.0.bias", torch.zeros(5)), r"g_s.0.bias \(5,\), not \(16,\)"),
    (change("g_s.0.bias", torch.full((16,), float("nan"))), "not finite: g_s.0.bias"),
    (lambda s: s.pop("g_a.6.weight"), "g_a.6.weight"),
    (lambda s: s.pop("entropy_bottleneck.quantiles"), "entropy_bottleneck.quantiles"),
    (lambda s: s.clear(), "no weights")))
def test_what_does_not_fit_is_named(spoil, message):
    state = compressai_state(made_up("mbt2018-mean"))
    spoil(state)
    with pytest.raises(ValueError, match=message):
        import_model(state, "mbt2018-mean")


def test_another_architecture_is_noticed():
    with pytest.raises(ValueError, match="missing: context_prediction.bias"):
        import_model(compressai_state(made_up("mbt2018-mean")), "mbt2018")
    with pytest.raises(ValueError, match="unknown architecture"):
        import_model({}, "mbt2019")


def test_shapes_of_lic_tcm_are_told_by_its_tensors():
    model = made_up("lic-tcm")
    found = import_model(compressai_state(model), "lic-tcm").hyperparameters
    assert found == model.hyperparameters
    with pytest.raises(ValueError, match="not those of a lic-tcm network"):
        import_model(compressai_state(made_up("mbt2018")), "lic-tcm")


def test_a_file_of_something_else(tmp_path, monkeypatch):
    path = tmp_path / "x.pth"
    path.write_bytes(b"not a checkpoint")
    monkeypatch.setattr(sys, "argv", ["x", "import-compressai", str(path), "--architecture", "mbt2018", "-o", str(tmp_path / "y.safetensors")])
    with pytest.raises(SystemExit, match="x.pth: not a checkpoint"):
        main.main()


def test_half(tmp_path, monkeypatch):
    checkpoint, output = str(tmp_path / "checkpoint.pth.tar"), str(tmp_path / "model.safetensors")
    torch.save(compressai_state(made_up("mbt2018")), checkpoint)
    monkeypatch.setattr(sys, "argv", ["x", "import-compressai", checkpoint, "--architecture", "mbt2018", "-o", output, "--half", "--id", "abc"])
    main.main()
    tensors, metadata = read_model(output)
    assert metadata["id"] == "abc" and tensors["g_a.0.weight"].dtype == np.float16 and tensors["g_a.1.gamma"].dtype == np.float32
