# SPDX-License-Identifier: Apache-2.0
"""The built library, through its command."""
import json
import os
import subprocess
import tempfile

from PIL import Image

from .model_file import read_model

DEFAULT_COMMAND = os.path.join("build", "bin", "neuralcodec")


class Library:
    """`neuralcodec encode` and `decode`, with the default model or with one of your own."""

    def __init__(self, command=DEFAULT_COMMAND, model=None, threads=0):
        self.command = command
        self.threads = ["--threads", str(threads)]
        self.environment = dict(os.environ)
        self.model_options = []
        if not os.access(command, os.X_OK):
            raise FileNotFoundError(f"no command {command!r}: build the library, or give its path")
        if model:
            # A decoder finds a model by the id that the file names, in the folders of NEURALCODEC_MODEL_PATH.
            self.folder = tempfile.TemporaryDirectory()
            os.symlink(os.path.abspath(model), os.path.join(self.folder.name, read_model(model)[1]["id"] + ".safetensors"))
            self.environment["NEURALCODEC_MODEL_PATH"] = self.folder.name
            self.model_options = ["--model", os.path.abspath(model)]

    def run(self, *arguments):
        result = subprocess.run([self.command, *arguments], env=self.environment, capture_output=True, text=True)
        if result.returncode:
            raise RuntimeError(f"{self.command} {' '.join(arguments)}: {result.stderr.strip() or f'exit status {result.returncode}'}")
        return result.stdout

    def encode(self, picture, file, quality):
        self.run("encode", picture, file, "--quality", str(quality), *self.threads, *self.model_options)

    def decode(self, file, picture):
        self.run("decode", file, picture, *self.threads)

    def compare(self, a, b):
        """(PSNR, MS-SSIM) of two uint8 pictures; MS-SSIM None where a side is below 161 pixels, PSNR 99 where they are equal."""
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("a.ppm", "b.ppm")]
            for path, picture in zip(paths, (a, b)):
                Image.fromarray(picture).save(path)
            found = json.loads(self.run("compare", "--json", *paths))
        return 99.0 if found["identical"] else found["psnr"], found["ms_ssim"]
