# SPDX-License-Identifier: Apache-2.0
"""The neuralcodec package against the real library."""

import doctest
import gc
import inspect
import io
import itertools
import multiprocessing
import pickle
import random
import re
import resource
import signal
import struct
import sys
import threading
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor

import helpers
import neuralcodec
import numpy as np
import pytest
from helpers import crc32c, join, picture, psnr, read_head, split, with_head


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    return picture(52, 75)


@pytest.fixture(scope="module")
def file(rgb) -> bytes:
    """A small file with neural coding."""
    data = neuralcodec.encode(rgb, 60)
    assert not neuralcodec.read_info(data).stored
    return data


@pytest.fixture(scope="module")
def pixels(file) -> np.ndarray:
    return neuralcodec.decode(file)


# ---- Round trips ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 65), (65, 1), (15, 17), (64, 64), (70, 130)])
def test_round_trip(size, channels):
    source = picture(*size, channels)
    decoded = neuralcodec.decode(neuralcodec.encode(source))
    assert decoded.dtype == np.uint8 and decoded.shape == (*size, channels or 1)
    assert decoded.flags.writeable and decoded.flags.c_contiguous
    assert psnr(decoded, source.reshape(decoded.shape)) > 22


def test_quality_trades_size_for_fidelity(rgb):
    files = [neuralcodec.encode(rgb, quality) for quality in (5, 40, 75, 97)]
    fidelity = [psnr(neuralcodec.decode(f), rgb) for f in files]
    assert [len(f) for f in files] == sorted(len(f) for f in files) and len(files[0]) < 0.7 * len(files[-1])
    assert fidelity[-1] > fidelity[0] + 2


def test_default_quality_is_75(rgb, file):
    assert neuralcodec.encode(rgb) == neuralcodec.encode(rgb, 75) == neuralcodec.encode(rgb, quality=75.0) != file


@pytest.mark.parametrize("quality", [0, 100, 33.3])
def test_extreme_qualities(rgb, quality):
    assert neuralcodec.decode(neuralcodec.encode(rgb, quality)).shape == rgb.shape


@pytest.mark.parametrize("value", [0, 255, 128])
def test_flat_pictures(value):
    source = np.full((40, 33, 3), value, np.uint8)
    assert abs(neuralcodec.decode(neuralcodec.encode(source, 90)).astype(int) - value).max() <= 24


def test_noise_is_no_larger_than_its_pixels():
    noise = np.random.default_rng(5).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    data = neuralcodec.encode(noise, 100)
    assert neuralcodec.decode(data).shape == noise.shape and len(data) <= noise.size + 72


def test_memory_layouts(rgb):
    expected = neuralcodec.encode(rgb, 60)
    wide = np.zeros((52, 100, 3), np.uint8)
    wide[:, 10:85] = rgb
    views = {
        "part of a larger array": wide[:, 10:85],
        "transposed": rgb.transpose(1, 0, 2).copy().transpose(1, 0, 2),
        "upside down": rgb[::-1].copy()[::-1],
        "mirrored": rgb[:, ::-1].copy()[:, ::-1],
        "channels reversed": rgb[:, :, ::-1].copy()[:, :, ::-1],
        "Fortran order": np.asfortranarray(rgb),
        "every second row": np.repeat(rgb, 2, axis=0)[::2],
        "memoryview": memoryview(rgb),
        "memoryview of bytes": memoryview(rgb.tobytes()).cast("B", rgb.shape),
    }
    for name, view in views.items():
        assert neuralcodec.encode(view, 60) == expected, name
    repeated = np.broadcast_to(rgb[:1], rgb.shape)
    assert neuralcodec.encode(repeated, 60) == neuralcodec.encode(repeated.copy(), 60)
    read_only = rgb.copy()
    read_only.flags.writeable = False
    assert neuralcodec.encode(read_only, 60) == expected


def test_gray_with_and_without_channel_axis():
    gray = picture(20, 30, None)
    assert neuralcodec.encode(gray) == neuralcodec.encode(gray[:, :, None]) == neuralcodec.encode(np.asfortranarray(gray))


