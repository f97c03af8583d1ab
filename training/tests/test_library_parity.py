# SPDX-License-Identifier: Apache-2.0
"""The built library against PyTorch, with the tiny and the slim model. Runs only where the library's command is built (or named by NEURALCODEC_BIN)."""
import os

import numpy as np
import pytest
from PIL import Image

from neuralcodec_training.goldens import estimated_bits
from neuralcodec_training.library import DEFAULT_COMMAND, Library
from neuralcodec_training.model_file import LINEAR_QUALITY_MAP, QUALITIES
from neuralcodec_training.pictures import load_picture
from neuralcodec_training.reference import code, pad, to_picture
from neuralcodec_training.synthetic import synthetic_picture

COMMAND = os.environ.get("NEURALCODEC_BIN") or os.path.join(os.path.dirname(__file__), "..", "..", DEFAULT_COMMAND)

pytestmark = pytest.mark.skipif(not os.access(COMMAND, os.X_OK), reason="the library is not built: its parity with PyTorch is not checked (NEURALCODEC_BIN names the command)")


@pytest.mark.parametrize("width, height", ((200, 136), (130, 65), (64, 128)))
@pytest.mark.parametrize("quality", (0, 30, 80, 100))
@pytest.mark.parametrize("name", ("tiny", "slim"))
def test_library_and_pytorch_agree(request, name, tmp_path, width, height, quality):
    model, file = request.getfixturevalue(name), request.getfixturevalue(name + "_file")
    image = synthetic_picture(width, height, 11)
    picture, coded, decoded = (str(tmp_path / name) for name in ("in.png", "out.nic", "out.png"))
    Image.fromarray(image).save(picture)
    library = Library(COMMAND, file)
    library.encode(picture, coded, quality)
    library.decode(coded, decoded)
    values = code(model, pad(image, model.stride), LINEAR_QUALITY_MAP[QUALITIES.index(quality)])
    difference = np.abs(load_picture(decoded).astype(int) - to_picture(values["reconstruction"])[:height, :width])
    assert (difference <= 1).mean() > 0.99
    size = sum(estimated_bits(model, values)) / 8
    assert abs(os.path.getsize(coded) - size) <= 0.02 * size + 120
