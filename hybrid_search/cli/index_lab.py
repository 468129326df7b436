"""``hybrid-search index lab``."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import orjson
import typer
from rich.markup import escape
from rich.table import Table

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.progress import progress_bar
from hybrid_search.cli.terminal import console, errors, print_json
from hybrid_search.core.errors import InvalidConfig, InvalidInput
from hybrid_search.core.ports import Vectors
from hybrid_search.relevance.evaluation import read_queries
from hybrid_search.relevance.vector_bench.advice import Choice, as_file, as_settings, choose
from hybrid_search.relevance.vector_bench.benchmark import (
    GRID,
    Conditions,
    Measurement,
    VectorBench,
)
from hybrid_search.relevance.vector_bench.plot import plot
from hybrid_search.relevance.vector_bench.vectors import Snapshot, snapshot
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.rebuild import VectorCorpus, open_vectors
from hybrid_search.stores.embedded.vector.index_spec import Kind, Storage, VectorPlan

_BREADTHS = ("ef_search", "nlist", "nprobe", "rerank")
"""Parameters that the table shows; the advised settings show all."""
_CONDITIONS = ("filter", "deleted")
_SIZES = ("MB", "predicted", "disk MB")


@dataclass(frozen=True, slots=True)
class _Grid:
    kinds: list[tuple[Kind, Storage]]
    conditions: list[Conditions]


def command(
    queries: Annotated[
        Path | None, typer.Option("--queries", help="Query texts, JSONL; titles by default.")
    ] = None,
    kinds: Annotated[
        str, typer.Option("--kinds", help="Kinds to build, comma-separated; all by default.")
    ] = "",
    sample: Annotated[
        int,
        typer.Option(
            "--sample", min=1, max=100_000, help="Queries of each kind, text and picture."
        ),
    ] = 200,
    k: Annotated[
        int, typer.Option("--k", min=1, max=1000, help="Nearest neighbours per query.")
    ] = 10,
    recall: Annotated[
        float, typer.Option("--recall", min=0.0, max=1.0, help="Recall to reach.")
    ] = 0.99,
    memory_mb: Annotated[
        int | None, typer.Option("--memory-mb", min=1, help="Memory that the index may take.")
    ] = None,
    filter_share: Annotated[
        str,
        typer.Option(
            "--filter-share", help="Shares of the corpus that a filter admits, comma-separated."
        ),
    ] = "",
    tombstones: Annotated[
        str,
        typer.Option(
            "--tombstones", help="Shares of the corpus that are deleted, comma-separated."
        ),
    ] = "",
    seed: Annotated[
        int, typer.Option("--seed", help="Seed of samples, filters and deletions.")
    ] = 1,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for results, plot and settings.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Measure recall, time and memory of each kind of vector index on this corpus.

    A service or another command may write to the index meanwhile.
    """
    conditions = [Conditions()]
    conditions += [
        Conditions(filter_share=share) for share in _shares("filter-share", filter_share)
    ]
    conditions += [Conditions(tombstones=share) for share in _shares("tombstones", tombstones)]
    grid = _Grid(_kinds(kinds), conditions)
    settings = load_settings(data_dir)
    with open_vectors(settings) as corpus, tempfile.TemporaryDirectory() as folder:
        vectors = copied(corpus, Path(folder))
        sets = query_sets(corpus, vectors, _texts(corpus, settings, queries), sample, seed)
        bench = VectorBench(corpus.make, vectors, Path(folder), sets, k, seed)
        results, skipped = measured(bench, corpus.plan, grid, quiet=json)
    choices = choose(results, recall, None if memory_mb is None else memory_mb << 20)
    report = {
        "results": [asdict(r) for r in results],
        "passed_over": skipped,
        "settings": {choice.queries: as_settings(choice) for choice in choices},
    }
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "results.json").write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
        (out / "vector.toml").write_text(as_file(choices), "utf-8")
        draw(results, out)
    if json:
        print_json(report)
    else:
        show(results, skipped, choices)


def copied(corpus: VectorCorpus, folder: Path) -> Snapshot:
    """A copy of the live vectors; raises ``InvalidInput`` for a corpus without pictures."""
    with corpus.read() as live:
        vectors = snapshot(live, folder / "vectors.f32")
    if not len(vectors.ordinals):
        raise InvalidInput("no picture is indexed; run: hybrid-search ingest PATH")
    return vectors


