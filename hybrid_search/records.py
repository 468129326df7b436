"""The frozen values that travel along both roads.

They know nothing of stores, libraries or wire formats. Sequences are tuples and mappings are
never changed after they were built, so a record may be shared between threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, NewType, get_args

AssetId = NewType("AssetId", str)
"""The caller's name of an asset; stable over all its versions."""

Ordinal = NewType("Ordinal", int)
"""The number of one version of one asset; from 1 upwards, never reused, below 2**63."""

Digest = NewType("Digest", str)
"""The SHA-256 of some content, as 64 lower-case hexadecimal digits."""

AttributeValue = str | int | float | bool | tuple[str, ...]
"""What an attribute may hold. Dates are ISO 8601 texts, which sort as dates do."""


@dataclass(frozen=True, slots=True)
class CopyField:
    """One run of text of an asset. A phrase never crosses from one run into another."""

    name: str
    text: str
    boost: int = 1
    """How often a word in it counts against the same word elsewhere."""

    @property
    def field(self) -> str:
        """The field it belongs to: all translations are ``texts``."""
        return self.name.partition(".")[0] if self.name.startswith("texts.") else self.name


@dataclass(frozen=True, slots=True)
class Asset:
    """An advertising asset: a picture with copy, or either alone."""

    id: AssetId
    title: str = ""
    body: str = ""
    brand: str = ""
    campaign: str = ""
    tags: tuple[str, ...] = ()
    language: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    starts: str = ""
    ends: str = ""
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)

    def copy_fields(self) -> tuple[CopyField, ...]:
        """The texts of the standard fields, in reading order, empty ones left out.

        Every tag is a run of its own; a translation is named ``texts.<language>``.
        """
        runs = [CopyField("title", self.title), CopyField("body", self.body)]
        runs += [CopyField(f"texts.{code}", text) for code, text in sorted(self.texts.items())]
        runs += [CopyField("brand", self.brand), CopyField("campaign", self.campaign)]
        runs += [CopyField("tags", tag) for tag in self.tags]
        return tuple(run for run in runs if run.text.strip())

    def facets(self) -> Iterator[tuple[str, AttributeValue]]:
        """The (field, value) pairs that a filter can name, empty ones left out.

        Attributes appear under their own name, beside the standard fields.
        """
        standard = ("brand", "campaign", "tags", "language", "source", "starts", "ends")
        for name in standard:
            if value := getattr(self, name):
                yield name, value
        yield "id", self.id
        yield from self.attributes.items()


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What is known of a checked picture, as a person would see it (turned upright)."""

    digest: Digest
    format: str
    width: int
    height: int
    bytes: int
    placeholder: str
    """The mean colour as ``#rrggbb``, to paint while the thumbnail loads."""

    @property
    def aspect(self) -> float:
        """Width divided by height."""
        return self.width / self.height

    @property
    def orientation(self) -> str:
        """``square`` within 5 % of equal sides, else ``landscape`` or ``portrait``."""
        if abs(self.aspect - 1.0) <= 0.05:
            return "square"
        return "landscape" if self.aspect > 1.0 else "portrait"


@dataclass(frozen=True, slots=True)
class StoredAsset:
    """One version of an asset as the catalog holds it."""

    ordinal: Ordinal
    asset: Asset
    picture: PictureFacts | None
    updated_at: str
    """UTC, ISO 8601, to the second."""

    def facets(self) -> Iterator[tuple[str, AttributeValue]]:
        """The asset's facets, and ``width``, ``height``, ``aspect`` and ``orientation``."""
        yield from self.asset.facets()
        yield "has_picture", self.picture is not None
        if self.picture is not None:
            yield "width", self.picture.width
            yield "height", self.picture.height
            yield "aspect", round(self.picture.aspect, 4)
            yield "orientation", self.picture.orientation


# ------------------------------------------------------------------------------- filters


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Matches assets whose field holds at least one of the values (texts are case-folded)."""

    field: str
    values: tuple[str | int | float | bool, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Matches assets whose field lies in the closed range; ``None`` leaves a side open.

    Both bounds are numbers or both are texts (ISO dates among them, compared as texts).
    """

    field: str
    low: str | float | None = None
    high: str | float | None = None


@dataclass(frozen=True, slots=True)
class Prefix:
    """Matches assets whose text field begins with these characters (case-folded)."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Exists:
    """Matches assets that have any value in the field."""

    field: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """Matches assets that every one of the filters matches; all assets when there is none."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """Matches assets that any one of the filters matches; none when there is none."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Matches assets that the filter does not match."""

    filter: Filter