def test_pillow(rgb):
    image = pytest.importorskip("PIL.Image")
    assert neuralcodec.encode(image.fromarray(rgb)) == neuralcodec.encode(rgb)
    assert neuralcodec.encode(image.fromarray(rgb[:, :, 0].copy())) == neuralcodec.encode(rgb[:, :, 0])
    for mode, channels in {"RGBA": 4, "LA": 2, "I;16": 1, "I;16B": 1}.items():
        info = neuralcodec.read_info(neuralcodec.encode(image.new(mode, (8, 8), 77)))
        assert (info.channels, info.bit_depth) == (channels, 16 if ";" in mode else 8)
    for mode in ("P", "PA", "RGBa", "CMYK", "YCbCr", "1", "I", "F"):
        with pytest.raises(neuralcodec.UnsupportedError, match=mode):
            neuralcodec.encode(image.new(mode, (8, 8)))


# ---- Determinism, threads, processes -------------------------------------------------------------------------------------------------------


def test_thread_count_changes_nothing():
    source = picture(200, 150)
    files = [neuralcodec.encode(source, 60, threads=n) for n in (1, 2, 3, 0)]
    assert len(set(files)) == 1
    decoded = [neuralcodec.decode(files[0], threads=n).tobytes() for n in (1, 2, 3, 0)]
    assert len(set(decoded)) == 1


def test_many_python_threads():
    sources = [picture(60 + 7 * i, 90 - 5 * i, seed=i) for i in range(6)]
    files = [neuralcodec.encode(s) for s in sources]
    decoded = [neuralcodec.decode(f).tobytes() for f in files]
    model = neuralcodec.Model()
    with ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            assert list(pool.map(lambda s: neuralcodec.encode(s, model=model, threads=2), sources)) == files
            assert list(pool.map(lambda f: neuralcodec.decode(f, progress=lambda _: True).tobytes(), files)) == decoded


def test_forked_children(rgb, file, pixels):
    # The parent has encoded with worker threads before it forks.
    parent = neuralcodec.encode(rgb, 60, threads=2)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        children = [pool.apply_async(neuralcodec.encode, (rgb, 60), {"threads": n}) for n in (1, 2, 0)]
        decoded = pool.apply_async(neuralcodec.decode, (file,), {"threads": 2})
        assert all(child.get(timeout=60) == parent for child in children)
        assert np.array_equal(decoded.get(timeout=60), pixels)


# ---- Rate targets --------------------------------------------------------------------------------------------------------------------------


