# SPDX-License-Identifier: Apache-2.0
"""What neuralcodec(1) promises of several pictures at once."""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from PIL import Image
from scenes import scene
from staged import COMMAND

TREE = ["one.png", "two.ppm", "inner/three.PNG", "inner/deep er/four.pgm"]


@pytest.fixture
def tree(command):
    """A folder `in` of pictures among other files."""
    for number, name in enumerate(TREE):
        path = command.path("in") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene(40 + number, 50, 1 if name.endswith("pgm") else 3, seed=number)).save(path)
    command.path("in/notes.txt").write_text("no picture")
    command.path("in/.hidden.png").write_bytes(command.path("in/one.png").read_bytes())
    return command


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def contents(folder):
    return {name: (folder / name).read_bytes() for name in files(folder)}


def stem(name):
    return name.rsplit(".", 1)[0]


def states(report):
    return {file["source"]: file["state"] for file in report["files"]}


# ---- What is written where


def test_folders_keep_their_structure_and_give_what_single_calls_give(tree):
    said = tree.run("encode", "in", "--output-dir", "out", "-q", "60").stdout.decode()
    assert re.fullmatch(r"4 encoded \(\d+ to \d+ bytes\), 1 other files passed over\n", said)
    assert files(tree.path("out")) == sorted(f"{stem(name)}.nic" for name in TREE)
    for name in TREE:
        tree.run("encode", f"in/{name}", "single.nic", "-q", "60")
        assert tree.path(f"out/{stem(name)}.nic").read_bytes() == tree.path("single.nic").read_bytes()
    tree.run("decode", "out", "--output-dir", "back")
    assert files(tree.path("back")) == sorted(f"{stem(name)}.png" for name in TREE)
    tree.run("decode", "out/one.nic", "single.png")
    assert tree.path("back/one.png").read_bytes() == tree.path("single.png").read_bytes()


def test_files_and_patterns(tree):
    tree.run("encode", "in/one.png", "./in//one.png", "in/inner/*.PNG", "in/inner/deep er", "--output-dir", "new/out")
    assert files(tree.path("new/out")) == ["four.nic", "one.nic", "three.nic"]
    assert "no file matches" in tree.fails("encode", "in/*.jpg", "--output-dir", "other")
    assert "no PNG, PPM, PGM or PAM pictures in new/out" in tree.fails("encode", "new/out", "--output-dir", "other")
    assert not tree.path("other").exists()


def test_transcode_writes_beside_the_sources_or_elsewhere(tree):
    tree.run("transcode", "in", "--to", "nic", "--quality", "40")
    assert {f"{stem(name)}.nic" for name in TREE} <= set(files(tree.path("in")))
    tree.run("transcode", "in", "--to", "ppm", "--output-dir", "back")
    assert files(tree.path("back")) == sorted(f"{stem(name)}.ppm" for name in TREE)
    assert tree.path("back/one.ppm").read_bytes().startswith(b"P6") and tree.path("back/inner/deep er/four.ppm").read_bytes().startswith(b"P5")
    assert "--to nic" in tree.fails("transcode", "in", "--to", "png", "--quality", "40", status=64)


def test_links(tree):
    tree.path("in/loop").symlink_to(".")
    tree.path("in/linked.png").symlink_to("one.png")
    tree.path("in/dangling.png").symlink_to("nowhere")
    os.mkfifo(tree.path("in/pipe.png"))
    report = tree.run_batch("encode", "in", status=1)
    assert sum(state == "done" for state in states(report).values()) == 5 and states(report)["in/dangling.png"] == "failed"
    assert "in/pipe.png" not in states(report) and report["passed_over"] == 3


# ---- Up to date


def test_what_is_newer_than_its_source_is_left_alone(tree):
    assert set(states(tree.run_batch("encode", "in")).values()) == {"done"}
    before = contents(tree.path("out"))
    tree.path("out/one.nic").write_bytes(b"newer")
    assert set(states(tree.run_batch("encode", "in")).values()) == {"up-to-date"}
    assert tree.path("out/one.nic").read_bytes() == b"newer"
    tree.path("out/two.nic").unlink()
    later = time.time_ns() + 10**9
    os.utime(tree.path("in/inner/three.PNG"), ns=(later, later))
    assert {source for source, state in states(tree.run_batch("encode", "in")).items() if state == "done"} == {"in/two.ppm", "in/inner/three.PNG"}
    assert set(states(tree.run_batch("encode", "in", "--force")).values()) == {"done"}
    assert contents(tree.path("out")) == before


# ---- Errors


