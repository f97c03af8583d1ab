# SPDX-License-Identifier: Apache-2.0
"""The library as a C or C++ programmer meets it: header, symbols, dependencies, pkg-config, the C test programs and the C examples."""

import os
import re
import subprocess
import sys
from pathlib import Path

import neuralcodec
import numpy as np
import pytest
from helpers import picture
from PIL import Image


def run(*command, **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=100, **options)


# ---- Header and binary ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("compiler", "language", "standard"), [("cc", "c", "c99"), ("cc", "c", "c17"), ("c++", "c++", "c++17")])
def test_header_compiles_without_a_warning(prefix, tmp_path, compiler, language, standard):
    source = tmp_path / "include.source"
    source.write_text("#include <neuralcodec.h>\n#include <neuralcodec.h>\nint main(void) { return NC_OK; }\n")
    flags = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror", "-fsyntax-only"]
    compiler = os.environ.get({"cc": "CC", "c++": "CXX"}[compiler], compiler)
    result = run(compiler, "-x", language, f"-std={standard}", *flags, f"-I{prefix}/include", source)
    assert result.returncode == 0, result.stderr


def test_a_status_must_be_used(prefix, tmp_path):
    source = tmp_path / "ignore.c"
    source.write_text("#include <neuralcodec.h>\nvoid f(void) { nc_set_allocator(0); }\n")
    result = run(os.environ.get("CC", "cc"), "-Wall", "-Werror", "-c", f"-I{prefix}/include", source, "-o", os.devnull)
    assert result.returncode and "nc_set_allocator" in result.stderr


def test_staged_header_is_the_contract(prefix, repository):
    assert (prefix / "include" / "neuralcodec.h").read_bytes() == (repository / "include" / "neuralcodec.h").read_bytes()


def test_exports_are_the_declared_functions(prefix):
    header = (prefix / "include" / "neuralcodec.h").read_text()
    declared = set(re.findall(r"\b(nc_\w+)\s*\(", re.sub(r"/\*.*?\*/", "", header, flags=re.S)))
    assert len(declared) >= 17
    symbols = [line.split() for line in run("nm", "-D", "--defined-only", prefix / "lib" / "libneuralcodec.so").stdout.splitlines()]
    exported = {name.split("@")[0] for *_, kind, name in symbols if kind != "A"}  # A: a version node
    assert exported == declared


def test_only_c_and_cxx_runtime_is_needed(prefix):
    needed = run("ldd", prefix / "lib" / "libneuralcodec.so").stdout
    names = {Path(line.split()[0]).name for line in needed.splitlines()}
    allowed = re.compile(r"(linux-vdso|ld-linux.*|ld64|libc|libm|libstdc\+\+|libgcc_s|libpthread|libdl)\.so\.\d+")
    assert names and "not found" not in needed
    assert {name for name in names if not allowed.fullmatch(name)} == set()


def test_pkg_config_survives_a_move(prefix):
    flags = run("pkg-config", "--cflags", "--libs", "neuralcodec").stdout.split()
    assert "-lneuralcodec" in flags
    folders = {flag[:2]: Path(flag[2:]).resolve() for flag in flags if flag[:2] in ("-I", "-L")}
    assert folders == {"-I": prefix / "include", "-L": prefix / "lib"}
    assert run("pkg-config", "--modversion", "neuralcodec").stdout.strip() == neuralcodec.__version__


# ---- C programs ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["roundtrip", "float_mode", "arguments", "pixel_types", "allocator", "quantizers", "learning", "analysis"])
def test_program(repository, compile_program, name):
    result = run(compile_program(repository / "Tests" / "c" / f"{name}.c"))
    assert result.returncode == 0, result.stderr


def test_allocations_balance_with_a_model_of_ones_own(repository, compile_program):
    result = run(compile_program(repository / "Tests" / "c" / "allocator.c"), repository / "Tests" / "goldens" / "tiny.safetensors")
    assert result.returncode == 0, result.stderr


def test_quantizers_give_the_same_bytes_everywhere(repository, compile_program):
    result = run(compile_program(repository / "Tests" / "c" / "quantizer_bytes.c"))
    assert (result.returncode, result.stdout) == (0, "971e0ac998cc8a2f\n"), result.stderr


