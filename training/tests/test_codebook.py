# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from neuralcodec_training.model_file import write_model
from neuralcodec_training.models import TransformCoding
from neuralcodec_training.reference import code_fixed, ideal_bits, pad
from neuralcodec_training.synthetic import synthetic_picture
from neuralcodec_training.train import Config, loss_of
from neuralcodec_training.zoo.codebook import GAMMA, Codebook
from neuralcodec_training.zoo.linear import folded

pytestmark = pytest.mark.usefixtures("one_thread")


def test_choices_are_the_best():
    """By trying every codeword."""
    torch.manual_seed(1)
    book = Codebook(3, 2, 16)
    y = torch.randn(2, 6, 4, 5)
    book.train()(y, False)
    with torch.no_grad():
        book.logits.copy_(2 * torch.randn(3, 16))
    rebuilt, bits = book.eval()(y, True)
    q = torch.softmax(book.logits, 1)
    for b, g, r, c in ((0, 0, 0, 0), (1, 2, 3, 4), (0, 1, 2, 3)):
        v = y[b, 2 * g:2 * g + 2, r, c]
        cost = (v - book.codewords[g]).square().sum(1) - GAMMA * torch.log2(q[g])
        k = cost.argmin()
        assert torch.equal(rebuilt[b, 2 * g:2 * g + 2, r, c], book.codewords[g, k])
        assert bits[b, 2 * g:2 * g + 2, r, c].sum().item() == pytest.approx(-torch.log2(q[g, k]).item(), rel=1e-4)


def test_training_lowers_the_cost():
    torch.manual_seed(2)
    model = TransformCoding(TransformCoding.Hyperparameters("balle2018-relu", "none", "none", 16, 16, codebook=32, codebook_dimension=4))
    config = Config(lambda_min=0.01, lambda_max=0.01, correlation_alpha=0.0)
    x = torch.cat([pad(synthetic_picture(64, 64, i), model.stride) for i in range(2)])
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    losses = []
    for step in range(30):
        loss = loss_of(config, model, x, torch.rand(2))
        optimizer.zero_grad()
        loss.backward()
        if step == 1:
            missing = [n for n, p in model.named_parameters() if (p.grad is None or not p.grad.any()) and not n.startswith("entropy_bottleneck")]
            assert not missing
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] and model.codebook.fresh == 0
    model.eval()
    with torch.no_grad():
        values, coded = code_fixed(model, x), model(x, rounded=True)
    assert sum(ideal_bits(model, values)) == pytest.approx(coded.y_bits.sum().item(), rel=1e-5) and torch.equal(values["reconstruction"], coded.x_hat)
    assert 0 < coded.y_bits.sum() <= 2 * 16 * 4 * 20


def test_no_file_has_codebooks(tmp_path):
    model = TransformCoding(TransformCoding.Hyperparameters("balle2018-relu", "none", "none", 16, 16, codebook=8))
    assert folded(model) is model
    with pytest.raises(ValueError, match="codebooks"):
        write_model(str(tmp_path / "model.safetensors"), model, "book")


@pytest.mark.parametrize("more, message", (
    ({"codebook": 8, "hyper": "mean-scale"}, "hyperprior"), ({"codebook": 1, "hyper": "none"}, "2 words"), ({"codebook_dimension": 2}, "codebook_dimension"),
    ({"codebook": 8, "codebook_dimension": 5, "hyper": "none"}, "16 channels"),
))
def test_bad_hyperparameters(more, message):
    with pytest.raises(ValueError, match=message):
        TransformCoding(TransformCoding.Hyperparameters(**{"channels": 16, "latent_channels": 16, **more}))
