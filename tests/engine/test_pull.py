"""Pulling and importing: whole or not at all, and in words why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import (
    EnvironmentProblem,
    ModelDamaged,
    ModelMissing,
    ModelUnavailable,
    OcilsError,
    Unsupported,
    UsageError,
)
from ocils.domain.model_state import Progress
from ocils.engine.models.hub import Hub, Stopped
from ocils.engine.models.pull import already_there, pull, wish_for
from ocils.engine.models.store import ModelFolder, find, verify
from ocils.wiring import models
from ocils.wiring.model_list import listed

from .hub_server import COMMIT, Answer, Asked, HubServer, serving
from .places import READY, Places, hub_of


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_model: ModelFolder) -> Places:
    here = Places(tmp_path).be(monkeypatch)
    here.describe(small_model.folder)
    return here


def quiet(_: Progress) -> None:
    pass


def pulled(server: HubServer, cancel: CancelToken | None = None) -> ModelFolder:
    manifest = find("small").manifest
    hub = Hub(server.url, pause=0)
    return pull(wish_for(manifest), manifest, quiet, cancel or CancelToken(), hub)


def test_a_pulled_model_is_whole_and_pinned(places: Places, small_model: ModelFolder) -> None:
    told: list[Progress] = []
    manifest = find("small").manifest
    with serving(hub_of(small_model.folder)) as server:
        hub = Hub(server.url, pause=0)
        model = pull(wish_for(manifest), manifest, told.append, CancelToken(), hub)
    verify(model)
    assert model.folder == places.installed / "small"
    assert places.names() == ["small"]
    assert set(model.manifest.files) == set(small_model.manifest.files)
    assert model.manifest.source is not None
    assert model.manifest.source.converted_revision == COMMIT
    assert already_there(wish_for(manifest)) == model
    loads = [each for each in told if each.total]
    assert [each.done for each in loads] == sorted(each.done for each in loads)
    assert loads[-1].fraction == 1


def test_an_interrupted_pull_goes_on_where_it_was(places: Places, small_model: ModelFolder) -> None:
    def broken(asked: Asked, before: int) -> Answer | None:
        return Answer(cut=20_000 if before == 0 else 0) if asked.kind == "store" else None

    with serving(hub_of(small_model.folder, broken)) as server:
        with pytest.raises(ModelUnavailable):
            pulled(server)
        assert places.names() == [".staging-small"]
        with pytest.raises(ModelMissing, match="not on this machine"):
            verify(find("small"))
        server.plan = lambda asked, before: None
        files = len(server.of("file"))
        verify(pulled(server))
        assert server.of("store")[-1].first == 20_000
        # The small ones were there already.
        assert len(server.of("file")) == files + 1
    assert places.names() == ["small"]


def test_what_was_begun_of_another_commit_is_not_gone_on_with(
    places: Places, small_model: ModelFolder
) -> None:
    staging = places.installed / ".staging-small"
    (staging / "model").mkdir(parents=True)
    (staging / "plan.json").write_text(
        json.dumps({"repo": READY, "commit": "ab" * 20, "how": "ready"})
    )
    (staging / "model" / "stray").write_text("x")
    (staging / "model" / "model.bin.part").write_bytes(b"#" * 100)
    with serving(hub_of(small_model.folder)) as server:
        model = pulled(server)
        assert {each.first for each in server.of("store")} == {0}
    assert not (model.folder / "stray").exists()


@pytest.mark.parametrize("missing", ["tokenizer.json", "config.json", "model.bin"])
def test_a_repository_that_lacks_something_is_refused_before_a_byte(
    places: Places, small_model: ModelFolder, missing: str
) -> None:
    hub = hub_of(small_model.folder)
    del hub.repos[READY][missing]
    with serving(hub) as server:
        with pytest.raises(ModelDamaged, match=f"{missing} is missing in {READY} at c0ffee"):
            pulled(server)
        assert server.of("file") == []
    assert places.names() == []


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("model.bin", lambda data: data[: len(data) // 2], "model.bin was cut short"),
        ("model.bin", lambda data: b"<html>" * 20_000, "is not a CTranslate2 model"),
        ("tokenizer.json", lambda data: data[: len(data) // 2], "cannot read .*tokenizer.json"),
        ("vocabulary.json", lambda data: b'["a", "b"]', "has 2 tokens, the weights have 600"),
        ("chat_template.jinja", lambda data: b"{% for %}", "chat template of .* fails"),
        (
            "chat_template.jinja",
            lambda data: (
                b"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
            ),
            "does not come to an end",
        ),
    ],
)
def test_a_repository_whose_files_are_damaged_installs_nothing(
    places: Places,
    small_model: ModelFolder,
    name: str,
    change: Callable[[bytes], bytes],
    said: str,
) -> None:
    """The hub announces these bytes, so only looking at the model finds out."""
    hub = hub_of(small_model.folder)
    hub.repos[READY][name] = change(hub.repos[READY][name])
    with serving(hub) as server, pytest.raises(ModelDamaged, match=said) as caught:
        pulled(server)
    assert caught.value.mend
    assert places.names() == []


def test_an_older_whole_model_stays_when_the_new_one_is_damaged(
    places: Places, small_model: ModelFolder
) -> None:
    hub = hub_of(small_model.folder)
    with serving(hub) as server:
        before = pulled(server)
        hub.repos[READY]["vocabulary.json"] = b"[]x"
        with pytest.raises(ModelDamaged):
            pulled(server)
    assert find("small") == before
    verify(before)


def test_a_damaged_model_is_pulled_again(places: Places, small_model: ModelFolder) -> None:
    with serving(hub_of(small_model.folder)) as server:
        model = pulled(server)
        path = model.folder / "model.bin"
        path.write_bytes(path.read_bytes()[:1000])
        assert already_there(wish_for(model.manifest)) is None
        verify(pulled(server))


def test_a_wrong_revision_is_told(places: Places, small_model: ModelFolder) -> None:
    places.describe(small_model.folder, revision="ab" * 20)
    with (
        serving(hub_of(small_model.folder)) as server,
        pytest.raises(ModelUnavailable, match="no such revision: us/small-ct2 at ababab"),
    ):
        pulled(server)
    places.describe(small_model.folder, revision="")
    with pytest.raises(ModelUnavailable, match=r"no revision of .* is pinned.*--revision"):
        wish_for(find("small").manifest)


def test_a_cancelled_pull_installs_nothing(places: Places, small_model: ModelFolder) -> None:
    cancel = CancelToken()
    hub = hub_of(small_model.folder)

    def flip(asked: Asked, before: int) -> None:
        if asked.kind == "store":
            cancel.cancel()

    hub.plan = flip
    with serving(hub) as server, pytest.raises(Stopped):
        pulled(server, cancel)
    assert places.names() == [".staging-small"]


def test_a_model_that_ships_is_not_pulled(places: Places) -> None:
    with pytest.raises(UsageError, match="comes with ocils"):
        models.pull("ocils-tiny", quiet, CancelToken())


def test_converting_without_its_extra_names_the_extra(places: Places) -> None:
    with pytest.raises(Unsupported, match=r"pip install 'ocils\[convert\]'"):
        models.pull("qwen2.5-coder-0.5b", quiet, CancelToken())
    assert places.names() == []


def test_a_folder_is_imported_whole(places: Places, small_model: ModelFolder) -> None:
    row = models.import_folder(str(small_model.folder), quiet, CancelToken(), name="copy")
    assert row is not None
    assert (row.name, row.state, row.current) == ("copy", "installed", False)
    verify(find("copy"))
    assert places.names() == ["copy"]


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("tokenizer.json", ModelDamaged, "tokenizer.json is missing"),
        ("model.bin", Unsupported, "neither a CTranslate2 model"),
        ("vocabulary.json", ModelDamaged, "vocabulary is missing"),
    ],
)
def test_a_folder_that_lacks_something_is_refused(
    places: Places, model_copy: Path, name: str, error: type[OcilsError], said: str
) -> None:
    (model_copy / name).unlink()
    with pytest.raises(error, match=said):
        models.import_folder(str(model_copy), quiet, CancelToken())
    assert places.names() == []


def test_other_formats_are_refused_by_name(places: Places, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(Unsupported, match="GGUF, which CTranslate2 does not read"):
        models.import_folder(str(tmp_path), quiet, CancelToken())
    with pytest.raises(ModelMissing, match="no folder"):
        models.import_folder(str(tmp_path / "nowhere"), quiet, CancelToken())


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% for %}", "chat template of .* fails"),
        ("{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}", "without end"),
        ("{{ 'x' * 10 ** 12 }}", "a text without end"),
        # Ten gigabytes by one operation, which only the process's limit holds.
        ("{{ ('x' * 100000) | replace('x', 'y' * 100000) | length }}", "MemoryError"),
    ],
)
def test_a_folder_with_a_bad_template_is_refused(
    places: Places, model_copy: Path, template: str, said: str
) -> None:
    (model_copy / "chat_template.jinja").write_text(template)
    with pytest.raises(ModelDamaged, match=said):
        models.import_folder(str(model_copy), quiet, CancelToken())
    assert places.names() == []


def test_a_model_nobody_described_is_read_off_its_files(places: Places, model_copy: Path) -> None:
    (model_copy / "ocils.toml").unlink()
    (places.config / "models" / "small.toml").unlink()
    with pytest.raises(Unsupported, match="--context TOKENS"):
        models.import_folder(str(model_copy), quiet, CancelToken(), name="own")
    row = models.import_folder(str(model_copy), quiet, CancelToken(), name="own", context=256)
    assert row is not None
    assert (row.context, row.chat, row.strategies) == (256, True, ("rewrite", "extend"))


def test_the_list_tells_what_is_here(places: Places, small_model: ModelFolder) -> None:
    states = {row.name: row.state for row in listed()}
    assert (states["ocils-tiny"], states["small"]) == ("bundled", "absent")
    with serving(hub_of(small_model.folder)) as server:
        model = pulled(server)
    models.use("small")
    rows = {row.name: row for row in listed()}
    assert (rows["small"].state, rows["small"].current) == ("installed", True)
    (model.folder / "model.bin").write_bytes(b"")
    damaged = next(row for row in listed() if row.name == "small")
    assert (damaged.state, damaged.problem != "") == ("damaged", True)
    with pytest.raises(ModelDamaged):
        models.check("small", CancelToken())
    with pytest.raises(EnvironmentProblem):
        models.use("small")
    assert models.remove("small") == places.installed / "small"
    assert places.names() == []
    with pytest.raises(ModelMissing, match="nothing of small"):
        models.remove("small")


def test_nothing_outside_of_its_place_is_removed(places: Places, model_copy: Path) -> None:
    for what in ("ocils-tiny", str(model_copy), "../config", ".", ""):
        with pytest.raises((UsageError, ModelMissing)):
            models.remove(what)
    places.installed.mkdir(parents=True)
    (places.installed / "linked").symlink_to(model_copy)
    with pytest.raises(UsageError, match="lies outside"):
        models.remove("linked")
    assert (model_copy / "model.bin").is_file()
