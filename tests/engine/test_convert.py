"""What a conversion needs and what it refuses, without torch; ``tests/conversion`` converts.

The tools are described here by their metadata alone, as an installer leaves it.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelDamaged, ModelUnavailable, Unsupported
from ocils.domain.model_state import Progress
from ocils.engine.models.child import run_module
from ocils.engine.models.convert import check_source, check_tools, convert, converted_size, wanted
from ocils.engine.models.hub import Stopped

CONFIG = {"model_type": "llama", "rope_theta": 10000.0, "hidden_act": "silu", "dtype": "bfloat16"}


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the tools' metadata lie; torch itself is not there."""
    folder = tmp_path / "packages"
    for name, version in (("torch", "2.13.0"), ("transformers", "5.23.0"), ("safetensors", "0.8")):
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"#" * 1000)
    return folder


def test_old_transformers_is_refused_because_it_converts_wrongly(tools: Path) -> None:
    check_tools()
    (tools / "transformers-5.23.0.dist-info").rename(tools / "transformers-4.57.1.dist-info")
    path = tools / "transformers-4.57.1.dist-info" / "METADATA"
    path.write_text(path.read_text().replace("5.23.0", "4.57.1"))
    with pytest.raises(Unsupported, match=r"transformers 4\.57\.1 converts some models wrongly"):
        check_tools()


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("config.json", None, "cannot read .*config.json"),
        ("config.json", b"[]", "no table"),
        ("config.json", b'{"model_type": "starcoder2"}', "cannot be converted"),
        ("tokenizer.json", None, "tokenizer.json is missing"),
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1", "pointer of Git LFS"),
        ("model.safetensors", None, "no weights as safetensors"),
    ],
)
def test_a_source_that_is_not_right_is_refused(
    tools: Path, source: Path, tmp_path: Path, name: str, change: bytes | None, said: str
) -> None:
    if change is None:
        (source / name).unlink()
    else:
        (source / name).write_bytes(change)
    with pytest.raises((ModelDamaged, Unsupported), match=said):
        convert(source, tmp_path / "made", "int8", lambda _: None, CancelToken())
    assert not (tmp_path / "made").exists()


def test_a_conversion_that_fails_leaves_nothing(tools: Path, source: Path, tmp_path: Path) -> None:
    """torch is not there, whatever its metadata say, so the process fails."""
    told: list[Progress] = []
    with pytest.raises(ModelUnavailable, match=r"the conversion failed: .*(torch|safetensors)"):
        convert(source, tmp_path / "made", "int8", told.append, CancelToken())
    assert [each.stage for each in told][:1] == ["reading torch and transformers"]
    assert not (tmp_path / "made").exists()


def test_a_name_that_is_refused_is_refused_whatever_its_config_says(source: Path) -> None:
    assert check_source(source, "us/ours") == CONFIG
    with pytest.raises(Unsupported, match="bigcode/starcoder2-3b cannot be converted"):
        check_source(source, "bigcode/starcoder2-3b")


def test_which_files_a_conversion_wants() -> None:
    for name in ("config.json", "model-00001-of-00002.safetensors", "tokenizer.model"):
        assert wanted(name)
    for name in ("pytorch_model.bin", "onnx/model.safetensors", "modeling_x.py", "README.md"):
        assert not wanted(name)


@pytest.mark.parametrize(
    ("stored", "compute_type", "size"),
    [("bfloat16", "int8", 520), ("bfloat16", "float32", 2020), ("float32", "float16", 520)],
)
def test_how_much_room_it_takes(stored: str, compute_type: str, size: int) -> None:
    assert converted_size(1000, {"torch_dtype": stored}, compute_type) == size


ENDLESS = """
import json, subprocess, sys, time
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("not json"); print(json.dumps({"pid": other.pid}), flush=True)
time.sleep(600)
"""


def test_a_cancelled_process_ends_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endless.py").write_text(ENDLESS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    cancel, said = CancelToken(), dict[str, object]()

    def hear(line: dict[str, object]) -> None:
        said.update(line)
        cancel.cancel()

    with pytest.raises(Stopped):
        run_module("endless", [], hear, cancel)
    end = time.monotonic() + 30
    while is_alive(int(str(said["pid"]))):
        assert time.monotonic() < end, "what it started goes on"
        time.sleep(0.02)


def is_alive(process: int) -> bool:
    """Tell whether a process runs; one that has ended and was not yet fetched does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_process_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endless.py").write_text("import time; time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ended = run_module("endless", [], print, CancelToken(), seconds=0.5)
    assert ended.how == "it did not come to an end"


def test_a_module_of_the_current_folder_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user may stand in any repository, and what lies there is not theirs."""
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", ".")
    assert run_module("this", [], print, CancelToken()).code == 0
