# SPDX-License-Identifier: Apache-2.0
"""Builds neuralcodec._native against the libneuralcodec that pkg-config finds.

Install:              PKG_CONFIG_PATH=PREFIX/lib/pkgconfig pip install bindings/python
Stage for PYTHONPATH: cd bindings/python && PKG_CONFIG_PATH=PREFIX/lib/pkgconfig python3 setup.py -q build -b TEMPORARY --build-lib PREFIX/python
                      (needs setuptools only, no network; the extension then finds the library in PREFIX/lib even if PREFIX is moved)
NEURALCODEC_RPATH: folders in which the extension looks for the library, separated by colons, in place of these; empty for none (a system's packages).
"""

import os
import subprocess
import sysconfig

from setuptools import Extension, setup


def pkg_config(option: str) -> list[str]:
    command = [os.environ.get("PKG_CONFIG", "pkg-config"), option, "neuralcodec"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        message = "neuralcodec.pc was not found: set PKG_CONFIG_PATH=PREFIX/lib/pkgconfig, PREFIX being where libneuralcodec is installed"
        raise SystemExit(message) from None


limited = not sysconfig.get_config_var("Py_GIL_DISABLED")  # free-threaded CPython has no limited API
given = os.environ.get("NEURALCODEC_RPATH")
folders = ["$ORIGIN/../../lib", *map(os.path.normpath, pkg_config("--variable=libdir"))] if given is None else given.split(":") if given else []
native = Extension(
    "neuralcodec._native",
    sources=["neuralcodec/_native.c", "neuralcodec/_quantizer.c", "neuralcodec/_analysis.c"],
    depends=["neuralcodec/_native.h"],
    define_macros=[("Py_LIMITED_API", "0x030b0000")] if limited else [],
    py_limited_api=limited,
    extra_compile_args=["-std=c11", "-fvisibility=hidden", *pkg_config("--cflags")],
    extra_link_args=[*pkg_config("--libs"), *(f"-Wl,-rpath,{folder}" for folder in folders)],
)
setup(
    packages=["neuralcodec"],
    package_data={"neuralcodec": ["py.typed", "_native.pyi"]},
    include_package_data=False,
    ext_modules=[native],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if limited else {},
)
