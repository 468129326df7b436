"""The analyzer and the synonyms that the settings name."""

from __future__ import annotations

from functools import cache

from hybrid_search.analysis.analyzer import Analyzer
from hybrid_search.analysis.kiwi import KiwiAnalyzer
from hybrid_search.analysis.rules import RulesAnalyzer
from hybrid_search.analysis.synonyms import SynonymFile
from hybrid_search.core.errors import InvalidConfig
from hybrid_search.settings.settings import Settings


def make_analyzer(settings: Settings) -> Analyzer:
    """The configured analyzer; equal user words share one Kiwi dictionary."""
    if settings.lexical.analyzer == "rules":
        return RulesAnalyzer()
    return _kiwi(settings.lexical.user_words)


@cache
def _kiwi(user_words: tuple[str, ...]) -> KiwiAnalyzer:
    return KiwiAnalyzer(user_words)


def open_synonyms(settings: Settings) -> SynonymFile:
    """The configured synonyms, else those of the data folder; none without a file."""
    named = settings.lexical.synonyms
    if named is not None and not named.is_file():
        raise InvalidConfig(f"lexical.synonyms: no file at {named}")
    return SynonymFile(named or settings.data_dir / "synonyms.txt")
