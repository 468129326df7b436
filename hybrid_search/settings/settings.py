"""The settings: one TOML file, overridden by the environment, read once and range-checked.

``HYBRID_SEARCH_FUSION__RANK_CONSTANT=20`` overrides ``rank_constant`` in section ``[fusion]``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from hybrid_search.core.errors import InvalidConfig
from hybrid_search.core.field_schema import Fields
from hybrid_search.settings.environment import check_environment
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
"""Looked for in the data folder when no file is named."""


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    data_dir: Path = Path("hybrid-search-data")
    """The folder that holds everything."""
    embedding: EmbeddingSection = EmbeddingSection()
    """Which model turns pictures and texts into vectors."""
    lexical: LexicalSection = LexicalSection()
    """How copy is analysed."""
    fields: dict[str, FieldSection] = {}
    """What fields are for, by name: ``[fields.price]``."""
    vector: VectorSection = VectorSection()
    """How nearest neighbours are found."""
    fusion: FusionSection = FusionSection()
    """How the lists become one."""
    feedback: FeedbackSection = FeedbackSection()
    """What is kept of searches and clicks."""
    pictures: PictureSection = PictureSection()
    """Which pictures are accepted."""
    ingest: IngestSection = IngestSection()
    """How assets come in."""
    storage: StorageSection = StorageSection()
    """How what is stored is kept safe."""
    server: ServerSection = ServerSection()
    """The service."""

    @model_validator(mode="after")
    def _check_fields(self) -> Settings:
        self.declared_fields()
        return self

    def declared_fields(self) -> Fields:
        """The declaration as a record; raises ``InvalidConfig`` for a rule that cannot hold."""
        return Fields({name: section.rule(name) for name, section in self.fields.items()})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What overrides what: arguments, then the environment, then the file."""
        file = cls.model_config.get("toml_file")
        toml = TomlConfigSettingsSource(settings_cls, toml_file=file)
        return init_settings, env_settings, toml


def load_settings(data_dir: Path | None = None, file: Path | None = None) -> Settings:
    """The settings from a TOML file, the environment and the data folder given, in rising order.

    Without ``file``, ``hybrid_search.toml`` in the data folder is read where it exists.
    Raises ``InvalidConfig`` that names each wrong key, its value and its limit.
    """
    if file is None and data_dir is not None and (data_dir / CONFIG_NAME).is_file():
        file = data_dir / CONFIG_NAME
    if file is not None and not file.is_file():
        raise InvalidConfig(f"config: no file at {file}")
    given: dict[str, Any] = {} if data_dir is None else {"data_dir": data_dir}

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    check_environment(os.environ, _PREFIX, setting_names())
    try:
        return FromFile(**given)
    except ValidationError as failure:
        raise InvalidConfig(_explain(failure)) from None
    except SettingsError as failure:
        raise InvalidConfig(f"config: {failure}; in the environment sections are JSON") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as failure:
        raise InvalidConfig(f"config: {file} cannot be read as TOML: {failure}") from None


def with_vectors(settings: Settings, kind: str | None, storage: str | None) -> Settings:
    """The same with another kind and storage of the vector index; raises ``InvalidConfig``."""
    given = {name: v for name, v in (("kind", kind), ("storage", storage)) if v is not None}
    return with_changes(settings, {"vector": given})


def with_changes(settings: Settings, changes: Mapping[str, Mapping[str, Any]]) -> Settings:
    """The same with other values in ``lexical``, ``vector`` or rules of ``fields``.

    Raises ``InvalidConfig`` that names what is wrong.
    """
    update: dict[str, Any] = {}
    try:
        for name, given in changes.items():
            if name == "fields":
                rules = {
                    field: _changed(settings.fields.get(field), rule)
                    for field, rule in given.items()
                }
                update[name] = {**settings.fields, **rules}
            else:
                update[name] = _changed(getattr(settings, name), given)
        changed = settings.model_copy(update=update)
        changed.declared_fields()
    except ValidationError as failure:
        raise InvalidConfig(_explain(failure).replace("config: ", f"{name}.")) from None
    return changed


def _changed(section: Section | None, given: Mapping[str, Any]) -> Section:
    """The section with these values in place of its own."""
    kind = FieldSection if section is None else type(section)
    own = {} if section is None else section.model_dump(exclude_unset=True)
    return kind(**{**own, **given})


def setting_names(section: type[BaseModel] = Settings, prefix: str = "") -> list[str]:
    """Every setting with its section, in order: ``fusion.rank_constant``."""
    names = []
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names += setting_names(inner, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def _explain(failure: ValidationError) -> str:
    """Each wrong setting on a line of its own."""
    lines = []
    for error in failure.errors():
        name = ".".join(str(part) for part in error["loc"])
        lines.append(f"config: {name} = {error['input']!r}: {error['msg']}")
    return "\n".join(lines)
