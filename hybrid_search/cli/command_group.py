"""A group of commands whose modules are imported when a command is used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup
from typer.main import get_command


class CommandGroup(TyperGroup):
    """Commands by name; the one named ``a b`` is the function ``command`` of ``cli/a_b.py``."""

    helps: ClassVar[Mapping[str, str]]
    """The first line of each command's help, so that listing the commands imports none."""
    groups: ClassVar[Mapping[str, str]]
    """The help of each group of commands."""

    def __init__(self, *, prefix: str = "", **options: Any) -> None:
        super().__init__(**options)
        own = {n.removeprefix(prefix): h for n, h in self.helps.items() if n.startswith(prefix)}
        self._lines = {name: line for name, line in own.items() if " " not in name}
        if not prefix:
            self._lines |= self.groups
        self.commands: Any = _Commands(self._lines, lambda name: self._command(prefix + name))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the name and the help of each command."""
        with formatter.section("Commands"):
            formatter.write_dl([*self._lines.items()])

    def _command(self, name: str) -> Any:
        if name in self.groups:
            options = {"help": self.groups[name], "no_args_is_help": True}
            return type(self)(prefix=f"{name} ", name=name, rich_markup_mode=None, **options)
        module = importlib.import_module(f"{__package__}.{name.replace(' ', '_')}")
        single = typer.Typer(
            add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
        )
        single.command(name.rpartition(" ")[2])(module.command)
        return get_command(single)


class _Commands(Mapping[str, Any]):
    """Commands by name, each made when it is first looked up."""

    def __init__(self, names: Mapping[str, str], make: Callable[[str], Any]) -> None:
        self._names = names
        self._make = make
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