def test_indices_are_coded_the_same_everywhere(repository, compile_program):
    program = compile_program(repository / "Tests" / "c" / "quantizer_coding.c")
    for isa in paths_of_this_machine():
        result = run(program, env=os.environ | {"NEURALCODEC_ISA": isa})
        assert (result.returncode, result.stdout) == (0, "2bc2a08f7d684865\n"), f"{isa}: {result.stderr}"


def paths_of_this_machine():
    code = "import neuralcodec\nprint(neuralcodec.cpu_info())"
    known = ("portable", "avx2", "avx512", "neon")
    found = [isa for isa in known if run(sys.executable, "-c", code, env=os.environ | {"NEURALCODEC_ISA": isa}).stdout.strip() != "unsupported"]
    assert "portable" in found
    return found


@pytest.mark.parametrize("isa", ["nonsense", "avx2,", "AVX2"])
def test_unknown_instruction_set_is_an_error(repository, isa):
    code = "import neuralcodec, numpy as np\nprint(neuralcodec.cpu_info())\nneuralcodec.encode(np.zeros((8, 8), np.uint8))"
    result = run(sys.executable, "-c", code, env=os.environ | {"NEURALCODEC_ISA": isa})
    assert result.stdout.strip() == "unsupported" and "UnsupportedError" in result.stderr and isa in result.stderr


# ---- C examples ----------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def examples(repository, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    result = run("make", "-C", repository / "bindings" / "c", f"OUT={folder}", "CFLAGS=-O1 -Werror")
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def photo(tmp_path) -> Path:
    Image.fromarray(picture(50, 70)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "RGBA", "LA"])
def test_examples_round_trip(examples, tmp_path, mode):
    image = Image.fromarray(picture(41, 38)).convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.fromarray(picture(41, 38, None, seed=3)))
    image.save(tmp_path / "in.png")
    expanded_mode = {"1": "L", "P": "RGB"}.get(mode, mode)
    expanded = np.asarray(image.convert(expanded_mode))
    cases = ([], {}), (["-q", "40"], {"quality": 40}), (["--target-size=3000", "-j2"], {"target_size": 3000}), (["-p", "24"], {"target_psnr": 24})
    for options, targets in cases:
        result = run(examples / "nic-encode", *options, tmp_path / "in.png", tmp_path / "out.nic")
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        data = (tmp_path / "out.nic").read_bytes()
        assert data == neuralcodec.encode(expanded, **targets)
        result = run(examples / "nic-decode", "--threads", "1", tmp_path / "out.nic", tmp_path / "out.png")
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        decoded = Image.open(tmp_path / "out.png")
        assert decoded.mode == expanded_mode
        assert np.array_equal(np.asarray(decoded).reshape(41, 38, -1), neuralcodec.decode(data))
    assert files_in(tmp_path) == {"in.png", "out.nic", "out.png"}


@pytest.mark.parametrize(("mode", "transparent"), [("P", 0), ("RGB", (1, 2, 3))])
def test_examples_keep_transparent_colours(examples, tmp_path, mode, transparent):
    Image.new(mode, (9, 9), transparent).save(tmp_path / "in.png", transparency=transparent)
    assert run(examples / "nic-encode", tmp_path / "in.png", tmp_path / "out.nic").returncode == 0
    decoded = neuralcodec.decode((tmp_path / "out.nic").read_bytes())
    assert decoded.shape == (9, 9, 4) and (decoded[:, :, 3] == 0).all()


def test_examples_refuse_what_they_would_have_to_change(examples, tmp_path):
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(tmp_path / "in.png")
    result = run(examples / "nic-encode", tmp_path / "in.png", tmp_path / "out.nic")
    assert result.returncode == 1 and "unsupported" in result.stderr and "16-bit" in result.stderr
    assert files_in(tmp_path) == {"in.png"}


def test_example_decodes_16_bits_as_8(examples, tmp_path):
    wide = (picture(30, 40).astype(np.uint16) * 257)[:, :, :2]
    data = neuralcodec.encode(np.ascontiguousarray(wide))
    (tmp_path / "in.nic").write_bytes(data)
    assert run(examples / "nic-decode", tmp_path / "in.nic", tmp_path / "out.png").returncode == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out.png")), neuralcodec.decode(data, bit_depth=8))


