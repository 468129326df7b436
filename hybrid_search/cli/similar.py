"""``hybrid-search similar``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.search_answer import answer, pairs, read_picture
from hybrid_search.cli.search_options import Explain, Filters, Size


def command(
    id: Annotated[str, typer.Argument(help="The id of an ad, or a picture file.")],  # noqa: A002  the users' word
    filters: Filters = None,
    size: Size = 10,
    explain: Explain = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Find ads that look like an indexed ad or like a picture file."""
    path = Path(id)
    pictures = [read_picture(path)] if path.is_file() else []
    like = None if pictures else [id]
    given = pairs(like=like, filter=filters, size=size, explain=explain)
    answer(given, pictures, data_dir, explain=explain, json=json)
