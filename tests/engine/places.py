"""A user of a test's own: config and data folders, and a manifest whose model has to be pulled."""

from __future__ import annotations

from pathlib import Path

import pytest

from .hub_server import COMMIT, HubServer, Plan

READY = "us/small-ct2"
NOT_FILES = ("ocils.toml",)


class Places:
    """Where everything of that user is; ``environment`` makes a process that user's."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "config" / "ocils"
        self.installed = folder / "data" / "ocils" / "models"
        self.environment = {
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "data"),
            "HF_HOME": str(folder / "hf"),
        }
        (self.config / "models").mkdir(parents=True)

    def be(self, monkeypatch: pytest.MonkeyPatch) -> Places:
        """Let this process be that user's."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        return self

    def describe(self, small: Path, *, revision: str = COMMIT, name: str = "small") -> None:
        """Write a manifest of the small model, to be pulled from ``READY``."""
        text = (small / "ocils.toml").read_text().replace('"small"', f'"{name}"')
        text = text.replace('folder = "."\n', "")
        text = text[: text.index("[files]")] + text[text.index("[measured]") :]
        source = f'\n[source]\nrepo = "us/small"\nconverted = "{READY}"\n'
        source += f'converted_revision = "{revision}"\n' if revision else ""
        (self.config / "models" / f"{name}.toml").write_text(text + source)

    def names(self) -> list[str]:
        """Return what lies where models are installed, beginnings included."""
        return sorted(each.name for each in self.installed.glob("*"))


def hub_of(small: Path, plan: Plan = lambda asked, before: None) -> HubServer:
    """Return a hub that has the small model's files, ready for CTranslate2."""
    files = {f.name: f.read_bytes() for f in small.iterdir() if f.name not in NOT_FILES}
    return HubServer({READY: files}, plan)
