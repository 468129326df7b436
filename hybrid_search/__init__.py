"""A search engine for advertising assets: exact words, meaning and likeness, Korean and English."""

__version__: str


def __getattr__(name: str) -> str:
    """The version, read from the installed package when it is asked for."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # This import takes a tenth of a second on a slow machine, and most commands need no version.
    from importlib.metadata import version  # noqa: PLC0415

    return version(__name__)
