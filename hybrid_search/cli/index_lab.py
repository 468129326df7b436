"""``hybrid-search index lab``: which vector index suits this corpus, measured."""

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
from hybrid_search.cli.tables import console, errors, print_json, progress_bar
from hybrid_search.core.errors import InvalidConfig, InvalidInput
from hybrid_search.core.ports import Vectors
from hybrid_search.relevance.evaluation import read_queries
from hybrid_search.relevance.vector_bench.advice import Choice, as_file, as_settings, choose
from hybrid_search.relevance.vector_bench.benchmark import GRID, Conditions, Lab, Measured
from hybrid_search.relevance.vector_bench.plot import plot
from hybrid_search.relevance.vector_bench.vectors import Snapshot, snapshot
from hybrid_search.settings.settings import Settings, load_settings
from hybrid_search.stores.embedded.rebuild import VectorCorpus, open_vectors
from hybrid_search.stores.embedded.vector.index_spec import Kind, Storage, VectorPlan

_BREADTHS = ("ef_search", "nlist", "nprobe", "rerank")
"""Parameters that the table shows; the settings that are chosen show all."""
_CONDITIONS = ("filter", "deleted")
_SIZES = ("MB", "predicted", "disk MB")

index_app = typer.Typer(help="Experiments with the vector index.", no_args_is_help=True)


@index_app.callback()
def index() -> None:
    """Experiments with the vector index."""


@dataclass(frozen=True, slots=True)
class _Asked:
    grid: list[tuple[Kind, Storage]]
    conditions: list[Conditions]


@index_app.command()
def lab(
    queries: Annotated[
        Path | None, typer.Option("--queries", help="Texts to ask, JSONL; titles by default.")
    ] = None,
    kinds: Annotated[
        str, typer.Option("--kinds", help="Kinds to build, with commas between; all by default.")
    ] = "",
    sample: Annotated[
        int, typer.Option("--sample", min=1, max=100_000, help="Queries of each set.")
    ] = 200,
    k: Annotated[int, typer.Option("--k", min=1, max=1000, help="Neighbours that count.")] = 10,
    recall: Annotated[
        float, typer.Option("--recall", min=0.0, max=1.0, help="Recall that is wanted.")
    ] = 0.99,
    memory_mb: Annotated[
        int | None, typer.Option("--memory-mb", min=1, help="Memory that it may take.")
    ] = None,
    filter_share: Annotated[
        str, typer.Option("--filter-share", help="Shares a filter allows, with commas between.")
    ] = "",
    tombstones: Annotated[
        str, typer.Option("--tombstones", help="Shares that are deleted, with commas between.")
    ] = "",
    seed: Annotated[int, typer.Option("--seed", help="Of samples, filters and deletions.")] = 1,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for results, plot and settings.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Measure recall, time and memory of every kind of vector index on this corpus."""
    conditions = [Conditions()]
    conditions += [
        Conditions(filter_share=share) for share in _shares("filter-share", filter_share)
    ]
    conditions += [Conditions(tombstones=share) for share in _shares("tombstones", tombstones)]
    asked = _Asked(_grid(kinds), conditions)
    settings = load_settings(data_dir)
    with open_vectors(settings) as corpus, tempfile.TemporaryDirectory() as folder:
        vectors = copied(corpus, Path(folder))
        sets = query_sets(corpus, vectors, _texts(corpus, settings, queries), sample, seed)
        bench = Lab(corpus.make, vectors, Path(folder), sets, k, seed)
        results, passed_over = measured(bench, corpus.plan, asked, quiet=json)
    choices = choose(results, recall, None if memory_mb is None else memory_mb << 20)
    report = {
        "results": [asdict(r) for r in results],
        "passed_over": passed_over,
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
        show(results, passed_over, choices)


def copied(corpus: VectorCorpus, folder: Path) -> Snapshot:
    """The corpus as of now; raises ``InvalidInput`` for one without pictures."""
    with corpus.read() as live:
        vectors = snapshot(live, folder / "vectors.f32")
    if not len(vectors.ordinals):
        raise InvalidInput("no picture is indexed; run: hybrid-search ingest PATH")
    return vectors


def query_sets(
    corpus: VectorCorpus, vectors: Snapshot, texts: list[str], sample: int, seed: int
) -> dict[str, Vectors]:
    """Texts and pictures to ask with, at most so many of each; no texts, no such set."""
    chance = np.random.default_rng(seed)
    pictures = vectors.sample(sample, chance)
    some = [texts[place] for place in chance.permutation(len(texts))[:sample]]
    return {
        **({"text_to_image": corpus.texts(some)} if some else {}),
        "image_to_image": pictures,
    }


def _texts(corpus: VectorCorpus, settings: Settings, queries: Path | None) -> list[str]:
    """The texts of a query file, or titles of the corpus; each once."""
    if queries is not None:
        asked = [test.query.text for test in read_queries(queries, settings.fusion.settings())]
    else:
        stored = corpus.catalog.fetch(corpus.catalog.newest(10_000)).values()
        asked = [version.asset.title for version in stored]
    return [text for text in dict.fromkeys(asked) if text.strip()]


def measured(
    bench: Lab, plan: VectorPlan, asked: _Asked, *, quiet: bool
) -> tuple[list[Measured], list[str]]:
    """All results, and the kinds that the corpus is too small for."""
    passed_over: list[str] = []
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task("exact search", total=len(asked.grid) + 1)

        def told(name: str) -> None:
            bar.update(task, advance=1, description=name)

        results = list(bench.run(asked.grid, asked.conditions, plan, told, passed_over.append))
        told("done")
    return results, passed_over


def draw(results: list[Measured], out: Path) -> None:
    """The plot in the folder; without matplotlib none, and a word about it."""
    try:
        plot(results, out)
    except InvalidConfig as failure:
        errors.print(str(failure), style="yellow", markup=False)


def show(
    results: Sequence[Measured], passed_over: Sequence[str], choices: Sequence[Choice]
) -> None:
    """A table for each set of queries, what is missing from it, and what to take."""
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
    if passed_over:
        console.print(f"too few vectors for: {', '.join(passed_over)}")
    for choice in choices:
        console.print(f"for {choice.queries}:", style="bold")
        console.print(as_settings(choice), markup=False, highlight=False)


def _cells(result: Measured, *, bare: bool) -> list[str]:
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


def _grid(kinds: str) -> list[tuple[Kind, Storage]]:
    """What to build of the kinds; raises ``InvalidInput`` for an unknown one."""
    asked = [kind.strip() for kind in kinds.split(",")] if kinds else []
    known = {kind for kind, _ in GRID}
    if unknown := sorted(set(asked) - known):
        raise InvalidInput(f"kinds: {unknown[0]!r} is none of {', '.join(sorted(known))}")
    return [pair for pair in GRID if not asked or pair[0] in asked]


def _shares(option: str, text: str) -> list[float]:
    """Numbers between 0 and 1, with commas between; raises ``InvalidInput``."""
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
