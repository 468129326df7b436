"""``hybrid-search search``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.search_answer import answer, named_values, pairs, read_picture
from hybrid_search.cli.search_options import Explain, Filters, FusionOption, ModeOption, Size
from hybrid_search.core.queries import Scope


def command(
    q: Annotated[str, typer.Argument(help='Words and "quoted phrases".')] = "",
    image: Annotated[
        list[Path] | None, typer.Option("--image", help="A picture file to find similar ads to.")
    ] = None,
    like: Annotated[
        list[str] | None, typer.Option("--like", help="The id of an ad to find similar ones to.")
    ] = None,
    unlike: Annotated[
        list[str] | None, typer.Option("--unlike", help="The id of an ad to find dissimilar ones.")
    ] = None,
    like_text: Annotated[
        list[str] | None, typer.Option("--like-text", help="A description of what to find.")
    ] = None,
    unlike_text: Annotated[
        list[str] | None, typer.Option("--unlike-text", help="A description of what to avoid.")
    ] = None,
    filters: Filters = None,
    size: Size = 10,
    offset: Annotated[int, typer.Option("--offset", min=0, help="Hits to skip.")] = 0,
    cursor: Annotated[
        str | None, typer.Option("--cursor", help="The next page, as printed below the last one.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", help="A field to sort by; -field for descending.")
    ] = None,
    scope: Annotated[
        Scope | None, typer.Option("--scope", help="Matches alone, or related hits below them.")
    ] = None,
    facet: Annotated[
        list[str] | None, typer.Option("--facet", help="A field whose values are counted.")
    ] = None,
    mode: ModeOption = "hybrid",
    min_similarity: Annotated[
        float | None, typer.Option("--min-similarity", help="The least cosine of a vector hit.")
    ] = None,
    fusion: FusionOption = None,
    rank_constant: Annotated[
        float | None, typer.Option("--rank-constant", help="The k of reciprocal rank fusion.")
    ] = None,
    weight: Annotated[
        list[str] | None, typer.Option("--weight", help="LIST=WEIGHT, the weight of a list.")
    ] = None,
    window: Annotated[
        list[str] | None, typer.Option("--window", help="LIST=N, the most candidates of a list.")
    ] = None,
    explain: Explain = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Search by words, by pictures, or by both."""
    given = pairs(q=q, like=like, unlike=unlike, filter=filters, size=size, mode=mode)
    given += pairs(like_text=like_text, unlike_text=unlike_text, min_similarity=min_similarity)
    given += pairs(sort=sort, scope=scope, facet=facet, fusion=fusion)
    given += pairs(offset=offset, cursor=cursor, rank_constant=rank_constant, explain=explain)
    given += named_values("weight", weight) + named_values("window", window)
    pictures = [read_picture(path) for path in image or []]
    answer(given, pictures, data_dir, explain=explain, json=json)
