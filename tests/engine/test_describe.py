"""What is read off a model that nobody described."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocils.domain.model import Rope
from ocils.engine.models.describe import describe
from ocils.engine.models.store import bundled_models, load_manifest

FILLING = [
    manifest
    for path in sorted(bundled_models().glob("*.toml"))
    if path.name not in ("refused.toml", "tiny.toml")
    and (manifest := load_manifest(path)).infill is not None
    and manifest.infill.order == "prefix_first"
]


@pytest.mark.parametrize("name", [m.name for m in FILLING])
def test_a_familys_format_is_known_by_its_tokens(tmp_path: Path, name: str) -> None:
    form = next(m.infill for m in FILLING if m.name == name)
    assert form is not None
    words = ["<s>", "x", form.start, form.prefix, form.suffix, form.middle, form.end]
    (tmp_path / "vocabulary.json").write_text(json.dumps(words))
    assert describe(tmp_path, "mine", {"model_type": "llama"}, 512, None).infill == form


@pytest.mark.parametrize(
    ("config", "rope"),
    [
        ({}, None),
        ({"rope_theta": 1e6}, Rope(1e6)),
        ({"rope_theta": 100000, "rope_scaling": None}, Rope(1e5)),
        (
            {"rope_theta": 100000, "rope_scaling": {"type": "linear", "factor": 4.0}},
            Rope(1e5, "linear", 4.0),
        ),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}, Rope(5e5)),
        ({"rope_theta": 1e4, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, None),
        ({"rope_theta": "no"}, None),
    ],
)
def test_the_rope_is_the_configurations(
    tmp_path: Path, config: dict[str, object], rope: Rope | None
) -> None:
    (tmp_path / "vocabulary.json").write_text("[]")
    (tmp_path / "chat_template.jinja").write_text("x")
    described = describe(tmp_path, "mine", {"model_type": "falcon", **config}, 512, None)
    assert described.rope == rope
    assert any("falcon was never compared" in word for word in described.unverified)
