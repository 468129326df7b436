"""Options of a search as its parameters, and the answer as a table or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hybrid_search.api.schemas.parameters import query_from_parameters
from hybrid_search.api.schemas.results import answer_to_json
from hybrid_search.cli.hits_table import print_answer
from hybrid_search.cli.read_only_index import open_to_read
from hybrid_search.cli.terminal import print_json
from hybrid_search.core import Example
from hybrid_search.core.errors import InvalidInput
from hybrid_search.settings.settings import load_settings


def pairs(**options: object) -> list[tuple[str, str]]:
    """The options as query string parameters; options that are ``None`` are left out."""
    return [
        (name, str(value))
        for name, given in options.items()
        for value in (given if isinstance(given, list) else [given])
        if value is not None
    ]


def named_values(parameter: str, values: Sequence[str] | None) -> list[tuple[str, str]]:
    """``LIST=VALUE`` options as the parameters ``parameter.LIST``."""
    parts = [value.partition("=") for value in values or []]
    return [(f"{parameter}.{name}", value) for name, _, value in parts]


def answer(
    given: list[tuple[str, str]],
    pictures: list[bytes],
    data_dir: Path | None,
    *,
    explain: bool,
    json: bool,
) -> None:
    """Search with these parameters and example pictures, and print the answer."""
    settings = load_settings(data_dir)
    examples = [Example(picture=picture) for picture in pictures]
    query = query_from_parameters(given, settings.fusion.settings(), examples)
    with open_to_read(settings) as index:
        found = index.search(query)
    if json:
        print_json(answer_to_json(found))
    else:
        print_answer(found, explain=explain)


def read_picture(path: Path) -> bytes:
    """The file's bytes; raises ``InvalidInput`` for a file that cannot be read."""
    try:
        return path.read_bytes()
    except OSError as failure:
        raise InvalidInput(f"image: {path} cannot be read, {failure.strerror}") from None
