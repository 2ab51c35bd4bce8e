"""Another model in the user's settings, and not another byte."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from ocils.domain.errors import InvalidSettings, ModelUnavailable
from ocils.engine.models.staging import replace_text
from ocils.settings_text import with_model


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '[model]\nname = "new"\n'),
        ('[model]\nname = "old"', '[model]\nname = "new"'),
        ("[model]\nname = 'old' # why\n", '[model]\nname = "new" # why\n'),
        (
            "# top\n[model]  # here\nthreads = 2\n",
            '# top\n[model]  # here\nname = "new"\nthreads = 2\n',
        ),
        ('model.name = "old"\nrecord = false\n', 'model.name = "new"\nrecord = false\n'),
        ("record = false # keep\n", 'record = false # keep\n\n[model]\nname = "new"\n'),
        (
            '[sandbox]\nslots = 2\n\n[model]\nthreads = 1\n\n[editor]\nproposal = "ask"\n',
            '[sandbox]\nslots = 2\n\n[model]\nname = "new"\nthreads = 1\n\n[editor]\nproposal = "ask"\n',
        ),
        ('[ model ]\r\nname = "old"\r\n', '[ model ]\r\nname = "new"\r\n'),
        (
            '[workspaces."/a[b]"]\npython = "x"\n[model]\nname="o"\n',
            '[workspaces."/a[b]"]\npython = "x"\n[model]\nname="new"\n',
        ),
    ],
)
def test_only_the_name_changes(before: str, after: str) -> None:
    assert with_model(before, "new") == after


@pytest.mark.parametrize("name", ['/a "quoted" folder', "C:\\x", "é 😀", "a\nb", "/x/\x7f"])
def test_any_name_survives(name: str) -> None:
    assert tomllib.loads(with_model("# c\n", name))["model"]["name"] == name


@pytest.mark.parametrize(
    "text",
    [
        'model = { name = "old" }\n',
        'x = """\n[model]\nname = "old"\n"""\n[model]\nname = "older"\n',
        "= =",
    ],
)
def test_what_cannot_be_changed_safely_is_left_to_the_user(text: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        with_model(text, "new")
    assert caught.value.mend


def test_a_file_is_written_whole_through_a_link(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "settings.toml"
    real.parent.mkdir()
    real.write_text("old")
    real.chmod(0o600)
    link = tmp_path / "settings.toml"
    link.symlink_to(real)
    replace_text(link, "new")
    assert link.is_symlink()
    assert (real.read_text(), real.stat().st_mode & 0o777) == ("new", 0o600)
    replace_text(tmp_path / "not" / "there" / "yet.toml", "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelUnavailable, match="cannot write"):
        replace_text(tmp_path / "file" / "settings.toml", "x")
    assert sorted(each.name for each in real.parent.iterdir()) == ["settings.toml"]
