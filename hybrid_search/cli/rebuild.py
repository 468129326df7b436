"""``hybrid-search rebuild``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.progress import embedding_bar, progress_bar
from hybrid_search.cli.rebuild_report import print_rebuilt
from hybrid_search.cli.terminal import print_json
from hybrid_search.core.ports import Rebuilt, Subject
from hybrid_search.engine.status import rebuilt_to_json
from hybrid_search.settings.settings import Settings, load_settings, with_vectors
from hybrid_search.stores.embedded.rebuild import rebuild, rebuild_vectors


def command(
    vectors: Annotated[
        bool,
        typer.Option("--vectors", help="Only the vector indexes; a running service opens them."),
    ] = False,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Only the vector indexes, as this kind.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option("--storage", help="Only the vector indexes, stored as f32, bf16 or sq8."),
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Rebuild the indexes from the catalog.

    The configured analyser, model and kind of vector index are used. Exits with 4 when a new
    vector index misses its recall; the old one then stays in use.
    """
    settings = with_vectors(load_settings(data_dir), kind, storage)
    built = _rebuild(settings, only_vectors=vectors or bool(kind or storage), quiet=json)
    if json:
        print_json(rebuilt_to_json(built))
    else:
        print_rebuilt(built)
    if not all(part.published for part in built.values()):
        sys.exit(4)


def _rebuild(settings: Settings, *, only_vectors: bool, quiet: bool) -> Mapping[Subject, Rebuilt]:
    if only_vectors:
        with progress_bar(quiet=quiet) as bar:
            bar.add_task("building the vector indexes", total=None)
            return rebuild_vectors(settings)
    with embedding_bar(quiet=quiet) as progress:
        return rebuild(settings, progress)