Filter = AnyOf | Between | Prefix | Exists | AllOf | OneOf | Not

# ------------------------------------------------------------------------------- queries

ListName = Literal["phrase", "lexical", "text_to_image", "copy_semantic", "image_to_image"]
"""The ranked lists that a query can be answered from."""

LIST_NAMES: tuple[ListName, ...] = get_args(ListName)
"""All of them, in the order that settles ties."""


@dataclass(frozen=True, slots=True)
class Example:
    """What pictures shall be like: the bytes of one, an asset that has one, or a description.

    A negative weight asks for pictures unlike it.
    """

    picture: bytes | None = None
    id: AssetId | None = None
    text: str | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ListSettings:
    """How one list takes part: how many candidates it may give, and what a rank is worth."""

    window: int
    weight: float


@dataclass(frozen=True, slots=True)
class FusionSettings:
    """Reciprocal rank fusion: its rank constant and each list's window and weight."""

    rank_constant: float
    lists: Mapping[ListName, ListSettings]


@dataclass(frozen=True, slots=True)
class Sort:
    """An order by the value of a field instead of by relevance; assets without it come last."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody asks for: words, pictures, or both, within a filter."""

    text: str = ""
    examples: tuple[Example, ...] = ()
    filter: Filter | None = None
    size: int = 10
    offset: int = 0
    cursor: str | None = None
    fusion: FusionSettings | None = None
    """``None`` asks for the configured settings."""
    min_similarity: float | None = None
    """Cosine below which pictures are no candidates."""
    sort: Sort | None = None
    facets: tuple[str, ...] = ()
    """Fields whose values are counted over all matches."""
    highlight: bool = False
    """Whether hits say where in their copy the words stand."""
    explain: bool = False
    """Whether hits say what each list gave them; highlights too."""


# ------------------------------------------------------------------------------- answers


@dataclass(frozen=True, slots=True)
class CandidateList:
    """One retriever's answer, best first; equal scores stand in order of ordinal."""

    name: ListName
    ordinals: tuple[Ordinal, ...]
    scores: tuple[float, ...]
    window: int
    total: int | None = None
    """How many assets match at all, where the retriever knows; ``None`` for nearest match."""
    plan: str = ""
    """How the list was found, for people: ``flat, exact, 1,455 vectors``."""

    @property
    def exhausted(self) -> bool:
        """Whether the list holds all that match, so that an absent asset does not match."""
        return self.total is not None and self.total <= len(self.ordinals)


Absence = Literal["not_matched", "below_window"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one list gave to one hit."""

    list: ListName
    rank: int | None
    """From 1; ``None`` when the hit is absent from the list."""
    score: float | None
    """The retriever's own score; of an absent hit, its score where that can be known."""
    weight: float
    contribution: float
    absent: Absence | None = None


class FusedHit(NamedTuple):
    """One asset in the fused order."""

    ordinal: Ordinal
    score: float
    phrases: int
    """How many of the query's quoted phrases the hit contains: the strict tier it stands in."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one field's text, as character offsets into the original: [start, end)."""

    field: str
    start: int
    end: int
    index: int = 0
    """Which run of that field's name, for fields with several (tags)."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One result, ready to be shown."""

    rank: int
    score: float
    stored: StoredAsset
    phrases: int
    matched_fields: tuple[str, ...] = ()
    highlights: tuple[Span, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    """Filled when the query asked to explain."""


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value of a field, and how many of the matches hold it."""

    value: str | int | float | bool
    assets: int


@dataclass(frozen=True, slots=True)
class ListReport:
    """What one list did for one answer."""

    name: ListName
    window: int
    weight: float
    found: int
    total: int | None
    plan: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A page of hits and how it came about."""

    hits: tuple[Hit, ...]
    candidates: int
    """How many fused candidates there are to page through."""
    cursor: str | None
    """Asks for the next page; ``None`` on the last one."""
    sequence: int
    """The last operation this answer saw."""
    phrases: tuple[str, ...]
    notes: tuple[str, ...]
    did_you_mean: tuple[str, ...]
    """The query with unknown words replaced by near ones, likeliest first."""
    facets: Mapping[str, tuple[FacetValue, ...]]
    """For each field asked for, its values, those of most assets first, then by value."""
    lists: tuple[ListReport, ...]
    rank_constant: float
    took_ms: float
