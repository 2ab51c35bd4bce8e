"""What the bundled model learnt from is marked, so that it is not measured there."""

from __future__ import annotations

import tomllib
from pathlib import Path

from ocils.bench.real import projects

CHECKOUT = Path(__file__).parent.parent.parent


def test_the_projects_that_are_in_the_corpus_are_marked_and_no_others() -> None:
    corpus = tomllib.loads((CHECKOUT / "models" / "tiny" / "corpus.toml").read_text())
    learnt = {each["name"] for each in corpus["package"] if each.get("use") != "held"}
    marked = {each.name for each in projects(CHECKOUT) if each.trained}
    assert marked == {each.name for each in projects(CHECKOUT)} & learnt
    assert marked