@pytest.mark.parametrize(
    "paths",
    [
        ["in/a.png", "in/a.ppm"],
        ["in"],
        ["in/a.png", "in/inner/a.png"],
        ["in/a.png", "in/inner"],
    ],
)
def test_two_sources_of_one_output(command, paths):
    command.path("in/inner").mkdir(parents=True)
    for name in ("in/a.png", "in/a.ppm", "in/inner/a.png", "in/b.png"):
        command.write(name, scene(8, 8))
    message = command.fails("encode", *paths, "--output-dir", "out")
    assert "would both become out/a.nic" in message and "nothing was written" in message
    assert not command.path("out").exists()


def test_a_file_that_would_be_both_read_and_written(tree):
    tree.path("in/one.nic").write_bytes(b"x")
    assert "both read and written" in tree.fails("encode", "in/one.png", "in/one.nic", "--output-dir", "./in/inner/..")


def test_bad_files_among_good_ones(tree):
    good = tree.path("in/one.png").read_bytes()
    tree.path("in/cut.png").write_bytes(good[: len(good) // 2])
    tree.path("in/empty.png").write_bytes(b"")
    tree.path("in/jpeg.png").write_bytes(b"\xff\xd8\xff\xe0")
    tree.path("out").mkdir()
    tree.path("out/cut.nic").write_bytes(b"precious")
    os.utime(tree.path("out/cut.nic"), (0, 0))
    process = tree.batch("encode", "in", "--output-dir", "out", status=1)
    *messages, last = process.stderr.decode().splitlines()
    assert [re.match(r"neuralcodec: (in/\w+\.png)", message)[1] for message in messages] == ["in/cut.png", "in/empty.png", "in/jpeg.png"]
    assert last == "neuralcodec: 3 failed, 4 encoded"
    assert files(tree.path("out")) == sorted([f"{stem(name)}.nic" for name in TREE] + ["cut.nic"])
    assert tree.path("out/cut.nic").read_bytes() == b"precious"
    report = tree.run_batch("encode", "in", status=1)
    assert report["failed"] == 3 and report["up_to_date"] == 4
    assert all((file["error"] is not None) == (file["state"] == "failed") for file in report["files"])


def test_an_output_folder_that_cannot_be(tree):
    tree.path("blocked").write_text("a file")
    assert "cannot make the folder blocked/" in tree.batch("encode", "in", "--output-dir", "blocked", status=1).stderr.decode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_unreadable_folders(tree):
    tree.path("in/inner").chmod(0)
    report = tree.run_batch("encode", "in", status=1)
    tree.path("in/inner").chmod(0o755)
    assert len(report["unreadable"]) == 1 and report["done"] == 2 and report["failed"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode", "in.png", "out.nic", "--force"],
        ["encode", "in.png", "out.nic", "-j", "2"],
        ["decode", "in.nic", "out.png", "--json"],
        ["encode", "in.png", "b.png", "c.png"],
        ["encode", "-", "--output-dir", "out"],
        ["encode", "in.png", "--output-dir", "out", "-j", "-1"],
        ["encode", "in.png", "--output-dir", "out", "-j", "1025"],
        ["encode", "--output-dir", "out"],
        ["transcode", "in.png"],
        ["transcode", "in.png", "--to", "jpg"],
        ["transcode", "-", "--to", "nic"],
        ["transcode", "--to", "nic"],
    ],
)
def test_wrong_usage(command, arguments):
    command.write("in.png", scene(8, 8))
    command.fails(*arguments, status=64)
    assert command.names() == ["in.png"]


# ---- Jobs and report


@pytest.fixture
def many(command):
    """A folder `in` of 24 pictures."""
    command.path("in").mkdir()
    for number in range(24):
        command.write(f"in/{number:02}.png", scene(60 + number, 90, seed=number))
    return command


def test_jobs_do_not_change_anything(many):
    for jobs in ("1", "2", "7", "0"):
        many.run("encode", "in", "--output-dir", jobs, f"-j{jobs}", "--target-psnr", "32")
        assert contents(many.path(jobs)) == contents(many.path("1"))
        many.run("decode", jobs, "--output-dir", f"back{jobs}", "--jobs", jobs)
        assert contents(many.path(f"back{jobs}")) == contents(many.path("back1"))
    assert len(files(many.path("1"))) == 24


def test_report(many):
    many.path("in/07.png").write_bytes(b"nothing")
    report = many.run_batch("encode", "in", "--target-size", "1500", "-j", "3", status=1)
    assert [file["source"] for file in report["files"]] == [f"in/{number:02}.png" for number in range(24)]
    assert (report["done"], report["failed"], report["up_to_date"], report["not_done"], report["unreadable"]) == (23, 1, 0, 0, [])
    for file in report["files"]:
        number = int(file["source"][3:5])
        if number == 7:
            assert file["state"] == "failed" and "in/07.png" in file["error"] and file["size"] is None
            continue
        assert file["state"] == "done" and file["error"] is None and file["warnings"] == []
        assert (file["width"], file["height"]) == (90, 60 + number) and 0 <= file["quality"] <= 100 and file["psnr"] is None
        assert file["size"] == many.path(file["output"]).stat().st_size <= 1500
        assert file["bits_per_pixel"] == pytest.approx(8 * file["size"] / (90 * (60 + number)))
    assert report["output_bytes"] == sum(file["size"] or 0 for file in report["files"])
    assert report["source_bytes"] == sum(many.path(file["source"]).stat().st_size for file in report["files"] if file["state"] == "done")


def test_failures_name_the_file(many):
    many.path("in/07.png").write_bytes(b"nothing")
    report = many.run_batch("encode", "in", "--target-psnr", "140", status=1)
    assert report["failed"] == 24 and all(file["source"] in file["error"] for file in report["files"])


def test_verbose(many):
    lines = many.run("encode", "in", "--output-dir", "out", "-v").stderr.decode().splitlines()
    assert sorted(re.match(r"neuralcodec: out/(\d\d).nic: \d+ bytes", line)[1] for line in lines) == [f"{number:02}" for number in range(24)]


# ---- Nothing broken is left behind


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_batch(command, number):
    """The signal comes when the bar has shown that work is under way; the next run does the rest."""
    pixels = np.tile(scene(512, 512), (2, 2, 1))
    command.path("in").mkdir()
    command.write("in/00.ppm", pixels)
    for copy in range(1, 40):
        os.link(command.path("in/00.ppm"), command.path(f"in/{copy:02}.ppm"))
    arguments = ["encode", "in", "--output-dir", "out", "-j", "2", "--threads", "1", "--target-psnr", "33"]
    terminal, inner = pty.openpty()
    process = subprocess.Popen([COMMAND, *arguments, "--json"], stdout=subprocess.PIPE, stderr=inner, cwd=command.folder)
    os.close(inner)
    shown = b""
    while not re.search(rb"encoding \[#*\.+\] \d+% \([1-9]\d* of 40\)", shown):
        shown += os.read(terminal, 1000)
    process.send_signal(number)
    report = json.loads(process.communicate(timeout=60)[0])
    os.close(terminal)
    assert process.returncode == 128 + number
    assert report["done"] + report["not_done"] == 40 and report["not_done"] > 0 and report["failed"] == 0
    done = [file["output"] for file in report["files"] if file["state"] == "done"]
    assert files(command.path("out")) == sorted(name.removeprefix("out/") for name in done)
    command.run("encode", "in/00.ppm", "single.nic", "--target-psnr", "33")
    assert all(command.path(name).read_bytes() == command.path("single.nic").read_bytes() for name in done)

    for copy in range(len(done) + 2, 40):  # two are enough to see that the rest is done
        command.path(f"in/{copy:02}.ppm").unlink()
    again = command.run_batch("encode", "in", "--target-psnr", "33")
    assert again["up_to_date"] >= len(done) - 2 and again["done"] > 0 and again["failed"] == 0


def test_full_disk(command):
    """A file system of 64 KiB, of which nobody else knows."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", command.folder], capture_output=True).returncode != 0:
        pytest.skip("mounting is not possible here")
    command.path("in").mkdir()
    command.path("out").mkdir()
    for number in range(6):
        command.write(f"in/{number}.png", scene(100, 100, seed=number))
    command.run("encode", "in", "--output-dir", "files")
    script = 'mount -t tmpfs -o size=64k tmpfs out && "$@"; status=$?; cp -r out kept; exit $status'
    decode = [COMMAND, "decode", "files", "--output-dir", "out", "--format", "ppm", "--json"]
    process = subprocess.run(["unshare", "-rm", "sh", "-c", script, "sh", *decode], capture_output=True, cwd=command.folder)
    report = json.loads(process.stdout)
    assert process.returncode == 1 and report["failed"] > 0 and report["done"] > 0 and report["failed"] + report["done"] == 6
    assert all("No space left on device" in file["error"] for file in report["files"] if file["state"] == "failed")
    kept = files(command.path("kept"))
    assert kept == sorted(file["output"].removeprefix("out/") for file in report["files"] if file["state"] == "done")
    command.run("decode", "files", "--output-dir", "good", "--format", "ppm")
    assert all(command.path(f"kept/{name}").read_bytes() == command.path(f"good/{name}").read_bytes() for name in kept)
