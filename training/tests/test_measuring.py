# SPDX-License-Identifier: Apache-2.0
import json
import os
import stat
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from neuralcodec_training import evaluate
from neuralcodec_training.calibrate import jpeg_psnr, quality_map_through, rate_at_psnr
from neuralcodec_training.estimate import estimate_curve
from neuralcodec_training.peers import PEERS, measure_peer
from neuralcodec_training.pictures import psnr
from neuralcodec_training.synthetic import synthetic_picture

# Stands in for the library: a "codec" that stores JPEG.
STAND_IN = """#!{python}
import shutil, sys
from PIL import Image
command, source, target = sys.argv[1:4]
image = Image.open(source).convert("RGB")
image.save(target, "JPEG", quality=round(float(sys.argv[5])), optimize=True) if command == "encode" else image.save(target, "PNG")
"""


def test_psnr():
    a = np.zeros((4, 4, 3), np.uint8)
    assert psnr(a, a) == 99 and psnr(a, a + 1) == pytest.approx(20 * np.log10(255))
    with pytest.raises(ValueError):
        psnr(a, a[:2])


@pytest.mark.parametrize("peer", PEERS, ids=lambda p: p.name)
def test_peers_are_measured(peer):
    if not peer.available():
        pytest.skip(f"{peer.command[0]} is not installed")
    curve = measure_peer(peer, [synthetic_picture(96, 64, 1)])
    assert len(curve) == len(peer.qualities)
    assert curve[0][0] < curve[-1][0] and curve[0][1] < curve[-1][1]


def test_evaluate_reads_whole_files(tmp_path, capsys):
    command = tmp_path / "neuralcodec"
    command.write_text(STAND_IN.format(python=sys.executable))
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    data = tmp_path / "data"
    data.mkdir()
    for i in range(2):
        Image.fromarray(synthetic_picture(80, 64, i)).save(data / f"{i}.png")
    output = tmp_path / "evaluation.json"
    options = type("Options", (), {"data": str(data), "neuralcodec": str(command), "model": None, "qualities": (30.0, 60.0, 90.0), "json": str(output), "plot": None})
    evaluate.run(options)
    result = json.loads(output.read_text())
    points = result["curves"]["neuralcodec"]
    assert len(points) == 3 and points[0][0] < points[2][0] and points[0][1] < points[2][1]
    if "cjpeg -optimize" in result["bd_rate"]:
        assert abs(result["bd_rate"]["cjpeg -optimize"]) < 5  # JPEG against JPEG
    assert "BD-rate" in capsys.readouterr().out or not result["bd_rate"]


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