def test_target_size_is_never_exceeded_and_is_used(rgb):
    smallest, largest = (len(neuralcodec.encode(rgb, quality)) for quality in (0, 100))
    for target in range(smallest, largest, max(1, (largest - smallest) // 12)):
        data = neuralcodec.encode(rgb, target_size=target)
        assert len(data) <= target
        assert len(data) >= 0.8 * target or target < 1.3 * smallest


def test_target_psnr_is_reached(rgb):
    reachable = psnr(neuralcodec.decode(neuralcodec.encode(rgb, 80)), rgb)
    sizes = []
    for target in (reachable - 4, reachable - 1.5):
        data = neuralcodec.encode(rgb, target_psnr=target)
        sizes.append(len(data))
        assert target <= psnr(neuralcodec.decode(data), rgb) < target + 1
    assert sizes[0] < sizes[1]


def test_unreachable_size_says_what_can_be_had(rgb):
    with pytest.raises(neuralcodec.TargetUnreachableError) as caught:
        neuralcodec.encode(rgb, target_size=60)
    error = caught.value
    assert error.nearest_size > 60 and str(error.nearest_size) in str(error) and error.nearest_quality >= 0 and error.nearest_psnr is None
    assert len(neuralcodec.encode(rgb, target_size=error.nearest_size)) <= error.nearest_size
    copy = pickle.loads(pickle.dumps(error))
    assert copy.nearest_size == error.nearest_size and str(copy) == str(error)


@pytest.mark.parametrize(
    "targets", [{"quality": 50, "target_size": 999}, {"quality": 50, "target_psnr": 30}, {"target_size": 999, "target_psnr": 30}], ids=str
)
def test_two_targets(rgb, targets):
    with pytest.raises(ValueError, match="target|quality"):
        neuralcodec.encode(rgb, **targets)


# ---- Progress and cancelling ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [{}, {"target_size": 2500}, {"target_psnr": 24}])
def test_progress_rises_to_one(rgb, file, targets):
    for call in (lambda p: neuralcodec.encode(rgb, progress=p, **targets), lambda p: neuralcodec.decode(file, progress=p)):
        seen, threads = [], set()
        call(lambda fraction: (seen.append(fraction), threads.add(threading.get_ident()))[0])
        assert len(seen) >= 2 and seen == sorted(seen) and 0 <= seen[0] and seen[-1] == 1
        assert threads == {threading.get_ident()}


@pytest.mark.parametrize("after", [0, 0.3])
def test_returning_false_cancels(rgb, file, after):
    for call in (lambda p: neuralcodec.encode(rgb, progress=p), lambda p: neuralcodec.decode(file, progress=p)):
        calls = []
        with pytest.raises(neuralcodec.CancelledError):
            call(lambda fraction: calls.append(fraction) or fraction < after)
        assert [fraction for fraction in calls if fraction >= after] == calls[-1:], "called again after it had cancelled"


def test_exception_in_progress_ends_the_call(rgb, file, pixels):
    class Stop(Exception):
        pass

    def stop(fraction):
        raise Stop(fraction)

    for call in (neuralcodec.encode, rgb), (neuralcodec.decode, file):
        with pytest.raises(Stop):
            call[0](call[1], progress=stop)
    with pytest.raises(Stop):
        neuralcodec.decode(file, out=np.empty_like(pixels), progress=stop)
    assert np.array_equal(neuralcodec.decode(file), pixels)
    with pytest.raises(TypeError, match="callable"):
        neuralcodec.encode(rgb, progress=5)


def test_progress_may_call_the_library(rgb, file, pixels):
    nested = []
    assert neuralcodec.encode(rgb, 60, progress=lambda _: nested.append(np.array_equal(neuralcodec.decode(file), pixels))) == file
    assert nested and all(nested)


def test_keyboard_interrupt_ends_a_long_call():
    source = picture(512, 512)
    start = time.perf_counter()
    neuralcodec.encode(source, threads=1)
    whole = time.perf_counter() - start

    def interrupt(number, frame):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        start = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, whole / 10)
            neuralcodec.encode(source, threads=1)
        assert time.perf_counter() - start < 0.7 * whole
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


# ---- Decoding into a buffer ----------------------------------------------------------------------------------------------------------------


def test_out(file, pixels):
    out = np.empty_like(pixels)
    assert neuralcodec.decode(file, out=out) is out and np.array_equal(out, pixels)
    canvas = np.full((60, 90, 3), 7, np.uint8)
    neuralcodec.decode(file, out=canvas[4:56, 9:84])
    assert np.array_equal(canvas[4:56, 9:84], pixels)
    canvas[4:56, 9:84] = 7
    assert (canvas == 7).all()
    flat = bytearray(pixels.size)
    neuralcodec.decode(file, out=memoryview(flat).cast("B", pixels.shape))
    assert flat == pixels.tobytes()
    gray = neuralcodec.encode(picture(9, 8, None))
    assert np.array_equal(neuralcodec.decode(gray, out=np.empty((9, 8), np.uint8)), neuralcodec.decode(gray)[:, :, 0])


def test_wrong_out(file, pixels):
    height, width, _ = pixels.shape
    for shape in ((height, width), (height, width, 1), (width, height, 3), (height + 1, width, 3), (height - 1, width, 3), (pixels.size,)):
        with pytest.raises(ValueError, match="out"):
            neuralcodec.decode(file, out=np.empty(shape, np.uint8))
    read_only = np.empty_like(pixels)
    read_only.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        neuralcodec.decode(file, out=read_only)
    for view in (np.empty((height, width * 2, 3), np.uint8)[:, ::2], np.empty((height, width, 3), np.uint8)[::-1]):
        with pytest.raises(ValueError, match="rows"):
            neuralcodec.decode(file, out=view)
    with pytest.raises(TypeError, match="out"):
        neuralcodec.decode(file, out=np.empty(pixels.shape, np.int16))


# ---- Errors by class -----------------------------------------------------------------------------------------------------------------------


def test_hierarchy():
    names = "BadStream ModelNotFound BadModel Limit Cancelled Unsupported TargetUnreachable DecoderMismatch"
    for name in names.split():
        error = getattr(neuralcodec, name + "Error")
        assert issubclass(error, neuralcodec.Error) and error.__module__ == "neuralcodec" and error.__doc__
    assert issubclass(neuralcodec.Error, Exception)


@pytest.mark.parametrize(
    ("image", "error", "match"),
    [
        (np.zeros((4, 5, 3), np.uint32), TypeError, "uint32"),
        (np.zeros((4, 5, 3), np.int16), TypeError, "int16"),
        (np.zeros((4, 5, 3), np.float16), TypeError, "float16"),
        (np.zeros((4, 5, 3), np.float32), TypeError, "float32"),
        (np.zeros((4, 5, 3), np.int8), TypeError, "int8"),
        (np.zeros((4, 5, 3), bool), TypeError, "bool"),
        ([[1, 2], [3, 4]], TypeError, "int64"),
        (b"bytes", TypeError, "uint8"),
        (None, TypeError, "object"),
        (np.zeros(7, np.uint8), ValueError, r"\(7,\)"),
        (np.zeros((4, 5, 3, 1), np.uint8), ValueError, r"\(4, 5, 3, 1\)"),
        (np.zeros((4, 5, 5), np.uint8), ValueError, r"\(4, 5, 5\)"),
        (np.zeros((0, 5, 3), np.uint8), ValueError, r"\(0, 5, 3\)"),
        (np.zeros((5, 0), np.uint8), ValueError, r"\(5, 0, 1\)"),
    ],
)
def test_wrong_images(image, error, match):
    with pytest.raises(error, match=match):
        neuralcodec.encode(image)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *itertools.product(["quality"], [-1, 100.01, float("nan"), float("inf")]),
        *itertools.product(["target_size"], [0, -5, 2**70]),
        *itertools.product(["target_psnr"], [0, -3.0, float("nan")]),
        *itertools.product(["threads"], [-1, 1025, 2**40]),
        *itertools.product(["max_pixels", "max_memory"], [-1, 2**64]),
    ],
)
def test_values_out_of_range(rgb, name, value):
    with pytest.raises(ValueError, match=name):
        neuralcodec.encode(rgb, **{name: value})


