"""The manifests of the languages: each is whole, and names and project files tell which is meant."""

from __future__ import annotations

import importlib.util

import pytest

from ocils.languages.shelf import (
    is_editable,
    is_test_of,
    language,
    language_called,
    language_of,
    languages,
    recognise,
)
from ocils.source.queried import query


@pytest.mark.parametrize("known", languages(), ids=lambda each: each.name)
def test_a_manifest_is_whole(known: object) -> None:
    """Every query and grammar it names can be had, and every runner can be told apart."""
    from ocils.languages.manifest import Language

    assert isinstance(known, Language)
    assert known.hint
    assert known.runners
    assert len({runner.name for runner in known.runners}) == len(known.runners)
    for runner in known.runners:
        parts = [*runner.command, *runner.environment.values(), runner.written]
        assert any("{report}" in part for part in parts) or runner.written, runner.name
        assert runner.program == runner.command[0]
    if known.grammar is not None:
        assert importlib.util.find_spec(known.grammar.module) is not None
        for text in (known.grammar.functions, known.grammar.tests, known.grammar.imports):
            query(known.name, text)
        for each in known.edits.rewrites if known.edits else ():
            query(known.name, each.query)


def test_names_and_identifiers_mean_languages() -> None:
    assert language_of("a.mjs") == "javascript"
    assert language_of("a.py") == "python"
    assert language_of("Makefile") == "python"
    assert language_of("Makefile", "") == ""
    assert language_called("javascript", "/w/untitled") == "javascript"
    assert language_called("plaintext", "/w/notes.txt") == ""
    assert language_called("javascript", "/w/a.py") == "python"
    assert is_editable("python")
    assert is_editable("javascript")
    assert not is_editable("go")
    assert language("python") is None
    assert is_test_of("test/a.js", "javascript")


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ('{"scripts": {"test": "node --test"}}', "node"),
        ('{"scripts": {"test": "node --import tsx --test test/"}}', "node"),
        ('{"scripts": {"test": "vitest run"}}', "vitest"),
        ('{"devDependencies": {"vitest": "^2"}}', "vitest"),
        ('{"scripts": {"test": "jest --coverage"}}', "jest"),
        ('{"scripts": {"test": "mocha"}}', None),
        ("{}", None),
        ("not JSON", None),
        ("[" * 100_000, None),
        ('{"scripts": []}', None),
    ],
)
def test_a_workspace_shows_its_runner(package: str, name: str | None) -> None:
    files = {"package.json": package.encode()}
    found = recognise("javascript", files.get)
    assert (found.name if found else None) == name


def test_a_workspace_without_a_project_file_has_no_runner() -> None:
    assert recognise("javascript", lambda _: None) is None
    assert recognise("python", lambda _: b"") is None
