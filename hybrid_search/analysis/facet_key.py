"""The key by which filters and facets compare values."""

from __future__ import annotations

import math

from hybrid_search.analysis.normalize import normalise

MAX_CHARACTERS = 1024
"""Characters of a text that are compared."""


def facet_key(value: str | float | bool) -> str:
    """The normalised value with a letter for its type.

    Equal keys are equal values: 9900 and 9900.0, ``Nike`` and ``NIKE``, but not 1, "1" and true.

    >>> facet_key("ＮＩＫＥ"), facet_key(9900), facet_key(True)
    ('snike', 'n9900.0', 'bTrue')
    """
    if isinstance(value, bool):
        return f"b{value}"
    if isinstance(value, int | float):
        return f"n{float(value)!r}"
    return f"s{normalise(value).text[:MAX_CHARACTERS]}"


def readings(text: str) -> tuple[str | float | bool, ...]:
    """The values that ``field:value`` in a query can mean: the text, and the number or boolean.

    >>> readings("9900"), readings("true"), readings("나이키")
    (('9900', 9900.0), ('true', True), ('나이키',))
    """
    if text.lower() in {"true", "false"}:
        return text, text.lower() == "true"
    try:
        number = float(text)
    except ValueError:
        return (text,)
    return (text, number) if math.isfinite(number) else (text,)
