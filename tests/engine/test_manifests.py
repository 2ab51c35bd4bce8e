"""The manifests that ship with ocils: all of them are valid, agree with their families, and add up.

Not covered: that an architecture's counts are transformers', and that it converts rightly
(``tests/conversion``).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ocils.domain import shape as shapes
from ocils.engine.models.refused import COMPARED
from ocils.engine.models.store import bundled_models, find, load_manifest

MODELS = bundled_models()
SHIPPED = sorted(p for p in MODELS.glob("*.toml") if p.name not in ("refused.toml", "tiny.toml"))
NAMED = (
    "opencodeinterpreter-ds", "opencodeinterpreter-cl", "autocoder", "magicoder", "deepseek-coder",
    "qwen2.5-coder", "qwen3", "codellama", "codestral", "devstral", "granite-code", "codegemma",
)  # fmt: skip


@pytest.fixture(scope="module")
def write() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write", MODELS / "families" / "write.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_are_what_the_families_say(write: ModuleType) -> None:
    """Mended by: .venv/bin/python models/families/write.py."""
    assert {p.name: p.read_text("utf-8") for p in SHIPPED} == write.manifests()


def test_the_table_of_the_page_is_what_the_manifests_say(write: ModuleType) -> None:
    page = (MODELS / "README.md").read_text("utf-8")
    assert page == write.readme(page)
    assert all(f"`{p.stem}`" in page for p in SHIPPED)


def test_a_manifest_that_was_changed_by_hand_is_seen(write: ModuleType, tmp_path: Path) -> None:
    manifest = load_manifest(MODELS / "codestral-22b.toml")
    assert write.written(manifest) in write.manifests()["codestral-22b.toml"]
    path = tmp_path / "codestral-22b.toml"
    path.write_text(write.written(manifest).replace("context = 32768", "context = 65536"))
    assert load_manifest(path) != manifest


@pytest.mark.parametrize("name", NAMED)
def test_every_family_that_people_have_is_there(name: str) -> None:
    assert any(path.stem.startswith(name) for path in SHIPPED)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_manifest_adds_up_and_says_what_was_not_verified(path: Path) -> None:
    m = load_manifest(path)
    assert m.name == path.stem
    assert m.folder == ""
    assert m.family in COMPARED
    assert m.shape is not None
    assert m.parameters == shapes.parameters(m.shape)
    assert m.memory == shapes.memory(m.shape)
    assert m.cache_bytes_per_token == shapes.cache_bytes_per_token(m.shape)
    assert (m.rope is None) == (m.shape.positions > 0)
    assert m.source is not None
    assert any(word.startswith("the revision") for word in m.unverified)
    assert any("never loaded" in word for word in m.unverified)
    assert m.verified
    assert m.chat == bool(m.template) == ("rewrite" in m.strategies)
    assert (m.infill is not None) == ("infill" in m.strategies)


def test_the_size_in_a_name_is_the_size_of_the_shape() -> None:
    """Within a tenth: the names round, and some count without the vocabulary."""
    for path in SHIPPED:
        sizes = [part for part in path.stem.split("-") if part.endswith("b") and part[0].isdigit()]
        manifest = load_manifest(path)
        if sizes and manifest.name not in ("codegemma-2b", "codegemma-7b", "codegemma-7b-it"):
            named = float(sizes[-1].removesuffix("b"))
            assert manifest.parameters / 1e9 == pytest.approx(named, rel=0.17), manifest.name


@pytest.mark.parametrize(
    ("name", "cache"),
    [
        ("qwen2.5-coder-0.5b", 172_032),
        ("qwen2.5-coder-1.5b", 344_064),
        ("qwen2.5-coder-7b", 802_816),
    ],
)
def test_the_cache_is_what_was_measured(name: str, cache: int) -> None:
    assert load_manifest(MODELS / f"{name}.toml").cache_bytes_per_token == cache


def test_models_trained_from_deepseek_keep_its_base() -> None:
    """The one that a wrong conversion silently replaces by 10,000."""
    names = ("deepseek-coder", "opencodeinterpreter-ds", "autocoder", "magicoder-s-ds")
    for path in (p for p in SHIPPED if p.stem.startswith(names)):
        rope = load_manifest(path).rope
        assert rope is not None
        assert (rope.theta, rope.scaling, rope.factor) == (100_000.0, "linear", 4.0)


def test_the_users_own_manifest_wins_over_a_shipped_one(tmp_path: Path) -> None:
    text = (MODELS / "qwen2.5-coder-7b.toml").read_text("utf-8")
    (tmp_path / "mine.toml").write_text(text.replace("context = 32768", "context = 4096"))
    assert find("qwen2.5-coder-7b", tmp_path).manifest.context == 4096
    assert find("qwen2.5-coder-7b", tmp_path / "nothing").manifest.context == 32768


def test_no_two_manifests_have_one_source() -> None:
    sources = [m.source.repo for m in map(load_manifest, SHIPPED) if m.source]
    assert len(sources) == len(set(sources))
