"""All settings: read from a TOML file and the environment, validated, immutable.

``HYBRID_SEARCH_FUSION__RANK_CONSTANT=20`` overrides ``rank_constant`` in section ``[fusion]``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from hybrid_search.core.errors import InvalidConfig
from hybrid_search.core.field_schema import Fields
from hybrid_search.settings.environment import check_environment, environment_values, merged
from hybrid_search.settings.sections import (
    EmbeddingSection,
    FeedbackSection,
    FieldSection,
    FusionSection,
    IngestSection,
    LexicalSection,
    PictureSection,
    Section,
    ServerSection,
    StorageSection,
    VectorSection,
)

_PREFIX = "HYBRID_SEARCH_"
CONFIG_NAME = "hybrid_search.toml"
"""The file that is read from the data folder when no other file is given."""


class Settings(BaseModel):
    """All settings of the package."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data_dir: Path = Path("hybrid-search-data")
    """The folder of the index."""
    embedding: EmbeddingSection = EmbeddingSection()
    """The model that embeds pictures and texts."""
    lexical: LexicalSection = LexicalSection()
    """Text analysis."""
    fields: dict[str, FieldSection] = {}
    """How fields are used, by name: ``[fields.price]``."""
    vector: VectorSection = VectorSection()
    """The vector index."""
    fusion: FusionSection = FusionSection()
    """Fusion of the candidate lists."""
    feedback: FeedbackSection = FeedbackSection()
    """The log of searches and clicks."""
    pictures: PictureSection = PictureSection()
    """Limits on pictures."""
    ingest: IngestSection = IngestSection()
    """Indexing of assets."""
    storage: StorageSection = StorageSection()
    """Safety of stored data."""
    server: ServerSection = ServerSection()
    """The HTTP service."""

    @model_validator(mode="after")
    def _check_fields(self) -> Settings:
        self.declared_fields()
        return self

    def declared_fields(self) -> Fields:
        """The declared fields; raises ``InvalidConfig`` for a rule that a field cannot have."""
        return Fields({name: section.rule(name) for name, section in self.fields.items()})


def load_settings(data_dir: Path | None = None, file: Path | None = None) -> Settings:
    """The settings from ``file``, overridden by the environment, overridden by ``data_dir``.

    Without ``file``, ``hybrid_search.toml`` in the data folder is read if it exists.
    Raises ``InvalidConfig`` naming each wrong key, its value and its limit.
    """
    if file is None and data_dir is not None and (data_dir / CONFIG_NAME).is_file():
        file = data_dir / CONFIG_NAME
    if file is not None and not file.is_file():
        raise InvalidConfig(f"config: no file at {file}")
    check_environment(os.environ, _PREFIX, setting_names())
    values = merged(_from_file(file), environment_values(os.environ, _PREFIX, Settings))
    if data_dir is not None:
        values["data_dir"] = data_dir
    try:
        return Settings(**values)
    except ValidationError as failure:
        raise InvalidConfig(_explain(failure)) from None


def _from_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as failure:
        raise InvalidConfig(f"config: {file} cannot be read as TOML: {failure}") from None


def with_vectors(settings: Settings, kind: str | None, storage: str | None) -> Settings:
    """The settings with another vector index kind or storage; raises ``InvalidConfig``."""
    given = {name: v for name, v in (("kind", kind), ("storage", storage)) if v is not None}
    return with_changes(settings, {"vector": given})


def with_changes(settings: Settings, changes: Mapping[str, Mapping[str, Any]]) -> Settings:
    """The settings with other values in ``lexical``, ``vector`` or rules of ``fields``.

    Raises ``InvalidConfig`` naming what is wrong.
    """
    update: dict[str, Any] = {}
    try:
        for name, given in changes.items():
            update[name] = (
                _changed_fields(settings, given)
                if name == "fields"
                else _changed(getattr(settings, name), given)
            )
        changed = settings.model_copy(update=update)
        changed.declared_fields()
    except ValidationError as failure:
        raise InvalidConfig(_explain(failure).replace("config: ", f"{name}.")) from None
    return changed


def _changed_fields(
    settings: Settings, rules: Mapping[str, Mapping[str, Any]]
) -> dict[str, Section]:
    """The field sections with the given rules in place of those of the same fields."""
    changed = {name: _changed(settings.fields.get(name), rule) for name, rule in rules.items()}
    return {**settings.fields, **changed}


def _changed(section: Section | None, given: Mapping[str, Any]) -> Section:
    """The section with the given values in place of its own."""
    kind = FieldSection if section is None else type(section)
    own = {} if section is None else section.model_dump(exclude_unset=True)
    return kind(**{**own, **given})


def setting_names(section: type[BaseModel] = Settings, prefix: str = "") -> list[str]:
    """Every setting with its section, such as ``fusion.rank_constant``, in order."""
    names = []
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names += setting_names(inner, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def _explain(failure: ValidationError) -> str:
    """One line for each wrong setting."""
    lines = []
    for error in failure.errors():
        name = ".".join(str(part) for part in error["loc"])
        lines.append(f"config: {name} = {error['input']!r}: {error['msg']}")
    return "\n".join(lines)