def test_examples_fail_clearly_and_leave_nothing(examples, tmp_path, photo):
    kept = tmp_path / "kept"
    kept.write_text("as it was")
    (tmp_path / "folder").mkdir()
    (tmp_path / "damaged.png").write_bytes(photo.read_bytes()[:-200])
    (tmp_path / "text.png").write_text("no picture")
    assert run(examples / "nic-encode", photo, tmp_path / "photo.nic").returncode == 0
    (tmp_path / "short.nic").write_bytes((tmp_path / "photo.nic").read_bytes()[:-30])
    before = files_in(tmp_path)
    cases = [
        ("nic-encode", tmp_path / "missing.png", kept, "No such file"),
        ("nic-encode", tmp_path / "damaged.png", kept, "damaged.png"),
        ("nic-encode", tmp_path / "text.png", kept, "text.png"),
        ("nic-encode", photo, tmp_path / "nowhere" / "out.nic", "No such file"),
        ("nic-encode", photo, tmp_path / "folder", "not a regular file"),
        ("nic-encode", photo, "/dev/null", "not a regular file"),
        ("nic-encode", "--target-size=80", photo, kept, "80"),
        ("nic-decode", tmp_path / "missing.nic", kept, "No such file"),
        ("nic-decode", tmp_path / "short.nic", kept, "short.nic"),
        ("nic-decode", photo, kept, "photo.png"),
        ("nic-decode", tmp_path / "folder", kept, "folder"),
        ("nic-decode", tmp_path / "photo.nic", tmp_path / "nowhere" / "out.png", "nowhere"),
        ("nic-decode", tmp_path / "photo.nic", "/dev/null", "not a regular file"),
    ]
    for program, *arguments, message in cases:
        result = run(examples / program, *arguments)
        assert result.returncode == 1 and result.stdout == "", (program, arguments)
        assert result.stderr.startswith(f"{program}: ") and message in result.stderr and result.stderr.count("\n") == 1, result.stderr
    assert files_in(tmp_path) == before and kept.read_text() == "as it was" and not list((tmp_path / "folder").iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["one"], ["{}", "out", "three"], ["-x", "{}", "out"], ["-q", "abc", "{}", "out"], ["-q", "101", "{}", "out"], ["-q", "-1", "{}", "out"],
        ["-q", "nan", "{}", "out"], ["-q", "", "{}", "out"], ["-s", "0", "{}", "out"], ["-s", "10.5", "{}", "out"], ["-p", "x", "{}", "out"],
        ["-j", "1025", "{}", "out"], ["-j", "-1", "{}", "out"], ["-q", "50", "-s", "1000", "{}", "out"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_examples_usage(examples, tmp_path, photo, arguments):
    arguments = [argument.replace("{}", str(photo)) for argument in arguments]
    result = run(examples / "nic-encode", *arguments, cwd=tmp_path)
    assert result.returncode == 2 and result.stderr and not result.stdout
    assert files_in(tmp_path) == {"photo.png"}


def test_examples_help(examples):
    for program in ("nic-encode", "nic-decode", "nic-quantize"):
        result = run(examples / program, "--help")
        assert result.returncode == 0 and result.stdout.startswith(f"usage: {program}") and not result.stderr
        assert run(examples / program, "-j", "x", "a", "b").returncode == 2
    assert run(examples / "nic-encode").returncode == 2 and run(examples / "nic-decode").returncode == 2


def test_quantizing_example(examples):
    result = run(examples / "nic-quantize", "--scale", "0.25", "-n", "50000")
    line = r" +scale 0.25, mean squared error ([\d.]+), ([\d.]+) bits a value\n"
    numbers = re.fullmatch(f"e8{line}scalar{line}gain +([\\d.]+) dB\n", result.stdout)
    assert result.returncode == 0 and not result.stderr and numbers
    e8, e8_bits, scalar, scalar_bits, gain = map(float, numbers.groups())
    assert e8 == pytest.approx(0.0716821 * 0.25**2, rel=0.01) and scalar == pytest.approx(0.25**2 / 12, rel=0.01) and gain == pytest.approx(0.654, abs=0.03)
    # The differential entropy of Gaussians, plus 2 bits for the step of 1/4.
    assert e8_bits == pytest.approx(4.047, abs=0.01) and scalar_bits == pytest.approx(4.047, abs=0.01)
    for arguments in (["-s"], ["-s", "x"], ["-s", ""], ["-n", "0"], ["-n", "nan"], ["more"]):
        assert run(examples / "nic-quantize", *arguments).returncode == 2
    for scale in ("0", "nan", "-1"):
        result = run(examples / "nic-quantize", "-s", scale)
        assert result.returncode == 1 and result.stderr.startswith("nic-quantize: a scale of ") and not result.stdout
