"""Generations that alternate between two models, and searching threads."""

import random
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from hybrid_search.core import AssetId, Example, Query
from hybrid_search.engine.factory import open_engine
from hybrid_search.engine.index import Index
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.rebuild import use_model
from tests.progress import until
from tests.reliability.damage import filled
from tests.tiny_models import folder_model

SETTINGS = """
[storage]
reserve_mb = 0
[lexical]
analyzer = "rules"
[embedding]
precision = "fp32"
"""
"""A fixed precision: with ``auto`` a busy machine may choose either one."""
TEXTS = [f"Summer shoes {n}" for n in range(0, 40, 2)] + [f"여름 신발 {n}" for n in range(1, 40, 2)]
LIKE = [AssetId(f"a{number}") for number in range(3, 9)]
# Five hits for texts: lower ranks are near ties, decided by the last bits of the vectors.
QUERIES = (
    *(Query(text, size=5, explain=True) for text in TEXTS),
    *(Query(examples=(Example(id=name),), explain=True) for name in LIKE),
)
SearchResult = dict[str, dict[str, float]]
"""The scores of each hit in each list, the best hit first."""


@dataclass(frozen=True)
class Prepared:
    """An index, two alternating models, and the results of each."""

    settings: Settings
    models: tuple[str, str]
    """The first one is in use at the start."""
    allowed: list[list[SearchResult]]
    """For each query, the result of each model."""


def prepared(folder: Path) -> Prepared:
    """Build an index of 55 assets embedded by both models; the embedded model is in use."""
    settings = filled(folder / "data", folder / "ads", text=SETTINGS)
    models = "embedded", f"local-dir:{folder_model(folder / 'other')}"
    answers = {}
    for model in models[::-1]:
        use_model(settings, model)
        with open_engine(settings) as engine:
            answers[model] = [answer(engine, query) for query in QUERIES]
    allowed = [list(pair) for pair in zip(*(answers[model] for model in models), strict=True)]
    assert not any(is_same(one, other) for one, other in allowed), (
        "a query that tells no model apart"
    )
    return Prepared(settings, models, allowed)


def answer(engine: Index, query: Query) -> SearchResult:
    """The scores of each hit in each list, the best hit first."""
    hits = engine.searcher.search(query).hits
    return {
        hit.stored.asset.id: {part.list: part.score or 0.0 for part in hit.contributions}
        for hit in hits
    }


def is_same(one: SearchResult, other: SearchResult) -> bool:
    """Compare up to the last bits: a text's vector depends slightly on its batch."""
    return (
        list(one)[:1] == list(other)[:1]
        and one.keys() == other.keys()
        and all(
            lists.keys() == other[name].keys()
            and all(abs(score - other[name][which]) < 1e-4 for which, score in lists.items())
            for name, lists in one.items()
        )
    )


def swap(engine: Index, base: Prepared, number: int) -> str:
    """Publish the n-th generation and switch the engine to it; return its name."""
    model = base.models[(number + 1) % 2]
    assert use_model(base.settings, model).published
    engine.switch_to_newest()
    return engine.serving.name


@dataclass
class Asking:
    """Threads that search continuously while the context lasts."""

    engine: Index
    allowed: list[list[SearchResult]]
    threads: int = 3
    asked: int = 0
    by_model: list[int] = field(default_factory=lambda: [0, 0])
    """Number of results from each model."""
    wrong: list[str] = field(default_factory=list)
    """Results of neither model, and errors."""

    def __enter__(self) -> "Asking":
        self._ending, self._guard = threading.Event(), threading.Lock()
        self._running = [
            threading.Thread(target=self._ask, args=(seed,)) for seed in range(self.threads)
        ]
        for thread in self._running:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        for thread in self._running:
            thread.join()

    def wait_for(self, count: int) -> None:
        """Return once so many queries were asked."""
        until(lambda: self.asked >= count, self.wrong)

    def _ask(self, seed: int) -> None:
        chance = random.Random(seed)
        while not self._ending.is_set():
            place = chance.randrange(len(QUERIES))
            try:
                found = answer(self.engine, QUERIES[place])
            except Exception as failure:  # noqa: BLE001  none is allowed
                self._count(None, repr(failure))
            else:
                same = [is_same(found, allowed) for allowed in self.allowed[place]]
                told = f"query {place}: {found}"
                self._count(same.index(True) if any(same) else None, told)

    def _count(self, model: int | None, said: str) -> None:
        with self._guard:
            self.asked += 1
            if model is None:
                self.wrong.append(said)
            else:
                self.by_model[model] += 1