@pytest.mark.parametrize("name", ["quality", "target_size", "target_psnr", "threads", "max_pixels", "max_memory", "model", "progress"])
def test_values_of_the_wrong_type(rgb, file, name):
    with pytest.raises(TypeError):
        neuralcodec.encode(rgb, **{name: "nonsense"})
    if name not in ("quality", "target_size", "target_psnr"):
        with pytest.raises(TypeError):
            neuralcodec.decode(file, **{name: "nonsense"})


def test_limits(rgb, file):
    count = rgb.shape[0] * rgb.shape[1]
    for call in (lambda **limits: neuralcodec.encode(rgb, 60, **limits), lambda **limits: neuralcodec.decode(file, **limits)):
        with pytest.raises(neuralcodec.LimitError, match=str(count)):
            call(max_pixels=count - 1)
        call(max_pixels=count)
        call(max_pixels=0, max_memory=0)
        with pytest.raises(neuralcodec.LimitError) as caught:
            call(max_memory=1000)
        needed = max(int(number) for number in re.findall(r"\d+", str(caught.value)))
        call(max_memory=needed)
        with pytest.raises(neuralcodec.LimitError):
            call(max_memory=needed - 1)


# ---- Damaged and hostile files -------------------------------------------------------------------------------------------------------------


def test_truncated_everywhere(file):
    for length in sorted({*range(0, len(file), 97), *range(0, 120), len(file) - 1}):
        with pytest.raises(neuralcodec.BadStreamError):
            neuralcodec.decode(file[:length])
    with pytest.raises(neuralcodec.BadStreamError):
        neuralcodec.decode(file + b"\0")


