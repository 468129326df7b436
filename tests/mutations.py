"""Pictures with bytes changed, cut, repeated, or replaced by those of another."""

import io
import random

from PIL import Image


def made() -> list[bytes]:
    """Return small valid pictures in every accepted format and mode."""
    gradient = Image.linear_gradient("L").resize((64, 48))
    kinds = [
        ("JPEG", "RGB", {}),
        ("JPEG", "L", {}),
        ("JPEG", "CMYK", {}),
        ("JPEG", "RGB", {"progressive": True}),
        ("PNG", "RGBA", {}),
        ("PNG", "P", {}),
        ("PNG", "I;16", {}),
        ("WEBP", "RGB", {}),
        ("WEBP", "RGBA", {"lossless": True}),
        ("GIF", "P", {}),
    ]
    return [encoded(gradient, *kind) for kind in kinds]


def encoded(picture: Image.Image, form: str, mode: str, options: dict[str, bool]) -> bytes:
    out = io.BytesIO()
    picture.convert(mode).save(out, form, **options)
    return out.getvalue()


def mutated(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Return the bytes with one to eight changes."""
    for _ in range(chance.randint(1, 8)):
        if not data:
            break
        data = chance.choice((flipped, cut, doubled, overwritten))(data, chance)
        if chance.random() < 0.1:
            other = chance.choice(others)
            place = chance.randrange(len(other))
            data = data[: chance.randrange(len(data) + 1)] + other[place:]
    return data


def flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    # Headers are short and matter most.
    place = chance.randrange(min(len(data), chance.choice((64, 1024, len(data)))))
    changed[place] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))] if chance.random() < 0.3 else data


def doubled(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    part = data[start : start + chance.randint(1, 4096)]
    return data[:start] + part * chance.randint(1, 3) + data[start:]


def overwritten(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    size = min(chance.choice((1, 2, 4, 8)), len(data) - start)
    value = chance.choice((b"\x00", b"\xff", b"\x7f", b"\x80")) * size
    return data[:start] + value + data[start + size :]
