"""What the editors offer as settings is what the server knows: name, default, and the values allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest

from ocils.settings import UserSettings

from .code_server import ROOT

# Where code goes is set in the user's own file alone, and what holds for one workspace, too.
NOT_IN_AN_EDITOR = ("remote", "workspaces")
WHICH_SERVER = {"path", "interpreter", "importStrategy"}
THE_EXTENSIONS_OWN = WHICH_SERVER | {"trace.server", "codeLens", "testExplorer"}


def leaves(table: msgspec.Struct, above: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each setting's name, default, and type."""
    for field in msgspec.structs.fields(table):
        value = getattr(table, field.name)
        if not above and field.name in NOT_IN_AN_EDITOR:
            continue
        if isinstance(value, msgspec.Struct):
            yield from leaves(value, f"{field.name}.")
        else:
            yield above + field.name, value, field.type


SERVER = {name: (default, kind) for name, default, kind in leaves(UserSettings())}
PACKAGE = json.loads((ROOT / "editors/vscode/package.json").read_text())
OFFERED: dict[str, dict[str, Any]] = {
    name.removeprefix("ocils."): setting
    for group in PACKAGE["contributes"]["configuration"]
    for name, setting in group["properties"].items()
}


def camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def test_the_extension_offers_every_setting_and_no_other() -> None:
    assert set(OFFERED) == {camel(name) for name in SERVER} | THE_EXTENSIONS_OWN


@pytest.mark.parametrize("name", sorted(SERVER))
def test_a_setting_has_the_same_default_and_values(name: str) -> None:
    default, kind = SERVER[name]
    offered = OFFERED[camel(name)]
    assert offered["default"] == (list(default) if isinstance(default, tuple) else default)
    assert tuple(offered.get("enum", ())) == (get_args(kind) if isinstance(default, str) else ())
    assert offered["markdownDescription"]


def test_the_extension_sends_all_of_them() -> None:
    source = (ROOT / "editors/vscode/src/settings.ts").read_text()
    listed = re.findall(r"'([\w.]+)'", source[source.index("FOR_SERVER = [") : source.index("];")])
    assert sorted(listed) == sorted(camel(name) for name in SERVER)


def test_what_decides_which_programs_run_is_no_workspaces_to_say() -> None:
    for name, setting in OFFERED.items():
        if name in WHICH_SERVER or name.startswith(("model.", "sandbox.", "packages.")):
            assert setting["scope"] == "machine", name


def test_neovims_help_names_every_setting_with_its_default() -> None:
    page = (ROOT / "editors/neovim/doc/ocils.txt").read_text()
    for name, (default, _) in SERVER.items():
        shown = re.search(rf"^    {re.escape(name)} = (\S+)", page, re.MULTILINE)
        assert shown is not None, name
        written = "{}" if default == () else json.dumps(default)
        assert shown[1] == written.removesuffix(".0"), name
