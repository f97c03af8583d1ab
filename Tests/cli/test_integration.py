# SPDX-License-Identifier: Apache-2.0
"""What is staged for other tools: shell completions, the type of .nic files, CMake's and pkg-config's packages."""
import os
import shutil
import subprocess
import textwrap

import pytest
from staged import PREFIX, REPOSITORY

SHARE = PREFIX / "share"
SCENE = REPOSITORY / "Tests/conformance/scene-100x75-q75.nic"


def need(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed")


# ---- Completions

BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_neuralcodec neuralcodec "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["enc"], {"encode"}),
        (["transcode", "--to", ""], {"nic", "png", "ppm", "pam"}),
        (["encode", "--target-"], {"--target-size", "--target-psnr"}),
        (["lattice", "le"], {"learn"}),
        (["encode", "a.png", "b"], {"b.nic"}),
        (["encode", "--output-dir", ""], {"folder"}),
    ],
)
def test_bash(tmp_path, words, expected):
    (tmp_path / "b.nic").touch()
    (tmp_path / "folder").mkdir()
    script = SHARE / "bash-completion/completions/neuralcodec"
    answer = subprocess.run(["bash", "-c", BASH, "bash", script, "neuralcodec", *words], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {line.strip() for line in answer.stdout.splitlines()} == expected, answer.stderr


@pytest.mark.parametrize(("shell", "script"), [("zsh", "zsh/site-functions/_neuralcodec"), ("fish", "fish/vendor_completions.d/neuralcodec.fish")])
def test_other_shells(shell, script):
    text = (SHARE / script).read_text()
    assert all(word in text for word in ("encode", "transcode", "output-dir", "target-size"))
    need(shell)
    subprocess.run([shell, "-n", SHARE / script], check=True)


# ---- The type of .nic files


def test_type_by_name_and_by_content(tmp_path):
    need("update-mime-database")
    shutil.copytree(SHARE / "mime", tmp_path / "mime")
    subprocess.run(["update-mime-database", tmp_path / "mime"], check=True)
    assert "50:image/x-nic:*.nic" in (tmp_path / "mime/globs2").read_text().splitlines()
    signature = SCENE.read_bytes()[:8]
    assert b"[60:image/x-nic]\n>0=\x00\x08" + signature + b"\n" in (tmp_path / "mime/magic").read_bytes()


# ---- Programs that use the library

PROGRAM = """
    #include <neuralcodec.h>
    #include <stdio.h>
    int main(int count, char **arguments) {
        static unsigned char file[1 << 16];
        nc_info info = {.struct_size = sizeof info};
        FILE *stream = count == 2 ? fopen(arguments[1], "rb") : NULL;
        if (!stream) return 2;
        if (nc_read_info(file, fread(file, 1, sizeof file, stream), &info) != NC_OK) return puts(nc_last_error()), 1;
        printf("%s: %zu x %zu\\n", nc_version(), (size_t)info.width, (size_t)info.height);
        return 0;
    }
"""
PROJECT = """
    cmake_minimum_required(VERSION 3.16)
    project(try C)
    set(CMAKE_C_STANDARD 11)
    find_package(neuralcodec VERSION REQUIRED)
    find_package(neuralcodec REQUIRED)
    add_executable(try try.c)
    target_link_libraries(try neuralcodec::neuralcodec)
"""


@pytest.fixture
def moved(tmp_path):
    """A copy of the staged library, elsewhere."""
    for folder in ("lib", "include"):
        shutil.copytree(PREFIX / folder, tmp_path / "moved to" / folder, symlinks=True)
    return tmp_path / "moved to"


def configure(tmp_path, prefix, version):
    project = tmp_path / "project"
    project.mkdir(exist_ok=True)
    (project / "try.c").write_text(textwrap.dedent(PROGRAM))
    (project / "CMakeLists.txt").write_text(textwrap.dedent(PROJECT).replace("VERSION REQUIRED", f"{version} REQUIRED"))
    return subprocess.run(["cmake", "-S", project, "-B", tmp_path / version, f"-DCMAKE_PREFIX_PATH={prefix}"], capture_output=True, text=True)


def test_cmake(tmp_path, moved):
    need("cmake", "cc", "make")
    version = (PREFIX / "lib/pkgconfig/neuralcodec.pc").read_text().split("Version: ")[1].split()[0]
    configured = configure(tmp_path, moved, version)
    assert configured.returncode == 0, configured.stderr
    built = subprocess.run(["cmake", "--build", tmp_path / version], capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    assert subprocess.run([tmp_path / version / "try", SCENE], capture_output=True, text=True).stdout == f"{version}: 100 x 75\n"


@pytest.mark.parametrize("version", ["0.99", "1.0"])
def test_cmake_refuses_other_versions(tmp_path, moved, version):
    need("cmake", "cc", "make")
    configured = configure(tmp_path, moved, version)
    assert configured.returncode != 0 and f'requested version "{version}"' in configured.stderr


def test_pkg_config(tmp_path, moved):
    need("pkg-config", "cc")
    (tmp_path / "try.c").write_text(textwrap.dedent(PROGRAM))
    environment = os.environ | {"PKG_CONFIG_PATH": str(moved / "lib/pkgconfig")}
    build = 'eval cc -std=c11 try.c -o try $(pkg-config --cflags --libs neuralcodec)'
    subprocess.run(["sh", "-c", build], cwd=tmp_path, env=environment, check=True)
    answer = subprocess.run([tmp_path / "try", SCENE], env=os.environ | {"LD_LIBRARY_PATH": str(moved / "lib")}, capture_output=True, text=True)
    assert answer.stdout.endswith(": 100 x 75\n")
