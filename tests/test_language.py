"""The project uses the field's terms: phrases that paraphrase one are not used."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("*.py", "*.js", "*.html")
FILES = sorted(
    [
        *(path for kind in SOURCES for path in (ROOT / "hybrid_search").rglob(kind)),
        *(
            path
            for part in ("hybrid_search", "fixtures", "tools")
            for path in (ROOT / part).rglob("*.md")
        ),
        *(ROOT / "docs").glob("*.md"),
        *ROOT.glob("*.md"),
    ]
)

# The term to use, and the phrases that stand for it. An underscore or a dot beside a phrase makes
# it part of a name, which is not checked: names on disk, settings and JSON keys are contracts.
INSTEAD = {
    "confidence": (
        r"(is|are|be|been) believed",
        r"believed (in|as|so far)",
        r"how far (a list|each|it|that|they|this|what) \w* ?(is|are) believed",
        r"takes? \w+ at (its|their) word",
        r"taken at (its|their) word",
        r"lists?'s? word",
        r"words? (for|of) (a|that|each|the) hit",
    ),
    "baseline": (
        r"what is usual",
        r"usual (here|in (the|an|its) (index|list))",
        r"(its|own|index's|each index's) background",
        r"background of (each|the|an|similarit\w+)",
    ),
    "significant, better than chance": (
        r"stands? out from (chance|what)",
        r"(found|comes?|so much) by chance",
    ),
    "fusion method, score normalization": (
        r"ways? (of fusing|to fuse)",
        r"dialects?",
        r"fused? (plainly|anew)",
    ),
    "candidates of a list": (r"what (a|each|one|the|every) list (gives|gave|has given)",),
    "live": (r"the living", r"living (asset|content|id|one|version|vector)s?"),
    "deleted, tombstone": (r"the dead", r"dead (asset|id|one|row|version|vector)s?"),
    "assets that contain the phrase": (
        r"holders of",
        r"(its|more|other|whose) holders",
        r"holders",
    ),
    "segment": (r"sealed", r"(is|are) sealing"),
    "write buffer": (r"(exact|long|short|its) tail", r"(into|in) the tail"),
    "merge": (r"folded (in|into)", r"(is|are|be|was|were) folded", r"folds? the"),
    "log replay, catch up": (r"follows? the (operations|log)", r"following the (operations|log)"),
    "unavailable, missing": (r"(is|are|was|were|be) lacking", r"lacking (list|one)s?"),
    "held-out half": (
        r"(not|were|was) chosen on",
        r"told of the (other|rest|half)",
    ),
    "reported, measured": (
        r"(is|are|was|were) told(?! (apart|to|that))",
        r"told (of|by|from)",
        r"tells? of",
    ),
    "skipped, with a reason": (
        r"pass(ed|es|ing) over",
        r"to pass over",
    ),
    "ingest, query pipeline": (r"(the|both|one|straight) roads?", r"roads? (in|out)"),
    "caller": (r"asker'?s?",),
    "text (of an asset)": (
        r"meaning of copy",
        r"(searched|some|without) copy",
        r"copy (near|of near|alone)",
        r"vectors? of copy",
    ),
    "again, rebuild": (r"anew",),
    "repair": (r"puts? right", r"putting right"),
    "descending": (r"turns? (it|them) round",),
    "the process, the client, the user": (r"whoever('s)?",),
    "continues": (r"goes on where",),
}

# Contracts, and sentences in which a phrase has its ordinary meaning, by file.
EXCEPTIONS: dict[str, tuple[str, ...]] = {
    # A key of the status, and the metric of that name.
    "hybrid_search/engine/status.py": ('"sealed":', "``sealed``", "sealed: int"),
    "hybrid_search/api/metrics.py": ('"sealed":',),
}

PATTERNS = {
    term: re.compile(rf"(?<![\w.])(?:{'|'.join(phrases)})(?!\w)", re.IGNORECASE)
    for term, phrases in INSTEAD.items()
}


def prose_of(path: Path) -> str:
    """The file's text in one line; a comment that goes over several lines reads as one."""
    return re.sub(r"\s+(?:#+|//|\*)?\s*", " ", path.read_text("utf-8"))


def paraphrases(path: Path) -> Iterator[str]:
    """Each phrase that the file should not use, with its surroundings and the term instead."""
    text = prose_of(path)
    for allowed in EXCEPTIONS.get(path.relative_to(ROOT).as_posix(), ()):
        text = text.replace(allowed, "")
    for term, pattern in PATTERNS.items():
        for found in pattern.finditer(text):
            around = text[max(0, found.start() - 40) : found.end() + 40]
            yield f"…{around}…: write {term}, not {found[0]!r}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_terms_are_the_fields(path: Path) -> None:
    assert list(paraphrases(path)) == []
