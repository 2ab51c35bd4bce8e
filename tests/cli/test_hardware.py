"""The doctor says where the model runs; settings say where it should."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ocils.engine.machine.hardware import read_hardware
from ocils.engine.random_model import write_random_model
from ocils.settings import ModelSettings, UserSettings
from ocils.wiring import Check, House, checkup
from ocils.wiring.adapters import make_engine, want_of

NO_GPU = pytest.mark.skipif(bool(read_hardware().gpus), reason="there is a GPU here")


def hardware(tmp_path: Path, **model: object) -> Check:
    (tmp_path / "pyproject.toml").write_text("")
    settings = UserSettings(model=msgspec.convert(model, ModelSettings))
    (found,) = [each for each in checkup(settings, str(tmp_path)) if each.name == "hardware"]
    return found


@pytest.mark.model
@NO_GPU
def test_the_bundled_model_runs_on_the_cpu(tmp_path: Path) -> None:
    found = hardware(tmp_path)
    assert found.ok
    assert found.detail.startswith("CPU, ")
    assert found.detail.endswith("int8: the model is small")


@NO_GPU
def test_a_wish_that_cannot_be_met_is_told(tmp_path: Path) -> None:
    folder = write_random_model("1M", tmp_path / "model")
    found = hardware(tmp_path, name=str(folder), device="cuda", compute_type="float16")
    assert found.ok
    assert found.notes[:2] == (
        "there is no GPU that CTranslate2 can use",
        "float16 cannot be had on a CPU",
    )


@NO_GPU
def test_a_model_that_does_not_fit_is_told_before_it_is_loaded(tmp_path: Path) -> None:
    folder = write_random_model("1M", tmp_path / "model")
    manifest = folder / "ocils.toml"
    text = manifest.read_text().replace("layers = 2", "layers = 2000000")
    manifest.write_text(text)
    found = hardware(tmp_path, name=str(folder), device="cuda")
    assert not found.ok
    assert "of memory are free" in found.detail
    assert "choose a smaller model" in found.mend


@pytest.mark.parametrize(("keep", "idle"), [(True, None), (False, 7.0)])
async def test_the_users_wishes_reach_the_engine(
    tmp_path: Path, keep: bool, idle: float | None
) -> None:
    folder = write_random_model("1M", tmp_path / "model")
    house = House(UserSettings())
    table = {"name": str(folder), "idle_seconds": 7, "keep_loaded": keep, "compute_type": "float32"}
    house.configure({"model": table})
    assert want_of(house.settings).compute_type == "float32"
    engine = make_engine(house.settings)
    try:
        await engine.load()
        thread = getattr(engine, "thread", None)
        assert thread is not None
        assert thread.idle_seconds == idle
    finally:
        await engine.close()
