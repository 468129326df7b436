"""An asset named on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

AssetArgument = Annotated[str, typer.Argument(help="The id of an ad.")]
