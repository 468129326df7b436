"""The environment variables that set settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

import orjson
from pydantic import BaseModel

from hybrid_search.core.errors import InvalidConfig


def check_environment(environment: Mapping[str, str], prefix: str, names: Iterable[str]) -> None:
    """Raise ``InvalidConfig`` for a variable with the prefix that names no setting or section.

    ``names`` are settings with their sections, such as ``fusion.rank_constant``.
    """
    settings = [prefix + name.upper().replace(".", "__") for name in names]
    sections = {
        name.rsplit("__", depth)[0] for name in settings for depth in range(1, name.count("__") + 1)
    }
    known = {*settings, *sections}
    for variable in (name.upper() for name in environment):
        if variable.startswith(prefix) and variable not in known:
            similar = difflib.get_close_matches(variable, settings, 1)
            hint = f"; did you mean {similar[0]}?" if similar else ""
            raise InvalidConfig(f"config: {variable} is not a setting{hint}")


def environment_values(
    environment: Mapping[str, str], prefix: str, model: type[BaseModel]
) -> dict[str, Any]:
    """The values that variables set, nested as in the settings file.

    ``PREFIX_SECTION`` is a JSON object, ``PREFIX_SECTION__KEY`` a value that overrides one of it.
    Lists and tables are JSON. Raises ``InvalidConfig`` for what should be JSON and is not.
    """
    return _values({name.upper(): value for name, value in environment.items()}, prefix, model)


def merged(values: Mapping[str, Any], overriding: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the overriding ones in place of theirs, table by table."""
    result = dict(values)
    for name, value in overriding.items():
        own = result.get(name)
        if isinstance(own, dict) and isinstance(value, dict):
            result[name] = merged(own, value)
        else:
            result[name] = value
    return result


def _values(variables: Mapping[str, str], prefix: str, model: type[BaseModel]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        variable = prefix + name.upper()
        kind: Any = field.annotation
        if variable in variables:
            values[name] = _value(variable, variables[variable], kind)
        if _is_section(kind):
            keys = _values(variables, f"{variable}__", kind)
            values = merged(values, {name: keys} if keys else {})
    return values


def _value(variable: str, text: str, kind: Any) -> Any:
    """The text, or what it says as JSON where the setting is a list or a table."""
    members = get_args(kind) if get_origin(kind) is not tuple else ()
    collections = [m for m in (kind, *members) if get_origin(m) in {tuple, dict} or _is_section(m)]
    if not collections:
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if kind not in collections:
            return text
        setting = variable.partition("SEARCH_")[2].lower().replace("__", ".")
        raise InvalidConfig(f"config: {setting} = {text!r}: {variable} must be JSON") from None


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
