# SPDX-License-Identifier: Apache-2.0
import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neuralcodec_training import evaluate
from neuralcodec_training.calibrate import jpeg_psnr, quality_map_through, rate_at_psnr
from neuralcodec_training.estimate import estimate_curve
from neuralcodec_training.experiments.measure import measure_files
from neuralcodec_training.peers import JPEG, PEERS, Peer, measure_peer
from neuralcodec_training.pictures import psnr
from neuralcodec_training.plots import pyplot
from neuralcodec_training.synthetic import synthetic_picture

# Stands in for the library: a "codec" that stores JPEG, and says the same of every comparison but for the PSNR.
STAND_IN = """#!{python}
import json, sys
sys.path.insert(0, {package!r})
from PIL import Image
command, source, target = sys.argv[1:4]
if command == "compare":
    from neuralcodec_training.pictures import load_picture, psnr
    print(json.dumps({{"identical": False, "psnr": psnr(load_picture(sys.argv[3]), load_picture(sys.argv[4])), "ms_ssim": None}}))
    sys.exit()
image = Image.open(source).convert("RGB")
image.save(target, "JPEG", quality=round(float(sys.argv[5])), optimize=True) if command == "encode" else image.save(target)
"""


def test_psnr():
    a = np.zeros((4, 4, 3), np.uint8)
    assert psnr(a, a) == 99 and psnr(a, a + 1) == pytest.approx(20 * np.log10(255))
    with pytest.raises(ValueError):
        psnr(a, a[:2])


@pytest.mark.parametrize("peer", PEERS, ids=lambda p: p.name)
def test_peers_are_measured(peer):
    if peer.missing():
        pytest.skip(f"{peer.missing()} is not installed")
    curve = measure_peer(peer, [synthetic_picture(96, 64, 1)])
    assert len(curve) == len(peer.qualities)
    assert curve[0][0] < curve[-1][0] and curve[0][1] < curve[-1][1]


@pytest.fixture
def command(tmp_path):
    """The path of the stand-in."""
    path = tmp_path / "neuralcodec"
    path.write_text(STAND_IN.format(python=sys.executable, package=str(Path(__file__).parents[1])))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_files_of_experiments(tmp_path, command):
    """Bits, PSNR and processor seconds of the commands."""
    pictures = {}
    for i in range(2):
        pictures[str(tmp_path / f"{i}.png")] = synthetic_picture(80, 64, i)
        Image.fromarray(pictures[str(tmp_path / f"{i}.png")]).save(tmp_path / f"{i}.png")
    found = measure_files(evaluate.Library(str(command), threads=1), pictures)
    assert found["psnr"] == pytest.approx(np.mean([jpeg_psnr(i, 75) for i in pictures.values()]), abs=0.5)
    assert 0.1 < found["bpp"] < 24 and found["encode_seconds"] > 0 and found["decode_seconds"] > 0


def test_evaluate_reads_whole_files(tmp_path, command, capsys, monkeypatch):
    data = tmp_path / "data"
    data.mkdir()
    for i in range(2):
        Image.fromarray(synthetic_picture(80, 64, i)).save(data / f"{i}.png")
    output, anchors = tmp_path / "evaluation.json", tmp_path / "anchors.json"
    anchors.write_text(json.dumps({"twice": {"bpp": [0.5, 1.0, 2.0, 40.0], "psnr": [10, 25, 30, 60], "source": "made up"}}))
    monkeypatch.setattr(evaluate, "PEERS", (JPEG, Peer("no codec", ("no-such-command",), (1,))))
    options = type("Options", (), {"data": str(data), "neuralcodec": str(command), "model": None, "qualities": (30.0, 60.0, 90.0), "json": str(output), "anchors": str(anchors),
                                   "plotted": ("twice",), "markdown": str(tmp_path / "tables.md"), "plot": str(tmp_path / "rd")})
    evaluate.run(options)
    result = json.loads(output.read_text())
    points = result["curves"]["neuralcodec"]
    assert len(points) == 3 and points[0][0] < points[2][0] and points[0][1] < points[2][1]
    if JPEG.name in result["bd_rate"]:
        assert abs(result["bd_rate"][JPEG.name]) < 5  # JPEG against JPEG
    assert result["bd_rate"]["twice"] is not None and result["bd_rate_ms_ssim"]["twice"] is None
    tables = (tmp_path / "tables.md").read_text()
    assert "| twice | made up | " in tables and "| 30 | " in tables
    said = capsys.readouterr()
    assert tables in said.out + "\n" and "no-such-command is not installed: no codec not measured" in said.err
    drawn = sorted(path.name for path in tmp_path.glob("rd*"))
    assert drawn == (["rd.png", "rd.svg"] if pyplot() else [])  # without MS-SSIM there is no plot of it


def test_curves_of_a_second_measure():
    points = [(0.5, 30.0, 0.9), (1.0, 33.0, 0.99), (1.5, 33.0, 0.999)]
    assert evaluate.quality_curve(points, 1) == [(0.5, 30.0), (1.0, 33.0)]
    assert [q for _, q in evaluate.quality_curve(points, 2)] == pytest.approx([10, 20, 30])
    assert evaluate.quality_curve([(0.5, 30.0, None)], 2) is None and evaluate.quality_curve([(0.5, 30.0)], 2) is None
    curves = {"neuralcodec": points, "other": [(2 * b, q, s) for b, q, s in points], "published": [(b, q) for b, q, _ in points[:2]]}
    assert evaluate.differences(curves) == {"other": pytest.approx(-50), "published": pytest.approx(0)}
    assert evaluate.differences(curves, 2) == {"other": pytest.approx(-50), "published": None}


def test_bad_anchors_are_named(tmp_path):
    path = tmp_path / "anchors.json"
    for text in ('{"a": {"bpp": [1]}}', '{"a": {"bpp": [1, 2], "psnr": [1]}}', '{"a": 3}', "[]"):
        path.write_text(text)
        with pytest.raises(SystemExit, match="anchors.json"):
            evaluate.load_anchors(str(path))


def test_estimates_rise_with_the_rate(tiny):
    with torch.no_grad():
        curve = estimate_curve(tiny, [synthetic_picture(100, 70, 1)], (0, 30000, 65535))
    assert curve[0][0] < curve[1][0] < curve[2][0]


def test_calibration_finds_the_rate(tiny):
    images = [synthetic_picture(100, 70, 1)]
    (_, low), (_, high) = estimate_curve(tiny, images, (0, 65535))
    target = low + 0.7 * (high - low)
    rate = rate_at_psnr(tiny, images, target)
    assert estimate_curve(tiny, images, [rate])[0][1] == pytest.approx(target, abs=0.05)
    with pytest.raises(SystemExit):
        rate_at_psnr(tiny, images, 90)
    assert jpeg_psnr(images[0], 90) > jpeg_psnr(images[0], 30)


def test_quality_maps():
    assert quality_map_through(49151.25) == tuple(round(6553.5 * i) for i in range(11))
    steep = quality_map_through(30000)
    assert steep[0] == 0 and steep[-1] == 65535 and steep[7] == 28000 and steep[8] == round(30000 + 35535 / 5)


def test_a_missing_library_is_named():
    with pytest.raises(FileNotFoundError, match="no-such-command"):
        evaluate.Library(os.path.join("bin", "no-such-command"))
