"""``ocils model pull`` and ``convert`` from safetensors: the way from a hub to a model that answers.

Not covered: the bytes on the way (``tests/engine/test_hub.py``), other ends of it
(``tests/engine/test_pull.py``): this is about the conversion in the middle.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ocils.engine.models.store import ModelFolder, load_manifest, verify
from tests.engine.hub_server import COMMIT, HubServer, serving
from tests.engine.places import Places

from .comparing import apart, ours, some_tokens, theirs
from .conftest import Pair

pytestmark = [pytest.mark.convert, pytest.mark.filterwarnings("ignore")]

REPO = "us/random-coder"
DEEPSEEK = "llama-4of4-base100000linear"
MANIFEST = """
name = "random-coder"
family = "llama"
licence = "none"
context = 512
chat = false
strategies = ["infill"]

[infill]
prefix = "<｜fim▁begin｜>"
suffix = "<｜fim▁hole｜>"
middle = "<｜fim▁end｜>"
end = "<｜end▁of▁sentence｜>"

[rope]
theta = 100000.0
scaling = "linear"
factor = 4.0

[source]
repo = "us/random-coder"
revision = "%s"
"""


class User:
    def __init__(self, folder: Path, source: Path) -> None:
        self.places = Places(folder)
        (self.places.config / "models" / "random-coder.toml").write_text(MANIFEST % COMMIT)
        files = {each.name: each.read_bytes() for each in source.iterdir()}
        # What no conversion needs, and what could run code.
        files |= {"README.md": b"# hello", "pytorch_model.bin": b"#" * 99, "modeling.py": b"1 / 0"}
        self.hub = HubServer({REPO: files})

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "ocils", "model", *arguments],
            env={**os.environ, **self.places.environment, "HF_ENDPOINT": self.hub.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=150)
        return process.returncode, out + err

    def model(self, name: str) -> ModelFolder:
        folder = self.places.installed / name
        return ModelFolder(load_manifest(folder / "ocils.toml"), folder, "")


@pytest.fixture
def user(tmp_path: Path, pair: Callable[[str], Pair]) -> Iterator[User]:
    user = User(tmp_path, pair(DEEPSEEK).source)
    with serving(user.hub):
        yield user


def test_from_the_hub_to_the_same_logits(user: User, pair: Callable[[str], Pair]) -> None:
    code, said = user.run("pull", "random-coder", "--quantization", "float32")
    assert code == 0, said
    asked = {each.path.rpartition("/")[2] for each in user.hub.of("file")}
    assert asked >= {"config.json", "tokenizer.json", "model.safetensors"}
    assert not asked & {"README.md", "pytorch_model.bin", "modeling.py"}
    assert user.places.names() == ["random-coder"]
    model = user.model("random-coder")
    verify(model)
    assert model.manifest.source is not None
    assert model.manifest.source.revision == COMMIT
    assert {"tokenizer_config.json", "generation_config.json"} <= set(model.manifest.files)
    original = pair(DEEPSEEK)
    numbers = some_tokens(100)
    mine = ours(model.folder, original.words, numbers, "float32")
    assert apart(mine, theirs(original.model, numbers)) < 1e-4


def test_a_folder_is_converted_smaller(user: User, pair: Callable[[str], Pair]) -> None:
    source = pair(DEEPSEEK).source
    code, said = user.run("convert", str(source), "--name", "mine")
    assert code == 0, said
    small = (user.model("mine").folder / "model.bin").stat().st_size
    assert small < (source / "model.safetensors").stat().st_size / 2
    assert user.model("mine").manifest.infill is not None
    assert user.hub.asked == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "cannot be converted"),
        ({"partial_rotary_factor": 0.5}, "cannot be converted"),
        ({"model_type": "starcoder2"}, "cannot be converted"),
    ],
)
def test_what_converts_wrongly_is_refused_before_its_weights_are_fetched(
    user: User, change: dict[str, object], said: str
) -> None:
    files = user.hub.repos[REPO]
    config = {**json.loads(files["config.json"]), **change}
    files["config.json"] = json.dumps(config).encode()
    code, text = user.run("pull", "random-coder")
    assert (code, said in text) == (2, True), text
    assert not any(each.path.endswith(".safetensors") for each in user.hub.asked)
    assert "random-coder" not in user.places.names()


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_damaged_source_is_told_and_installs_nothing(user: User, name: str) -> None:
    files = user.hub.repos[REPO]
    whole = files[name]
    files[name] = whole[: len(whole) // 2]
    code, text = user.run("pull", "random-coder")
    assert (code, "Traceback" in text) == (3, False), text
    assert "random-coder" not in user.places.names()
    if name == "config.json":
        # The smallest file is there by then, and must not stand in for the one that was damaged.
        files[name] = whole
        code, text = user.run("pull", "random-coder")
        assert code == 0, text


def test_a_killed_conversion_leaves_no_process_and_is_gone_on_with(user: User) -> None:
    with user.start("pull", "random-coder") as process:
        child = _child_of(process, "ocils.engine.models.conversion")
        process.send_signal(signal.SIGKILL)
    until(lambda: not Path(f"/proc/{child}").exists(), "the end of the conversion")
    assert user.places.names() == [".random-coder.lock", ".staging-random-coder"]
    asked = len(user.hub.of("store"))
    code, said = user.run("pull", "random-coder")
    assert code == 0, said
    assert len(user.hub.of("store")) == asked
    assert user.places.names() == ["random-coder"]


def _child_of(process: subprocess.Popen[str], module: str) -> int:
    """Wait until ``process`` runs ``module``; return that process's number."""
    found: list[int] = []

    def there() -> bool:
        listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        for each in listed.split():
            command = Path(f"/proc/{each}/cmdline")
            # torch is being read by then, so that it does listen to its parent's end.
            if command.exists() and module.encode() in command.read_bytes():
                maps = Path(f"/proc/{each}/maps").read_text()
                if "torch" in maps:
                    found.append(int(each))
        return bool(found)

    until(there, "the conversion")
    return found[0]


def until(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 100
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)