def query_sets(
    corpus: VectorCorpus, vectors: Snapshot, texts: list[str], sample: int, seed: int
) -> dict[str, Vectors]:
    """Query vectors by list, at most ``sample`` each; without texts only those of pictures."""
    rng = np.random.default_rng(seed)
    pictures = vectors.sample(sample, rng)
    some = [texts[place] for place in rng.permutation(len(texts))[:sample]]
    return {
        **({"text_to_image": corpus.texts(some)} if some else {}),
        "image_to_image": pictures,
    }


def _texts(corpus: VectorCorpus, settings: Settings, queries: Path | None) -> list[str]:
    """The distinct texts of a query file, or titles of the newest ads."""
    if queries is not None:
        asked = [test.query.text for test in read_queries(queries, settings.fusion.settings())]
    else:
        stored = corpus.catalog.fetch(corpus.catalog.newest(10_000)).values()
        asked = [version.asset.title for version in stored]
    return [text for text in dict.fromkeys(asked) if text.strip()]


def measured(
    bench: VectorBench, plan: VectorPlan, grid: _Grid, *, quiet: bool
) -> tuple[list[Measurement], list[str]]:
    """All results, and the names of kinds that need more vectors than there are."""
    skipped: list[str] = []
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task("exact search", total=len(grid.kinds) + 1)

        def advance(name: str) -> None:
            bar.update(task, advance=1, description=name)

        results = list(bench.run(grid.kinds, grid.conditions, plan, advance, skipped.append))
        advance("done")
    return results, skipped


def draw(results: list[Measurement], out: Path) -> None:
    """Write the plot to the folder; without matplotlib, print how to get it."""
    try:
        plot(results, out)
    except InvalidConfig as failure:
        errors.print(str(failure), style="yellow", markup=False)


def show(results: Sequence[Measurement], skipped: Sequence[str], choices: Sequence[Choice]) -> None:
    """Print a table for each set of queries, the skipped kinds and the advised settings."""
    bare = all(r.filter_share >= 1.0 and not r.tombstones for r in results)
    for name in dict.fromkeys(result.queries for result in results):
        table = Table(title=name, box=None, header_style="bold")
        for column in ("kind", "parameters", *(() if bare else _CONDITIONS)):
            table.add_column(column)
        for column in ("recall", "CPU ms", "p95", "wall ms", *_SIZES, "build s"):
            table.add_column(column, justify="right")
        for result in results:
            if result.queries == name:
                table.add_row(*_cells(result, bare=bare))
        console.print(table)
    if skipped:
        console.print(f"too few vectors for: {', '.join(skipped)}")
    for choice in choices:
        console.print(f"for {choice.queries}:", style="bold")
        console.print(as_settings(choice), markup=False, highlight=False)


def _cells(result: Measurement, *, bare: bool) -> list[str]:
    values = ", ".join(f"{n} {v}" for n, v in result.parameters.items() if n in _BREADTHS)
    sizes = (result.memory_bytes, result.predicted_bytes, result.disk_bytes)
    allowed = "" if result.filter_share >= 1.0 else f"{result.filter_share:.1%}"
    deleted = f"{result.tombstones:.0%}" if result.tombstones else ""
    return [
        escape(result.kind if result.storage == "f32" else f"{result.kind} {result.storage}"),
        escape(values),
        *(() if bare else (allowed, deleted)),
        f"{result.recall:.4f}",
        f"{result.cpu_ms:.3f}",
        f"{result.cpu_ms_p95:.3f}",
        f"{result.wall_ms:.3f}",
        *(f"{size / 1e6:,.1f}" for size in sizes),
        f"{result.build_seconds:.1f}",
    ]


def _kinds(kinds: str) -> list[tuple[Kind, Storage]]:
    """The kinds to build; raises ``InvalidInput`` for an unknown one."""
    wanted = [kind.strip() for kind in kinds.split(",")] if kinds else []
    known = {kind for kind, _ in GRID}
    if unknown := sorted(set(wanted) - known):
        raise InvalidInput(f"kinds: {unknown[0]!r} is not one of {', '.join(sorted(known))}")
    return [pair for pair in GRID if not wanted or pair[0] in wanted]


def _shares(option: str, text: str) -> list[float]:
    """The comma-separated numbers between 0 and 1; raises ``InvalidInput``."""
    shares = []
    for part in text.split(",") if text else []:
        try:
            share = float(part)
        except ValueError:
            share = -1.0
        if not 0.0 < share < 1.0:
            raise InvalidInput(f"{option} = {part!r}: a share lies between 0 and 1")
        shares.append(share)
    return shares