def test_single_bit_flips(file):
    rng = random.Random(3)
    for bit in {*range(0, 18 * 8), *rng.sample(range(len(file) * 8), 200)}:
        damaged = bytearray(file)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(neuralcodec.Error):
            neuralcodec.decode(damaged)


def test_damage_with_right_checksums(file):
    """What a checksum cannot catch: the entropy coder's end state or the symbols' checksum must."""
    versions, chunks = split(file)
    tile = [kind for kind, _ in chunks].index(b"TILE")
    rng = random.Random(4)
    for _ in range(60):
        payload = bytearray(chunks[tile][1])
        payload[rng.randrange(len(payload))] ^= 1 << rng.randrange(8)
        with pytest.raises((neuralcodec.BadStreamError, neuralcodec.DecoderMismatchError)):
            neuralcodec.decode(join(versions, chunks[:tile] + [(b"TILE", bytes(payload))] + chunks[tile + 1 :]))
    for payload in (b"", b"\0", bytes(4000), b"\xff" * 4000, chunks[tile][1][:-4], chunks[tile][1] + b"\0\0\0\0"):
        with pytest.raises((neuralcodec.BadStreamError, neuralcodec.DecoderMismatchError)):
            neuralcodec.decode(join(versions, chunks[:tile] + [(b"TILE", payload)] + chunks[tile + 1 :]))


def test_header_is_as_documented(file, rgb):
    head, info, model = read_head(file), neuralcodec.read_info(file), neuralcodec.Model()
    assert (head["height"], head["width"], head["channels"], head["depth"], head["coding"]) == (*rgb.shape, 8, 0)
    assert head["rate"] == info.rate_parameter and (head["tile_columns"], head["tile_rows"]) == (1, 1)
    assert head["model_id"].rstrip(b"\0").decode() == model.id and head["model_hash"].hex() == model.hash[:16]
    _, chunks = split(file)
    assert [kind for kind, _ in chunks] == [b"HEAD", b"TILE"] and len(file) - len(chunks[1][1]) <= 72
    assert with_head(file) == file and crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 0}, {"height": 0}, {"width": 2**32 - 1, "height": 2**32 - 1}, {"width": 2**31}, {"width": 11},
        {"channels": 0}, {"channels": 2}, {"channels": 4}, {"channels": 5}, {"channels": 255}, {"depth": 0}, {"depth": 10}, {"depth": 15},
        {"coding": 1}, {"coding": 2}, {"coding": 255}, {"rate": 0}, {"rate": 65535}, {"tile_columns": 0}, {"tile_rows": 0}, {"tile_columns": 2},
        {"tile_rows": 65535}, {"tile_columns": 65535, "tile_rows": 65535}, {"model_id": b"\xff" * 8},
        {"model_id": b"../../..", "model_hash": bytes(8)}, {"model_hash": b"\xff" * 8}, {"symbols_crc": 1},
    ],
    ids=str,
)  # fmt: skip
def test_hostile_headers(file, changes):
    if all(read_head(file)[name] == value for name, value in changes.items()):
        pytest.skip("the file says so already")
    hostile = with_head(file, **changes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(neuralcodec.Error):
        neuralcodec.decode(hostile)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 500_000


def test_absurd_size_stays_within_limits(file):
    hostile = with_head(file, width=2**32 - 1, height=2**32 - 1)
    with pytest.raises(neuralcodec.LimitError):
        neuralcodec.decode(hostile)
    for data in (hostile, with_head(file, width=2**32 - 1, height=1), with_head(file, width=2**31, height=2**31)):
        with pytest.raises((neuralcodec.Error, MemoryError)):
            neuralcodec.decode(data, max_pixels=0, max_memory=2**30)


def test_other_kinds_of_files(file):
    versions, chunks = split(file)
    head, tile = chunks
    for kind in (io.BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(200)).getvalue(), b"", b"\0" * 1000, file[1:], file.replace(b"\r\n", b"\n", 1)):
        with pytest.raises(neuralcodec.BadStreamError):
            neuralcodec.decode(kind)
        with pytest.raises(neuralcodec.BadStreamError):
            neuralcodec.read_info(kind)
    for newer in (bytes([versions[0] + 1, versions[1]]), bytes([versions[0], versions[1] + 1])):
        with pytest.raises(neuralcodec.UnsupportedError, match="version"):
            neuralcodec.decode(join(newer, chunks))
    unknown = (b"TEST", b"critical")
    twice = [[head, head, tile], [head, tile, tile], [head, tile, head]]
    for order in ([], [head], [tile], [tile, head], [head, tile, unknown], [head, unknown, tile], *twice):
        with pytest.raises((neuralcodec.BadStreamError, neuralcodec.UnsupportedError)):
            neuralcodec.decode(join(versions, order))
    ancillary = (b"teST", b"whatever")
    for order in ([head, ancillary, tile], [head, tile, ancillary, ancillary]):
        assert np.array_equal(neuralcodec.decode(join(versions, order)), neuralcodec.decode(file))
    for length in (0, 1, 2**31, 2**32 - 1):
        body = helpers.SIGNATURE + versions + helpers.chunk(*head) + helpers.chunk(*tile, length=length)
        with pytest.raises(neuralcodec.BadStreamError):
            neuralcodec.decode(body)
    for size in (len(head[1]) - 1, len(head[1]) + 1, 0):
        with pytest.raises(neuralcodec.Error):
            neuralcodec.decode(join(versions, [(b"HEAD", (head[1] + b"\0")[:size]), tile]))


