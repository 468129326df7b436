"""The package contains no code that runs data, fetches URLs or prints."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import hybrid_search

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(hybrid_search.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
RUN_DATA = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "jsonpickle"}
FETCH = {"urllib.request", "http.client", "requests", "httpx", "aiohttp", "urllib3", "ftplib"}
CALLS = {"eval", "exec", "compile", "__import__", "print"}


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield module and name of each import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def called(tree: ast.Module) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the called names with their keyword arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            named = {word.arg or "**": ast.unparse(word.value) for word in node.keywords}
            yield ast.unparse(node.func), named


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_package_runs_no_data_and_fetches_nothing(path: Path) -> None:
    tree = tree_of(path)
    for module, name in imports(tree):
        # Only the exception, to reject weights that contain code.
        assert module.split(".")[0] not in RUN_DATA or name == "UnpicklingError"
        assert module not in FETCH
        assert module != "httpcore" or path.name == "writer_proxy.py"
    for function, named in called(tree):
        assert function not in CALLS
        # The only client connects to a socket of this service, not to an address.
        assert "uds" in named or not function.startswith("httpcore.AsyncConnectionPool")
        assert named.get("allow_pickle", "False") == "False"
        assert named.get("shell", "False") == "False"
        assert not function.endswith("jit.load")
        assert named.get("weights_only") == "True" or not function.endswith("torch.load")
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree))


SCRIPTS = sorted(path for name in ("bench", "tools") for path in (ROOT / name).rglob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_scripts_import_existing_names(path: Path) -> None:
    for module, name in imports(tree_of(path)):
        if module.split(".")[0] == "hybrid_search":
            assert not name or hasattr(importlib.import_module(module), name), f"{module}.{name}"


def test_source_files_are_found() -> None:
    assert len(FILES) > 100
    assert {path.name for path in FILES} >= {"decoder_pool.py", "clip_loader.py", "app.py"}
