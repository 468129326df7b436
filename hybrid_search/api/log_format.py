"""Log format: one JSON object a line, or readable text on a terminal."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

_SHARED: tuple[Any, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure_logs(level: str) -> None:
    """Send the logs of this process and its libraries to standard error."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendered()],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _rendered() -> tuple[Any, ...]:
    if sys.stderr.isatty():
        return (structlog.dev.ConsoleRenderer(),)
    return structlog.processors.format_exc_info, structlog.processors.JSONRenderer()
