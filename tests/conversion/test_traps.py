"""What converts wrongly without an error is wrong indeed, and is refused; so is what has no loader.

If CTranslate2 mends one of these, its test turns red and its entry in ``models/refused.toml`` can go.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from ocils.domain.errors import ModelDamaged
from ocils.domain.model import Rope
from ocils.engine.models import store
from ocils.engine.models.refused import refusal
from ocils.engine.models.store import ModelFolder
from ocils.engine.models.weights import read_weights

from . import architectures
from .architectures import ARCHITECTURES, MANIFESTS
from .comparing import apart, ours, some_tokens, theirs
from .conftest import Pair

pytestmark = [pytest.mark.convert, pytest.mark.filterwarnings("ignore")]

PLAIN = Rope(10_000.0)
DEEPSEEK = "llama-4of4-base100000linear"
TINY = ARCHITECTURES[DEEPSEEK].shape
# Far beyond the tolerance of any compute type in test_same.py.
WRONG = 0.2


def attempt(folder: Path, config: Any, **written: object) -> tuple[float, str]:
    """Convert a model of ``config``: how far apart it comes out, and what ocils says of it."""
    model = architectures.make(folder / "source", config)
    path = folder / "source" / "config.json"
    stated = {**json.loads(path.read_text()), **written}
    path.write_text(json.dumps(stated))
    target = architectures.convert(folder / "source", folder / "ct2")
    words = json.loads((target / "vocabulary.json").read_text())
    numbers = some_tokens(200)
    return apart(ours(target, words, numbers, "float32"), theirs(model, numbers)), refusal(stated)


def llama(**more: Any) -> Any:
    return architectures.config_of("llama", TINY, PLAIN, **more)


def test_llama_3_rope_is_wrong_without_an_error(tmp_path: Path) -> None:
    config = llama()
    config.rope_parameters = {
        "rope_type": "llama3", "rope_theta": 10_000.0, "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
    }  # fmt: skip
    far, said = attempt(tmp_path, config)
    assert far > WRONG
    assert "Llama 3.1" in said


def test_partial_rotary_is_lost_without_an_error(tmp_path: Path) -> None:
    """The configuration says half of each head, and what comes out turns whole heads."""
    _, said = attempt(tmp_path, llama(), partial_rotary_factor=0.5)
    assert read_weights(tmp_path / "ct2" / "model.bin").scalars("rotary_dim") == {0}
    assert "a part of each head" in said


def test_phi_3_does_not_convert(tmp_path: Path) -> None:
    import transformers  # type: ignore[import-not-found]

    config = transformers.Phi3Config(
        vocab_size=TINY.vocabulary, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=512, pad_token_id=0,
    )  # fmt: skip
    with pytest.raises(KeyError):
        attempt(tmp_path, config)
    assert "Phi-3" in refusal(config.to_dict())


def test_another_activation_is_wrong_without_an_error(tmp_path: Path) -> None:
    far, said = attempt(tmp_path, llama(hidden_act="relu"))
    assert far > WRONG
    assert "activation" in said


def test_a_sliding_window_in_qwen_is_wrong_without_an_error(tmp_path: Path) -> None:
    shape = replace(TINY, biases="qkv")
    config = architectures.config_of(
        "qwen2", shape, PLAIN, use_sliding_window=True, sliding_window=16, max_window_layers=0
    )
    far, said = attempt(tmp_path, config)
    assert far > WRONG
    assert "window that slides" in said


def test_yarn_is_refused_by_both(tmp_path: Path) -> None:
    config = architectures.config_of("qwen2", replace(TINY, biases="qkv"), PLAIN)
    config.rope_parameters = {
        "rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0,
        "original_max_position_embeddings": 64,
    }  # fmt: skip
    with pytest.raises(NotImplementedError, match="yarn"):
        attempt(tmp_path, config)
    stated = json.loads((tmp_path / "source" / "config.json").read_text())
    assert "yarn" in refusal(stated)


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_heads_of_their_own_size_do_not_come_through(tmp_path: Path, family: str) -> None:
    biases = "qkv" if family == "qwen2" else "none"
    config = architectures.config_of(
        family,
        replace(TINY, biases=biases),
        PLAIN,
        **({"head_dim": 32} if family == "llama" else {}),
    )
    config.head_dim = 32
    try:
        far, said = attempt(tmp_path, config)
    except (RuntimeError, ValueError):
        said = refusal({**config.to_dict()})
        far = 1.0
    assert far > WRONG
    assert "size of their own" in said


def test_gpt_bigcode_with_keys_for_every_head_does_not_come_through(tmp_path: Path) -> None:
    shape = ARCHITECTURES["gpt_bigcode-4of1-tied-all"].shape
    config = architectures.config_of("gpt_bigcode", shape, None)
    config.multi_query = False
    try:
        far, said = attempt(tmp_path, config)
    except (RuntimeError, ValueError):
        far, said = 1.0, refusal({"model_type": "gpt_bigcode", "multi_query": False})
    assert far > WRONG
    assert "GPT-BigCode" in said


NO_LOADER = (
    "starcoder2", "qwen3_moe", "qwen2_moe", "mixtral", "deepseek_v2", "deepseek_v3", "granite",
    "granitemoe", "ministral", "mistral3", "mamba2", "stablelm", "glm4", "gpt_oss",
)  # fmt: skip


@pytest.mark.parametrize("kind", NO_LOADER)
def test_what_has_no_loader(kind: str) -> None:
    import transformers
    from ctranslate2.converters import transformers as converters  # type: ignore[import-untyped]

    try:
        config = transformers.AutoConfig.for_model(kind)
    except ValueError:
        pytest.skip(f"transformers {transformers.__version__} knows no {kind}")
    assert type(config).__name__ not in converters._MODEL_LOADERS
    assert refusal(config.to_dict()), kind


class TestTheWrongBase:
    """Linear rope beside a top-level ``rope_theta``: transformers 4 lets the converter see 10,000."""

    def test_what_transformers_4_hands_over_loses_the_base(self) -> None:
        from ctranslate2.converters import transformers as converters

        seen = SimpleNamespace(rope_theta=100_000.0, rope_scaling={"type": "linear", "factor": 4.0})
        _, factor, base = converters.LlamaLoader().get_rotary_params(seen, 10_000)
        assert (factor, base) == (4.0, 10_000)

    def test_what_transformers_5_hands_over_keeps_it(self, pair: Callable[[str], Pair]) -> None:
        import transformers
        from ctranslate2.converters import transformers as converters

        source = pair(DEEPSEEK).source
        stated = json.loads((source / "config.json").read_text())
        assert stated["rope_theta"] == 100_000.0
        assert stated["rope_scaling"] == {"type": "linear", "factor": 4.0}
        config = transformers.AutoConfig.from_pretrained(source)
        assert converters.LlamaLoader().get_rotary_params(config, 10_000)[2] == 100_000.0

    @pytest.mark.parametrize("rope", [Rope(10_000.0, "linear", 4.0), Rope(100_000.0)])
    def test_a_model_with_another_rope_says_something_else_and_is_caught(
        self, tmp_path: Path, pair: Callable[[str], Pair], rope: Rope
    ) -> None:
        got = pair(DEEPSEEK)
        wrong = tmp_path / "source"
        wrong.mkdir()
        for path in got.source.iterdir():
            (wrong / path.name).write_bytes(path.read_bytes())
        config = json.loads((wrong / "config.json").read_text())
        config["rope_theta"] = rope.theta
        config["rope_scaling"] = (
            {"type": rope.scaling, "factor": rope.factor} if rope.scaling else None
        )
        (wrong / "config.json").write_text(json.dumps(config))
        folder = architectures.convert(wrong, tmp_path / "ct2")
        numbers = some_tokens(200)
        assert (
            apart(ours(folder, got.words, numbers, "float32"), theirs(got.model, numbers)) > WRONG
        )
        manifest = next(m for m in MANIFESTS if m.name == "opencodeinterpreter-ds-6.7b")
        right = ModelFolder(replace(manifest, files={}), got.folder, "right")
        store.verify(right)
        with pytest.raises(ModelDamaged, match="was trained with"):
            store.verify(replace(right, folder=folder))
