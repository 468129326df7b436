"""``hybrid-search search``, ``similar`` and ``suggest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_search.api.schemas.parameters import query_from_parameters
from hybrid_search.api.schemas.queries import Mode
from hybrid_search.api.schemas.results import answer_to_json
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.tables import console, print_answer, print_json, print_suggestions
from hybrid_search.core import Example, FusionMethod
from hybrid_search.core.errors import InvalidInput
from hybrid_search.engine.factory import open_engine
from hybrid_search.settings.settings import load_settings

Size = Annotated[int, typer.Option("--size", min=1, max=200, help="Hits to show.")]
Filters = Annotated[
    list[str] | None, typer.Option("--filter", help="field:value, field:10..20, field:abc*")
]
ModeOption = Annotated[Mode, typer.Option("--mode", help="Which lists answer.")]
FusionOption = Annotated[
    FusionMethod | None,
    typer.Option("--fusion", help="How lists become one: by evidence, or otherwise."),
]
Explain = Annotated[bool, typer.Option("--explain", help="Show each hit's rank in every list.")]


def search(
    q: Annotated[str, typer.Argument(help='Words and "quoted phrases".')] = "",
    image: Annotated[
        list[Path] | None, typer.Option("--image", help="A picture to be like.")
    ] = None,
    like: Annotated[
        list[str] | None, typer.Option("--like", help="An asset's id to be like.")
    ] = None,
    unlike: Annotated[
        list[str] | None, typer.Option("--unlike", help="An asset's id to be unlike.")
    ] = None,
    like_text: Annotated[
        list[str] | None, typer.Option("--like-text", help="A description to be like.")
    ] = None,
    unlike_text: Annotated[
        list[str] | None, typer.Option("--unlike-text", help="A description to be unlike.")
    ] = None,
    filters: Filters = None,
    size: Size = 10,
    offset: Annotated[int, typer.Option("--offset", min=0, help="Hits to pass over.")] = 0,
    cursor: Annotated[
        str | None, typer.Option("--cursor", help="The page after the one that printed it.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", help="A field to sort by; -field turns it round.")
    ] = None,
    facet: Annotated[
        list[str] | None, typer.Option("--facet", help="A field whose values are counted.")
    ] = None,
    mode: ModeOption = "hybrid",
    min_similarity: Annotated[
        float | None, typer.Option("--min-similarity", help="Cosine below which nothing is near.")
    ] = None,
    fusion: FusionOption = None,
    rank_constant: Annotated[
        float | None, typer.Option("--rank-constant", help="The k of reciprocal rank fusion.")
    ] = None,
    weight: Annotated[
        list[str] | None, typer.Option("--weight", help="LIST=WEIGHT, what a rank in it is worth.")
    ] = None,
    window: Annotated[
        list[str] | None, typer.Option("--window", help="LIST=N, candidates it may give.")
    ] = None,
    explain: Explain = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Find assets by words, by pictures, or by both."""
    pairs = _pairs(q=q, like=like, unlike=unlike, filter=filters, size=size, mode=mode)
    pairs += _pairs(like_text=like_text, unlike_text=unlike_text, min_similarity=min_similarity)
    pairs += _pairs(sort=sort, facet=facet, fusion=fusion)
    pairs += _pairs(offset=offset, cursor=cursor, rank_constant=rank_constant, explain=explain)
    pairs += [
        ("weight." + name, value) for name, _, value in (w.partition("=") for w in weight or [])
    ]
    pairs += [
        ("window." + name, value) for name, _, value in (w.partition("=") for w in window or [])
    ]
    _answer(pairs, [_read(path) for path in image or []], data_dir, explain=explain, json=json)


def similar(
    id: Annotated[str, typer.Argument(help="An asset's id, or a picture file.")],  # noqa: A002  the users' word
    filters: Filters = None,
    size: Size = 10,
    explain: Explain = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Find assets that look like one that is indexed, or like a picture file."""
    path = Path(id)
    pictures = [_read(path)] if path.is_file() else []
    like = None if pictures else [id]
    pairs = _pairs(like=like, filter=filters, size=size, explain=explain)
    _answer(pairs, pictures, data_dir, explain=explain, json=json)


def suggest(
    typed: Annotated[str, typer.Argument(help="What was typed so far; initials (ㄱㅇㅈ) too.")],
    size: Annotated[int, typer.Option("--size", min=1, max=50, help="Completions wanted.")] = 10,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Complete what is being typed, and correct it."""
    with open_engine(load_settings(data_dir)) as engine:
        found = engine.searcher.suggest(typed, size)
    if json:
        print_json(found.as_json())
    else:
        print_suggestions(found)


def _pairs(**options: object) -> list[tuple[str, str]]:
    """The options as a query string has them: what was not given is left out."""
    return [
        (name, str(value))
        for name, given in options.items()
        for value in (given if isinstance(given, list) else [given])
        if value is not None
    ]


def _answer(
    pairs: list[tuple[str, str]],
    pictures: list[bytes],
    data_dir: Path | None,
    *,
    explain: bool,
    json: bool,
) -> None:
    settings = load_settings(data_dir)
    examples = [Example(picture=picture) for picture in pictures]
    query = query_from_parameters(pairs, settings.fusion.settings(), examples)
    with open_engine(settings) as engine:
        answer = engine.searcher.search(query)
    if json:
        print_json(answer_to_json(answer))
    else:
        print_answer(answer, explain=explain)
        if answer.cursor is not None:
            console.print(f"next page: --cursor {answer.cursor}", style="dim", soft_wrap=True)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as failure:
        raise InvalidInput(f"image: {path} cannot be read, {failure.strerror}") from None
