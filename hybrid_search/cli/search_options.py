"""Options of the commands that search."""

from __future__ import annotations

from typing import Annotated

import typer

from hybrid_search.core import Mode
from hybrid_search.core.queries import FusionMethod

Size = Annotated[int, typer.Option("--size", min=1, max=200, help="Hits to show.")]
Filters = Annotated[
    list[str] | None, typer.Option("--filter", help="field:value, field:10..20, field:abc*")
]
ModeOption = Annotated[Mode, typer.Option("--mode", help="Which candidate lists are searched.")]
FusionOption = Annotated[
    FusionMethod | None, typer.Option("--fusion", help="The method that fuses the lists.")
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Show the rank of each hit in every list.")
]
