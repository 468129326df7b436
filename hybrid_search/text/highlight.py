"""Where a text matches a query, as stretches of the original."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from hybrid_search.records import Asset, Span
from hybrid_search.text.analysis import Analyzer, Term, analyse
from hybrid_search.text.atoms import atoms, phrase_terms
from hybrid_search.text.normalise import normalise
from hybrid_search.text.query_language import ParsedQuery
from hybrid_search.text.synonyms import Synonyms


def highlight(
    query: ParsedQuery, asset: Asset, analyzer: Analyzer, synonyms: Synonyms
) -> tuple[Span, ...]:
    """The matching stretches of every copy field, in order of field and start, merged."""
    wanted = [c for c in query.clauses if c.occur != "not" and c.field is None]
    asked = [c.text for c in wanted if c.kind == "words"]
    asked += [o for text in asked for w in normalise(text).text.split() for o in synonyms.of(w)]
    words = {term.text for text in asked for term in analyse(text, analyzer).words}
    sequences = [
        (_sequence(part, open_end=clause.kind == "prefix"), clause.kind == "prefix")
        for clause in wanted
        for part in ([clause.text] if clause.kind != "words" else clause.text.split())
    ]
    runs: dict[str, int] = defaultdict(int)
    spans: list[Span] = []
    for run in asset.copy_fields():
        analysed = analyse(run.text, analyzer)
        found = [(t.start, t.end) for t in analysed.words if t.text in words]
        for sequence, open_end in sequences:
            found += find_sequence(analysed.exact, sequence, open_end=open_end)
        spans += [Span(run.name, s, e, runs[run.name]) for s, e in _merged(found)]
        runs[run.name] += 1
    return tuple(spans)


def find_sequence(
    terms: Iterable[Term], wanted: list[str], *, open_end: bool = False
) -> list[tuple[int, int]]:
    """The stretches [start, end) in which the wanted terms stand at successive positions.

    With ``open_end`` the last may be the beginning of a term.
    """
    at: dict[int, list[Term]] = defaultdict(list)
    for term in terms:
        at[term.position].append(term)
    found = []
    for start in list(at) if wanted else ():
        held = [
            _pick(at.get(start + step, ()), text, open_end and step == len(wanted) - 1)
            for step, text in enumerate(wanted)
        ]
        real = [term for term in held if term is not None]
        if len(real) == len(wanted):
            found.append((real[0].start, real[-1].end))
    return found


def _pick(terms: Iterable[Term], wanted: str, beginning: bool) -> Term | None:
    """The term of one position that is the wanted one, or begins with it."""
    for term in terms:
        if term.text == wanted or (beginning and term.text.startswith(wanted)):
            return term
    return None


def _sequence(text: str, *, open_end: bool) -> list[str]:
    return phrase_terms(atoms(normalise(text).text), loose=True, open_end=open_end)


def _merged(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
