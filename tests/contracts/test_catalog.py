"""Contract of every catalog: versions, history, vectors."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_search.core import Asset, AssetId, Digest, Ordinal
from hybrid_search.core.ports import Catalog, Draft, Operation, Subject, TextKey
from hybrid_search.stores.embedded.catalog.catalog import SqliteCatalog
from hybrid_search.stores.memory import MemoryCatalog
from tests.contracts.catalogs import MODEL, draft, facts, ids, row
from tests.progress import HANG_SECONDS
from tests.rounds import rounds

KINDS = ("sqlite", "memory")


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Catalog]:
    if kind == "memory":
        yield MemoryCatalog()
    else:
        with closing(SqliteCatalog(folder / "below" / "catalog.db")) as catalog:
            yield catalog


@pytest.fixture(params=KINDS)
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    with opened(request.param, tmp_path) as made:
        yield made


def test_a_new_catalog_is_empty(catalog: Catalog) -> None:
    assert catalog.count() == 0
    assert catalog.last_sequence() == 0
    assert catalog.operations(0, 10) == []
    assert catalog.newest(10) == []
    assert catalog.find(AssetId("a")) is None
    assert catalog.fetch([]) == {}
    assert catalog.unembedded(MODEL) == {}


def test_put_assigns_increasing_ordinals_and_round_trips(catalog: Catalog) -> None:
    drafts = [draft("a", "하나"), draft("b", "둘", "p1"), draft("c", "셋", "p1")]
    ordinals = catalog.put(drafts)
    assert ordinals == [1, 2, 3]
    assert catalog.count() == 3
    fetched = catalog.fetch([Ordinal(3), Ordinal(1), Ordinal(2), Ordinal(99)])
    assert {o: s.asset for o, s in fetched.items()} == {
        Ordinal(n): d.asset for n, d in zip((1, 2, 3), drafts, strict=True)
    }
    assert [fetched[Ordinal(n)].picture for n in (1, 2, 3)] == [None, facts("p1"), facts("p1")]
    assert fetched[Ordinal(1)].updated_at.endswith("+00:00")
    assert catalog.contents(ids("a", "c", "zz")) == {
        "a": drafts[0].content,
        "c": drafts[2].content,
    }


def test_a_new_version_replaces_the_earlier_one(catalog: Catalog) -> None:
    (old,) = catalog.put([draft("a", "old")])
    (new,) = catalog.put([draft("a", "new")])
    assert new > old
    assert catalog.count() == 1
    assert catalog.live([old, new]) == {new}
    found = catalog.find(AssetId("a"))
    assert found is not None
    assert (found.arrival, found.asset.title) == (new, "new")
    assert catalog.fetch([old])[old].asset.title == "old"


def test_versions_come_newest_first_and_outlive_the_asset(catalog: Catalog) -> None:
    catalog.put([draft("a", "하나"), draft("b", "other")])
    catalog.put([draft("a", "둘", "p1")])
    catalog.delete([AssetId("a")])
    found = catalog.versions(AssetId("a"), 10)
    assert [(one.arrival, one.asset.title) for one in found] == [(3, "둘"), (1, "하나")]
    assert found[0].picture == facts("p1")
    assert [one.arrival for one in catalog.versions(AssetId("a"), 1)] == [3]
    assert catalog.versions(AssetId("none"), 10) == []


def test_id_twice_in_one_put_keeps_the_last(catalog: Catalog) -> None:
    first, second = catalog.put([draft("a", "1"), draft("a", "2")])
    assert catalog.live([first, second]) == {second}
    kinds = [(o.kind, o.ordinal) for o in catalog.operations(0, 10)]
    assert kinds == [("add", first), ("drop", first), ("add", second)]


def test_delete_says_which_ids_were_live(catalog: Catalog) -> None:
    first, second = catalog.put([draft("a"), draft("b")])
    assert catalog.delete(ids("b", "zz", "b")) == ["b"]
    assert catalog.live([first, second]) == {first}
    assert catalog.find(AssetId("b")) is None
    assert catalog.contents(ids("b")) == {}
    assert second in catalog.fetch([second])
    assert catalog.delete(ids("b")) == []
    (again,) = catalog.put([draft("b")])
    assert again > second


def test_operations_are_ordered_and_paged(catalog: Catalog) -> None:
    catalog.put([draft("a"), draft("b")])
    catalog.put([draft("a", "x")])
    catalog.delete(ids("b"))
    everything = catalog.operations(0, 100)
    assert everything == [
        Operation(1, "add", Ordinal(1)),
        Operation(2, "add", Ordinal(2)),
        Operation(3, "drop", Ordinal(1)),
        Operation(4, "add", Ordinal(3)),
        Operation(5, "drop", Ordinal(2)),
    ]
    assert catalog.last_sequence() == 5
    assert catalog.operations(1, 2) == everything[1:3]
    assert catalog.operations(5, 2) == []


def test_newest_pages_through_live_assets(catalog: Catalog) -> None:
    catalog.put([draft(name) for name in "abcde"])
    catalog.delete(ids("d"))
    assert catalog.newest(2) == [5, 3]
    assert catalog.newest(10, before=Ordinal(3)) == [2, 1]
    assert catalog.newest(10, before=Ordinal(1)) == []


def test_more_ids_than_one_statement_takes(catalog: Catalog) -> None:
    names = [f"n{number}" for number in range(2_000)]
    ordinals = catalog.put([draft(name) for name in names])
    assert len(catalog.contents(ids(*names))) == 2_000
    assert catalog.live(ordinals) == set(ordinals)
    assert sorted(catalog.fetch(ordinals)) == ordinals


def test_a_put_that_fails_changes_nothing(catalog: Catalog) -> None:
    catalog.put([draft("a", "kept")])
    unstorable = Asset(AssetId("bad"), attributes={"huge": 1 << 80})
    with pytest.raises(TypeError):
        catalog.put([draft("a", "lost"), draft("b"), Draft(unstorable, None, Digest("x"))])
    assert catalog.count() == 1
    assert catalog.last_sequence() == 1
    found = catalog.find(AssetId("a"))
    assert found is not None
    assert found.asset.title == "kept"
    assert catalog.put([draft("b")]) == [2]


def test_embeddings_are_keyed_by_content_and_model(catalog: Catalog) -> None:
    catalog.store_embeddings(MODEL, {Digest("p1"): row(1), Digest("p2"): row(2)})
    catalog.store_embeddings(MODEL, {Digest("p1"): row(9)})
    catalog.store_embeddings("other", {Digest("p1"): row(3)})
    found = catalog.embeddings(MODEL, [Digest("p1"), Digest("p2"), Digest("p3")])
    assert {digest: vector.tolist() for digest, vector in found.items()} == {
        "p1": row(1).tolist(),
        "p2": row(2).tolist(),
    }
    assert found[Digest("p1")].dtype == np.float32
    assert catalog.embeddings("other", [Digest("p1")])[Digest("p1")].tolist() == row(3).tolist()


def test_live_vectors_are_ordered(catalog: Catalog) -> None:
    catalog.put([draft("a", picture="p1"), draft("b"), draft("c", picture="p2")])
    catalog.put([draft("d", picture="p1"), draft("e", picture="p3"), draft("f", picture="p2")])
    catalog.delete(ids("c"))
    catalog.store_embeddings(MODEL, {Digest("p1"): row(1), Digest("p2"): row(2)})
    assert living(catalog, Ordinal(0)) == {
        1: row(1).tolist(),
        4: row(1).tolist(),
        6: row(2).tolist(),
    }
    assert list(living(catalog, Ordinal(4))) == [6]
    with catalog.live_vectors("other", Ordinal(0)) as nothing:
        assert (nothing.sequence, nothing.count, list(nothing.portions)) == (7, 0, [])


def test_live_vectors_are_a_snapshot(catalog: Catalog) -> None:
    catalog.put([draft("a", picture="p1"), draft("b", picture="p2")])
    catalog.store_embeddings(MODEL, {Digest("p1"): row(1), Digest("p2"): row(2)})
    with catalog.live_vectors(MODEL, Ordinal(0)) as live:
        catalog.delete(ids("a"))
        catalog.put([draft("c", picture="p1")])
        found = [ordinal for ordinals, _ in live.portions for ordinal in ordinals.tolist()]
        assert (live.sequence, live.count, found) == (2, 2, [1, 2])
    assert list(living(catalog, Ordinal(0))) == [2, 3]


def living(
    catalog: Catalog, above: Ordinal, subject: Subject = "picture"
) -> dict[int, list[float]]:
    """Return every live vector by ordinal, in order of arrival."""
    found: dict[int, list[float]] = {}
    with catalog.live_vectors(MODEL, above, subject) as live:
        for ordinals, vectors in live.portions:
            assert (ordinals.dtype, vectors.dtype) == (np.dtype(np.int64), np.dtype(np.float32))
            found |= dict(zip(ordinals.tolist(), vectors.tolist(), strict=True))
    assert len(found) == live.count
    return found


def test_unembedded_are_the_pictures_without_a_vector(catalog: Catalog) -> None:
    catalog.put([draft("a", picture="p1"), draft("b", picture="p1"), draft("c", picture="p2")])
    catalog.put([draft("d"), draft("e", picture="p3")])
    catalog.delete(ids("e"))
    assert sorted(catalog.unembedded(MODEL)) == ["p1", "p2"]
    catalog.store_embeddings(MODEL, {Digest("p1"): row(1)})
    assert catalog.unembedded(MODEL) == {"p2": 3}
    assert sorted(catalog.unembedded("other")) == ["p1", "p2"]


def test_facts_of_stored_and_embedded_pictures(catalog: Catalog) -> None:
    drafts = [draft("a", picture="p1"), draft("b", picture="p2"), draft("c")]
    catalog.put(drafts)
    catalog.store_embeddings(MODEL, {Digest("p1"): row(1), Digest("p3"): row(3)})
    asked = [Digest("p1"), Digest("p2"), Digest("p3")]
    assert catalog.embedded(MODEL, asked) == {"p1": drafts[0].picture}
    assert catalog.embedded("other", asked) == catalog.embedded(MODEL, []) == {}
    catalog.delete(ids("a"))
    assert list(catalog.embedded(MODEL, asked)) == ["p1"]


def test_embedded_content_is_identified_by_a_digest(catalog: Catalog) -> None:
    first = draft("a", "하나", "p1")
    catalog.put([first, draft("b", "둘"), draft("a", "셋", "p2")])
    asked = [Ordinal(n) for n in (1, 2, 3, 9)]
    assert catalog.digests(asked, MODEL, "picture") == {1: "p1", 3: "p2"}
    assert catalog.digests(asked, MODEL, "copy") == {1: first.content, 2: "b/둘/None", 3: "a/셋/p2"}
    assert catalog.digests([], MODEL, "copy") == {}


def test_a_text_vector_is_keyed_by_its_text_while_the_same_fields_are_searched(
    catalog: Catalog,
) -> None:
    text = TextKey("copy", Digest("t1"))
    catalog.put([draft("a", "1", text=text), draft("b", "2", text=text), draft("c", "3")])
    same, other = "copy:m@0/4", "copy(+slogan):m@0/4"
    asked = [Ordinal(n) for n in (1, 2, 3)]
    contents = {1: "a/1/None", 2: "b/2/None", 3: "c/3/None"}
    assert catalog.digests(asked, same, "copy") == {1: "t1", 2: "t1", 3: contents[3]}
    assert catalog.digests(asked, other, "copy") == contents
    assert catalog.unembedded(same, "copy") == {"t1": 1, contents[3]: 3}
    catalog.store_embeddings(same, {Digest("t1"): row(1)})
    catalog.store_embeddings(other, {Digest("t1"): row(2), Digest(contents[2]): row(3)})
    assert catalog.unembedded(same, "copy") == {contents[3]: 3}
    assert set(catalog.unembedded(other, "copy")) == {contents[1], contents[3]}
    assert catalog.vector_ordinals(same, "copy").tolist() == [1, 2]
    assert catalog.vector_ordinals(other, "copy").tolist() == [2]
    with catalog.live_vectors(other, Ordinal(0), "copy") as live:
        (found,) = [rows.tolist() for _, rows in live.portions]
    assert found == [row(3).tolist()]


def test_text_vectors_are_keyed_by_content(catalog: Catalog) -> None:
    drafts = [draft("a", "하나", "p1"), draft("b", "둘"), draft("c", "셋"), draft("d", "넷")]
    catalog.put(drafts)
    catalog.delete(ids("c"))
    catalog.put([draft("d", "다섯")])
    catalog.store_embeddings(MODEL, {d.content: row(n) for n, d in enumerate(drafts)})
    catalog.store_embeddings(MODEL, {Digest("p1"): row(9)})
    assert living(catalog, Ordinal(0), "copy") == {1: row(0).tolist(), 2: row(1).tolist()}
    assert list(living(catalog, Ordinal(1), "copy")) == [2]
    assert living(catalog, Ordinal(0)) == {1: row(9).tolist()}


def test_unembedded_texts_are_listed_with_their_version(catalog: Catalog) -> None:
    drafts = [draft("a", "하나", "p1"), draft("b", "둘"), draft("c", "셋")]
    catalog.put(drafts)
    catalog.delete(ids("c"))
    catalog.store_embeddings(MODEL, {drafts[0].content: row(1)})
    assert catalog.unembedded(MODEL, "copy") == {drafts[1].content: 2}
    assert set(catalog.unembedded("other", "copy").values()) == {1, 2}


def test_two_writers_in_threads_take_turns(catalog: Catalog) -> None:
    def write(prefix: str) -> None:
        for number in range(20):
            catalog.put([draft(f"{prefix}{number}")])

    threads = [threading.Thread(target=write, args=(prefix,)) for prefix in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_SECONDS)
    assert catalog.count() == 60
    assert [o.sequence for o in catalog.operations(0, 100)] == list(range(1, 61))


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "delete"]), st.lists(st.sampled_from("abcd"), max_size=4)),
    max_size=8,
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=rounds(25, 250), deadline=None)
@given(STEPS)
def test_replaying_the_history_gives_the_live_assets(
    tmp_path_factory: pytest.TempPathFactory, kind: str, steps: list[tuple[str, list[str]]]
) -> None:
    expected: dict[str, int] = {}
    with opened(kind, tmp_path_factory.mktemp("history")) as catalog:
        for step, names in steps:
            if step == "put":
                ordinals = catalog.put([draft(name) for name in names])
                expected |= dict(zip(names, ordinals, strict=True))
            else:
                gone = catalog.delete(ids(*names))
                assert set(gone) == set(names) & set(expected)
                for name in gone:
                    del expected[name]
        alive: set[int] = set()
        for operation in catalog.operations(0, 1_000):
            assert (operation.ordinal in alive) == (operation.kind == "drop")
            alive ^= {operation.ordinal}
        assert alive == set(expected.values()) == set(catalog.newest(1_000))
        assert catalog.count() == len(expected)
