"""Errors while loading a model, translated to messages about the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pickle import UnpicklingError  # nosec B403

from hybrid_search.core.errors import InvalidConfig
from hybrid_search.core.model_choice import ModelChoice


@contextmanager
def load_errors(choice: ModelChoice) -> Iterator[None]:
    """Translate errors while loading a model to ``InvalidConfig`` with the settings concerned."""
    try:
        yield
    except ImportError as failure:
        raise InvalidConfig(
            f"{choice.settings}: needs a package that is not installed ({failure});"
            " run: pip install 'hybrid_search[multilingual]'"
        ) from failure
    except UnpicklingError as failure:
        raise InvalidConfig(
            f"{choice.settings}: the file contains more than weights and was not read; convert it"
            " to safetensors at its source"
        ) from failure
    except (RuntimeError, ValueError, OSError, LookupError, AttributeError, TypeError) as failure:
        raise InvalidConfig(
            f"{choice.settings}: cannot be loaded, {_one_line(failure)}{_advice(choice)}"
        ) from failure


def _one_line(failure: Exception) -> str:
    return " ".join(str(failure).split())[:300] or type(failure).__name__


def _advice(choice: ModelChoice) -> str:
    if choice.source not in {"tag", "hub"}:
        return ""
    return (
        "; without network access, copy the model's folder to this machine and set"
        ' embedding.model = "local-dir:/folder"'
    )