def test_data_may_be_any_buffer(file, pixels):
    for data in (bytearray(file), memoryview(file), np.frombuffer(file, np.uint8)):
        assert np.array_equal(neuralcodec.decode(data), pixels)
        assert neuralcodec.read_info(data) == neuralcodec.read_info(file)
    for wrong in ("text", None, 5):
        with pytest.raises(TypeError):
            neuralcodec.decode(wrong)
        with pytest.raises(TypeError):
            neuralcodec.read_info(wrong)


# ---- Info and models -----------------------------------------------------------------------------------------------------------------------


def test_info(file, rgb):
    info = neuralcodec.read_info(file)
    assert (info.height, info.width, info.channels, info.bit_depth, info.stored) == (*rgb.shape, 8, False)
    assert info.model_id == neuralcodec.Model().id and info.model_hash == neuralcodec.Model().hash[:16]
    assert info.format_version == file[8] and info.arithmetic_version == file[9]
    assert 0 < info.payload_size < len(file) and 0 <= info.rate_parameter <= 65535
    with pytest.raises(AttributeError):
        info.width = 5
    rates = [neuralcodec.read_info(neuralcodec.encode(rgb, quality)).rate_parameter for quality in (0, 50, 100)]
    assert rates in (sorted(rates), sorted(rates, reverse=True)) and len(set(rates)) == 3


def test_stored_pictures_are_lossless():
    dot = np.array([[[1, 2, 3]]], np.uint8)
    data = neuralcodec.encode(dot)
    info = neuralcodec.read_info(data)
    if info.stored:
        assert np.array_equal(neuralcodec.decode(data), dot) and info.model_id == info.model_hash == ""
    assert len(data) <= 100


def test_model_handle_stays_alive_while_used(rgb):
    expected = neuralcodec.encode(rgb)
    assert neuralcodec.encode(rgb, model=neuralcodec.Model()) == expected
    holder = [neuralcodec.Model()]

    def drop(fraction):
        holder.clear()
        gc.collect()

    assert neuralcodec.encode(rgb, model=holder[0], progress=drop) == expected and not holder


def test_model_properties():
    model = neuralcodec.Model("default")
    assert 0 < len(model.id) <= 8 and model.architecture and isinstance(model.description, str)
    assert re.fullmatch("[0-9a-f]{64}", model.hash) and model.parameters > 0 and isinstance(model.variable_rate, bool)
    assert model.id in repr(model)
    with pytest.raises(AttributeError):
        model.id = "x"
    with pytest.raises(TypeError):
        type("Derived", (neuralcodec.Model,), {})


