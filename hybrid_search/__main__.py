"""``python -m hybrid_search``: the command line."""

from hybrid_search.cli.main import run

if __name__ == "__main__":
    run()
