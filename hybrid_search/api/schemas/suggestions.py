"""Suggestions as JSON."""

from __future__ import annotations

from typing_extensions import TypedDict

from hybrid_search.search.searcher import Suggested


class CompletionJson(TypedDict):
    """A completion, and how many assets contain it."""

    text: str
    assets: int


class SuggestionsJson(TypedDict):
    """Completions of the typed text, and corrections of it."""

    completions: list[CompletionJson]
    did_you_mean: list[str]


def suggestions_to_json(found: Suggested) -> SuggestionsJson:
    """The suggestions as a JSON object."""
    return {
        "completions": [{"text": c.text, "assets": c.assets} for c in found.completions],
        "did_you_mean": list(found.did_you_mean),
    }
