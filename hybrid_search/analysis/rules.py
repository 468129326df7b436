"""Korean analysis by a list of particles, without a dictionary."""

from __future__ import annotations

import re

from hybrid_search.analysis.analyzer import Morpheme

_PARTICLE = re.compile(
    "(?:에서만|에서는|에게서|으로는|까지는|부터는|에서|에게|한테|으로|까지|부터|처럼|보다|마다"
    "|조차|마저|이나|이라|에는|에도|와는|과는|들[이을은의]?|[이가을를은는의에도만와과로랑])$"
)
_WORD = re.compile("[\uac00-\ud7a3]+")


class RulesAnalyzer:
    """An ``Analyzer`` that takes every Hangul word as a noun with at most one particle."""

    @property
    def fingerprint(self) -> str:
        """A text that changes whenever the analyzer's terms may change."""
        return "rules 1 terms 5"

    def morphemes(self, normalised: str) -> list[Morpheme]:
        """The morphemes of a normalised text, in order.

        >>> [m.form for m in RulesAnalyzer().morphemes("강아지를 위한")]
        ['강아지', '를', '위한']
        """
        found = []
        for match in _WORD.finditer(normalised):
            word, start, end = match.group(), match.start(), match.end()
            # A particle is cut only after two syllables: 나이 is mostly a noun, rarely 나 with 이.
            particle = _PARTICLE.search(word, 2)
            cut = end if particle is None else start + particle.start()
            found.append(Morpheme(normalised[start:cut], "NNG", start, cut))
            if particle is not None:
                found.append(Morpheme(particle.group(), "JX", cut, end))
        return found