def test_models_that_are_not_there(tmp_path, monkeypatch):
    for name in ("nobody", str(tmp_path / "nobody.safetensors"), tmp_path / "nobody.safetensors"):
        with pytest.raises(neuralcodec.ModelNotFoundError, match="nobody"):
            neuralcodec.Model(name)
    monkeypatch.setenv("NEURALCODEC_MODEL_PATH", str(tmp_path))
    (tmp_path / "broken.safetensors").write_bytes(b"not safetensors")
    for name in ("broken", tmp_path / "broken.safetensors"):
        with pytest.raises(neuralcodec.BadModelError):
            neuralcodec.Model(name)
    header = b'{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
    lengths = (2**64 - 1, 2**63, 2**40, 3, 0)
    for data in (b"", b"short", struct.pack("<Q", len(header)) + header + bytes(16), *(struct.pack("<Q", length) + b"{}" for length in lengths)):
        with pytest.raises(neuralcodec.BadModelError):
            neuralcodec.Model.from_bytes(data)
    with pytest.raises(ValueError):
        neuralcodec.Model("null\0character")


@pytest.fixture(scope="module")
def tiny(repository) -> bytes:
    """The file of the tests' own model: small, with random weights, and never changing."""
    return (repository / "Tests" / "goldens" / "tiny.safetensors").read_bytes()


def test_wrong_model(tiny, file, rgb, pixels):
    default, other = neuralcodec.Model(), neuralcodec.Model.from_bytes(tiny)
    assert other.hash != default.hash
    with pytest.raises(neuralcodec.ModelNotFoundError, match=default.id):
        neuralcodec.decode(file, model=other)
    foreign = neuralcodec.encode(rgb, model=other)
    assert neuralcodec.read_info(foreign).model_id == other.id == "tiny"
    assert neuralcodec.decode(foreign, model=other).shape == rgb.shape
    with pytest.raises(neuralcodec.ModelNotFoundError, match="tiny"):
        neuralcodec.decode(foreign, model=default)
    assert np.array_equal(neuralcodec.decode(file, model=default), pixels)


def test_model_from_bytes_by_path_and_by_id(repository, tiny, rgb, tmp_path, monkeypatch):
    path = repository / "Tests" / "goldens" / "tiny.safetensors"
    models = [neuralcodec.Model.from_bytes(bytearray(tiny)), neuralcodec.Model(path), neuralcodec.Model(str(path)), neuralcodec.Model(bytes(path))]
    monkeypatch.setenv("NEURALCODEC_MODEL_PATH", f"{tmp_path}:{path.parent}")
    models.append(neuralcodec.Model("tiny"))
    assert {(model.hash, model.id, model.architecture, model.parameters) for model in models} == {
        (models[0].hash, "tiny", "patch-checkerboard", models[0].parameters)
    }
    files = [neuralcodec.encode(rgb, model=model) for model in models]
    assert len(set(files)) == 1
    assert neuralcodec.decode(files[0]).shape == rgb.shape  # the model is found by the name in the file
    monkeypatch.delenv("NEURALCODEC_MODEL_PATH")
    with pytest.raises(neuralcodec.ModelNotFoundError, match="tiny"):
        neuralcodec.decode(files[0])


