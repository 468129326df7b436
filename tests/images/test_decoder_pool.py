"""Pictures are decoded in separate processes, even when decoders crash."""

import io
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image, ImageDraw

from hybrid_search.core.errors import InvalidPicture
from hybrid_search.core.picture_limits import PictureLimits
from hybrid_search.core.preprocess_spec import PreprocessSpec
from hybrid_search.images.decode import check_picture, prepare_picture
from hybrid_search.images.decoder_pool import FEW, Decoders
from hybrid_search.images.preprocess import preprocess
from tests.mutations import made, mutated
from tests.progress import until

INPUT = PreprocessSpec(64, 64)
LIMITS = PictureLimits()


def photo(
    seed: int, size: tuple[int, int] = (300, 200), kind: str = "JPEG", **how: object
) -> bytes:
    chance = np.random.default_rng(seed)
    coarse = Image.fromarray(chance.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    picture = coarse.resize(size, Image.Resampling.BICUBIC)
    ImageDraw.Draw(picture).ellipse((20, 20, size[0] // 2, size[1] // 2), fill="navy")
    out = io.BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    with closing(Decoders(LIMITS, workers=2)) as opened:
        yield opened


def children() -> list[psutil.Process]:
    return [
        c for c in psutil.Process().children() if "hybrid_search.images.decoder_pool" in c.cmdline()
    ]


@pytest.mark.parametrize("count", [1, FEW, 3 * FEW])
def test_results_keep_the_order_of_the_pictures(decoders: Decoders, count: int) -> None:
    pictures = [photo(seed) for seed in range(count)]
    found = [future.result() for future in decoders.prepare(pictures, INPUT)]
    expected = [prepare_picture(data, LIMITS, INPUT) for data in pictures]
    assert [part.facts for part in found] == [part.facts for part in expected]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(found, expected, strict=True))
    assert len(children()) == (0 if count <= FEW else 2)


def test_bytes_that_are_no_picture_are_rejected_with_a_reason(decoders: Decoders) -> None:
    pictures = [photo(1)] * FEW + [photo(3)[:-800], b"", photo(2)]
    *good, broken, empty, last = decoders.prepare(pictures, INPUT)
    for future, reason in (
        (broken, "image: cannot be decoded, OSError: image file is truncated"),
        (empty, "the file is empty"),
    ):
        with pytest.raises(InvalidPicture, match=reason):
            future.result()
    assert all(future.result().pixels.shape == (64, 64, 3) for future in [*good, last])


def test_killed_decoder_loses_no_picture(decoders: Decoders) -> None:
    pictures = [photo(seed) for seed in range(2 * FEW)]
    first = [future.result().facts for future in decoders.prepare(pictures, INPUT)]
    killed = children()
    for child in killed:
        child.send_signal(signal.SIGKILL)
    again = [future.result().facts for future in decoders.prepare(pictures, INPUT)]
    assert again == first
    assert {child.pid for child in children()}.isdisjoint(child.pid for child in killed)


def test_picture_that_kills_every_decoder_is_rejected(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    for future in decoders.prepare([photo(1)] * (FEW + 1), INPUT):
        with pytest.raises(
            InvalidPicture, match="it ended two decoders, the last one with exit code 1"
        ):
            future.result()


def test_a_service_decodes_nothing_in_its_own_process() -> None:
    with closing(Decoders(LIMITS, workers=1, apart=True)) as opened:
        expected = prepare_picture(photo(1), LIMITS, INPUT).pixels
        assert np.array_equal(opened.pixels(photo(1), INPUT), expected)
        assert len(children()) == 1


def test_picture_that_takes_too_long_is_rejected_and_the_next_accepted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sleeper = tmp_path / "decoder"
    sleeper.write_text("#!/bin/sh\nexec sleep 100\n")
    sleeper.chmod(0o700)
    limits = PictureLimits(decode_seconds=4)
    with closing(Decoders(limits, workers=1, apart=True)) as opened:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "executable", str(sleeper))
            with pytest.raises(InvalidPicture, match="longer than the limit of 4 s"):
                opened.pixels(photo(1), INPUT)
        assert opened.pixels(photo(2), INPUT).shape == (64, 64, 3)


def test_picture_that_takes_too_much_memory_is_rejected() -> None:
    limits = PictureLimits(decode_mb=400, decode_seconds=300)
    with closing(Decoders(limits, workers=1, apart=True)) as opened:
        large = photo(1, (6000, 6000), "PNG", compress_level=1)
        with pytest.raises(InvalidPicture, match=r"MemoryError|it ended two decoders"):
            opened.pixels(large, INPUT)
        assert opened.pixels(photo(2), INPUT).shape == (64, 64, 3)


@pytest.mark.parametrize(
    "answer", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x05hello", b"\x00\x00\x00\x02[]", b"\x00"]
)
def test_invalid_reply_of_a_decoder_is_no_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: bytes
) -> None:
    program = tmp_path / "decoder"
    (tmp_path / "answer").write_bytes(answer)
    program.write_text(f"#!/bin/sh\ncat {tmp_path / 'answer'}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    refused = pytest.raises(InvalidPicture, match="it ended two decoders")
    with closing(Decoders(LIMITS, workers=1, apart=True)) as opened, refused:
        opened.pixels(photo(1), INPUT)


def test_decoders_end_with_their_owner() -> None:
    with closing(Decoders(LIMITS, workers=2)) as opened:
        for future in opened.prepare([photo(1)] * (2 * FEW), INPUT):
            future.result()
        running = children()
    assert running
    assert not any(child.is_running() for child in running)


def test_no_decoder_outlives_a_parent_that_is_killed() -> None:
    program = (
        "import sys, time; from tests.images.test_decoder_pool import *\n"
        "opened = Decoders(LIMITS, workers=2)\n"
        "[f.result() for f in opened.prepare([photo(1)] * 20, INPUT)]\n"
        "print(*[c.pid for c in children()], flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    decoders = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    assert decoders
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    until(lambda: not any(child.is_running() for child in decoders))


@pytest.mark.parametrize(
    ("kind", "how"),
    [("JPEG", {"quality": 90}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {})],
)
def test_a_large_picture_decoded_small_looks_the_same(kind: str, how: dict[str, object]) -> None:
    data = photo(5, (3000, 2000), kind, **how)
    whole = check_picture(data)
    small = check_picture(data, LIMITS, INPUT.least_side)
    assert min(small.rgb.size) >= INPUT.least_side
    assert max(small.rgb.size) < 1000
    colours = [bytes.fromhex(part.facts.placeholder[1:]) for part in (whole, small)]
    assert all(abs(a - b) <= 1 for a, b in zip(*colours, strict=True))
    facts = [
        (p.facts.digest, p.facts.width, p.facts.height, p.facts.format) for p in (whole, small)
    ]
    assert facts[0] == facts[1]
    difference = np.abs(preprocess(whole.rgb, INPUT).astype(int) - preprocess(small.rgb, INPUT))
    assert difference.mean() < 2.0


def test_damaged_pictures_are_decoded_or_rejected() -> None:
    chance = random.Random(7)
    originals = made()
    with closing(Decoders(PictureLimits(), apart=True)) as decoders:
        damaged = [mutated(chance.choice(originals), originals, chance) for _ in range(300)]
        futures = decoders.prepare(damaged, PreprocessSpec(32, 32))
        failures = [future.exception() for future in futures]
    assert 0 < failures.count(None) < len(damaged)
    assert {type(failure) for failure in failures} == {type(None), InvalidPicture}
