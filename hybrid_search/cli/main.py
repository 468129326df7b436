"""``hybrid-search``: every command and its help; ``hybrid-search lab run`` is ``lab_run.py``.

A command's module is imported when the command is used, so ``--help`` imports none of them.
"""

from __future__ import annotations

import warnings

import typer

from hybrid_search.cli.command_group import CommandGroup
from hybrid_search.cli.exit_codes import errors_as_exit_codes

GROUPS = {
    "lab": "Relevance experiments, judgments and clicks.",
    "index": "Experiments with the vector index.",
    "model": "Change the embedding model while the index serves.",
    "keys": "Create, list and revoke API keys.",
}
COMMANDS = {
    "demo": "Index, search and evaluate the demonstration ads, then serve them.",
    "ingest": "Index ads from manifests and folders; unchanged ads are skipped.",
    "search": "Search by words, by pictures, or by both.",
    "similar": "Find ads that look like an indexed ad or like a picture file.",
    "suggest": "Complete a partly typed query, and correct it.",
    "explain": "Explain the rank of an ad in a search, or its absence.",
    "show": "Show an ad, its earlier versions and the duplicates of its picture.",
    "serve": "Serve the API and the search page until stopped.",
    "status": "Show the state of the index.",
    "analyze": "Show the terms of a text, or run matching cases.",
    "eval": "Measure search quality over judged queries.",
    "calibrate": "Measure the baseline of similarities that confidence is computed from.",
    "rebuild": "Rebuild the indexes from the catalog.",
    "verify": "Check everything that is stored; change nothing.",
    "repair": "Repair the index from the catalog, then verify it.",
    "snapshot": "Copy everything into a new folder; a service may keep running.",
    "restore": "Fill an empty data folder from a snapshot.",
    "models": "List recommended embedding models and which of them are on this machine.",
    "model use": "Embed everything with another model, then switch to it.",
    "model rollback": "Switch back to the previous model.",
    "index lab": "Measure recall, time and memory of each kind of vector index on this corpus.",
    "keys add": "Create an API key and print it once.",
    "keys list": "List the API keys and their roles.",
    "keys remove": "Revoke an API key at once.",
    "lab run": "Compare configurations over judged queries and write a report.",
    "lab check": "Compare measures with the values that the experiment expects.",
    "lab pool": "Pool the hits of an experiment's configurations, to be judged on the page.",
    "lab export": "Write the judgments as files that eval and lab run read.",
    "lab import": "Import judgments from TREC qrels.",
    "lab agreement": "Show how far judges agree.",
    "lab clicks": "Derive judgments from clicks, corrected for position.",
    "lab interleaving": "Show which of two interleaved configurations gets more clicks.",
    "lab forget": "Delete searches and their clicks from the log.",
}


class Commands(CommandGroup):
    """All commands."""

    helps = COMMANDS
    groups = GROUPS


# Rich help pages would take most of the time of --help to import.
app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def hybrid_search() -> None:
    """Search advertising assets by exact words, by meaning and by likeness."""


def run() -> None:
    """Run the command line; errors are one line and an exit code, never a traceback."""
    # A damaged picture is reported with its row; what the decoder says on the way is noise.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    with errors_as_exit_codes():
        app()


if __name__ == "__main__":
    run()