def test_damaged_models(tiny):
    for length in sorted({*range(0, 64, 7), *range(0, len(tiny), len(tiny) // 40), len(tiny) - 1}):
        with pytest.raises(neuralcodec.BadModelError):
            neuralcodec.Model.from_bytes(tiny[:length])
    (header_length,) = struct.unpack_from("<Q", tiny)
    rng = random.Random(6)
    for _ in range(300):  # a damaged header is refused, or harmless; it never crashes
        damaged = bytearray(tiny)
        damaged[rng.randrange(8 + header_length)] = rng.randrange(256)
        try:
            neuralcodec.Model.from_bytes(damaged)
        except neuralcodec.BadModelError:
            pass
    whole = neuralcodec.Model.from_bytes(tiny).hash
    for _ in range(60):  # damaged weights or tables are another model, if they are one
        damaged = bytearray(tiny)
        damaged[rng.randrange(8 + header_length, len(tiny))] ^= 1 << rng.randrange(8)
        try:
            assert neuralcodec.Model.from_bytes(damaged).hash != whole
        except neuralcodec.BadModelError:
            pass


# ---- The package itself --------------------------------------------------------------------------------------------------------------------


def test_version_is_one_number(repository):
    header = (repository / "include" / "neuralcodec.h").read_text()
    numbers = ".".join(re.search(rf"NC_VERSION_{part}\s+(\d+)", header).group(1) for part in ("MAJOR", "MINOR", "PATCH"))
    project = tomllib.loads((repository / "bindings" / "python" / "pyproject.toml").read_text())["project"]
    assert neuralcodec.__version__ == numbers == project["version"]


def test_stub_matches_the_extension(repository):
    stub = (repository / "bindings" / "python" / "neuralcodec" / "_native.pyi").read_text()
    declared = set(re.findall(r"^(?:class|def) ([A-Za-z]\w*)", stub, re.M))
    assert declared == {name for name in dir(neuralcodec._native) if not name.startswith("_")}
    properties = set(re.findall(r"@property\n    def (\w+)", stub))
    assert properties == {name for name, value in vars(neuralcodec.Model).items() if inspect.isgetsetdescriptor(value)}


def test_cpu_info():
    assert re.fullmatch(r"(avx512|avx2|neon|portable), \d+ cores?", neuralcodec.cpu_info())


def test_nothing_leaks(rgb, file):
    model, out = neuralcodec.Model(), np.empty_like(rgb)

    def work():
        neuralcodec.encode(rgb[:16, :16], model=model, progress=None)
        neuralcodec.decode(file, out=out)
        neuralcodec.read_info(file)
        other = neuralcodec.encode(np.dstack([rgb, rgb[:, :, :1]])[:16, :16].astype(np.uint16), icc=b"profile", xmp=bytearray(b"packet"), alpha="lossless")
        neuralcodec.decode(other)
        neuralcodec.read_metadata(other)
        for call in (
            lambda: neuralcodec.encode(rgb[:16, :16], target_size=1),
            lambda: neuralcodec.encode(rgb[:16, :16], model=model, progress=lambda _: False),
            lambda: neuralcodec.encode(rgb[:16, :16], model=model, progress=lambda _: 1 / 0),
            lambda: neuralcodec.decode(file[:50], model=model, out=out),
            lambda: neuralcodec.decode(file, out=out[1:]),
            lambda: neuralcodec.encode(rgb.astype(np.uint16), exif=b"nonsense"),
            lambda: neuralcodec.decode(file, bit_depth=16),
            lambda: neuralcodec.Model("nobody"),
        ):
            with pytest.raises((neuralcodec.Error, ValueError, ZeroDivisionError)):
                call()

    for _ in range(5):
        work()
    gc.collect()
    watched = [model, out, file, rgb, neuralcodec.Error, neuralcodec.LimitError]
    references = [sys.getrefcount(thing) for thing in watched]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(40):
        work()
    gc.collect()
    after = [sys.getrefcount(thing) for thing in watched]
    assert all(abs(a - b) < 20 for a, b in zip(references, after, strict=True))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < memory + 20_000


def test_doc_strings():
    finder, runner = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    names = {name: getattr(neuralcodec, name) for name in neuralcodec.__all__}
    scope = names | {"np": np}
    tests = [finder.find(thing, f"neuralcodec.{name}", module=False, globs=scope) for name, thing in names.items() if not name.startswith("_")]
    tests.append(finder.find(neuralcodec, "neuralcodec", globs={})[:1])
    tests.append(finder.find(crc32c, "crc32c", module=False, globs={"crc32c": crc32c}))
    for test in itertools.chain(*tests):
        runner.run(test)
    assert runner.failures == 0 and runner.tries >= 20
