"""``hybrid-search model rollback``."""

from __future__ import annotations

from hybrid_search.cli.model_report import report
from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.progress import embedding_bar
from hybrid_search.settings.settings import load_settings
from hybrid_search.stores.embedded.rebuild import roll_back


def command(data_dir: DataDir = None, json: Json = False) -> None:
    """Switch back to the previous model.

    A second rollback switches to the later model again.
    """
    with embedding_bar(quiet=json) as progress:
        done = roll_back(load_settings(data_dir), progress)
    report(done, json=json)
