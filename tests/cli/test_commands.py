"""The list of commands agrees with the modules that it names."""

from pathlib import Path
from typing import Any

import pytest
import typer.main

from hybrid_search import cli
from hybrid_search.cli.main import COMMANDS, GROUPS, app

GROUP: Any = typer.main.get_command(app)


def command(name: str) -> Any:
    group, _, own = name.rpartition(" ")
    return (GROUP.commands[group] if group else GROUP).commands[own]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_listed_help_is_the_first_line_of_the_command(name: str) -> None:
    assert command(name).help.split("\n\n")[0] == COMMANDS[name]
    assert command(name).name == name.rpartition(" ")[2]


def test_every_module_with_a_command_is_listed() -> None:
    folder = Path(str(cli.__file__)).parent
    defined = {p.stem for p in folder.glob("*.py") if "\ndef command(" in p.read_text("utf-8")}
    assert defined == {name.replace(" ", "_") for name in COMMANDS}
    assert {name.partition(" ")[0] for name in COMMANDS if " " in name} == set(GROUPS)
