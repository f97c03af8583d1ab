# SPDX-License-Identifier: Apache-2.0
"""Runs the staged command."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from staged import COMMAND, PREFIX, REPOSITORY

sys.path += [str(PREFIX / "python"), str(REPOSITORY / "Benchmarks")]


class Command:
    """`neuralcodec ARGUMENTS`, in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder

    def batch(self, *arguments, input=b"", status=0, environment=None):
        """The finished process, after checking its exit status and that each line of a failure says whose it is."""
        process = subprocess.run([COMMAND, *map(str, arguments)], input=input, capture_output=True, cwd=self.folder, env=os.environ | (environment or {}))
        message = process.stderr.decode()
        assert process.returncode == status, message
        if status != 0:
            assert message.endswith("\n") and all(line.startswith("neuralcodec: ") for line in message.splitlines())
        return process

    def run(self, *arguments, **options):
        """The same, and a failure says why in one line."""
        process = self.batch(*arguments, **options)
        assert process.returncode == 0 or process.stderr.count(b"\n") == 1
        return process

    def fails(self, *arguments, status=1, **options):
        """What a failing command says."""
        return self.run(*arguments, status=status, **options).stderr.decode()

    def json(self, *arguments, **options):
        return json.loads(self.run(*arguments, "--json", **options).stdout)

    def run_batch(self, *arguments, status=0):
        """The report of a batch that writes below `out`."""
        return json.loads(self.batch(*arguments, "--output-dir", "out", "--json", status=status).stdout)

    def path(self, name):
        return self.folder / name

    def pixels(self, name):
        with Image.open(self.path(name)) as picture:
            return np.asarray(picture)

    def write(self, name, pixels):
        Image.fromarray(pixels).save(self.path(name))
        return name

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def command(tmp_path):
    return Command(tmp_path)


@pytest.fixture
def save(command):
    """Writes an array to the command's folder; gives its name."""

    def save(name, array):
        np.save(command.path(name), array)
        return name

    return save


@pytest.fixture
def load(command):
    return lambda name: np.load(command.path(name))


@pytest.fixture
def vectors():
    return np.random.default_rng(1).normal(size=(50, 24))
