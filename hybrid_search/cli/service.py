"""The service started from the command line."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from hybrid_search.api.server import serve
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.settings.settings import Settings


def serve_folder(
    settings: Settings, given: Mapping[str, str | int | None], *, read_only: bool, json: bool
) -> None:
    """Serve the data folder until stopped; the address is printed first.

    Values of ``given`` that are not ``None`` override the ``[server]`` settings.
    """

    def announce(address: str) -> None:
        if json:
            print_json({"address": address}, one_line=True)
        else:
            console.print(f"search page   {address}\nAPI document  {address}openapi.json")
            console.print("stop with Ctrl+C", style="dim")

    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    chosen = {name: value for name, value in given.items() if value is not None}
    server = settings.server.model_copy(update=chosen)
    served = settings.model_copy(update={"server": server})
    serve(served, write=not read_only, announce=announce)
