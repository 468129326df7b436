"""Which libraries a command imports: those that it needs, and no others."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MODEL = {"open_clip", "torch", "torchvision", "timm", "transformers", "safetensors", "ftfy"}
SERVICE = {"starlette", "uvicorn", "prometheus_client", "structlog", "httpcore", "asyncio"}
LAB = {"ir_measures", "pandas", "matplotlib", "scipy", "optuna"}
OTHER = {"pyarrow", "pydantic_settings", "filelock", "huggingface_hub", "sklearn"}
EVERY_COMMAND = MODEL | SERVICE | LAB | OTHER
HELP = EVERY_COMMAND | {"numpy", "pydantic", "rich.console", "faiss", "tantivy", "sqlite3", "PIL"}
HYBRID = {"open_clip", "torchvision", "timm", "torch._dynamo", "pyarrow", *LAB, *SERVICE} - {
    "asyncio"
}
SCRIPT = """
import sys
sys.argv = ["hybrid-search", *sys.argv[2:]]
from hybrid_search.cli.main import run
try:
    run()
except SystemExit as ended:
    assert not ended.code
sys.stderr.write("\\n".join(sys.modules))
"""


def imported(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "-", *words], capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines())


def test_help_imports_no_command() -> None:
    modules = imported("--help")
    assert not HELP & modules
    package = {name for name in modules if name.startswith("hybrid_search.")}
    assert package <= {
        "hybrid_search.cli",
        *(f"hybrid_search.cli.{name}" for name in ("main", "command_group", "exit_codes")),
    }


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (["status"], EVERY_COMMAND | {"kiwipiepy", "rapidfuzz"}),
        (["search", "summer sale", "--mode", "text"], EVERY_COMMAND | {"kiwipiepy"}),
        (["search", "여름 세일", "--mode", "text"], EVERY_COMMAND),
        (["search", "여름 세일"], HYBRID),
    ],
    ids=["status", "text without Hangul", "text with Hangul", "hybrid"],
)
def test_command_imports_what_it_needs(
    words: list[str], unneeded: set[str], demonstration: tuple[Path, dict[str, Any]]
) -> None:
    assert not unneeded & imported(*words, "--data-dir", str(demonstration[0]))
