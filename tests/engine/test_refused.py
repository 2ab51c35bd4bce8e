"""What is not converted is refused by name and by configuration, with what to use instead.

That these refusals are right is shown in ``tests/conversion``.
"""

from __future__ import annotations

import pytest

from ocils.engine.models.refused import COMPARED, doubt, entries, features, refusal, refusal_of_name
from ocils.engine.models.store import bundled_models, find

PLAIN: dict[str, object] = {
    "model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "hidden_act": "silu"
}  # fmt: skip


def with_(**changes: object) -> dict[str, object]:
    return {**PLAIN, **changes}


@pytest.mark.parametrize(
    ("config", "what"),
    [
        (with_(rope_scaling={"rope_type": "llama3", "factor": 8.0}), "Llama 3.1"),
        (with_(rope_scaling={"type": "default", "rope_type": "llama3"}), "Llama 3.1"),
        (with_(rope_parameters={"rope_type": "llama3", "rope_theta": 5e5}), "Llama 3.1"),
        (with_(model_type="qwen2", rope_scaling={"type": "yarn", "factor": 4.0}), "yarn"),
        (with_(rope_parameters={"full_attention": {"rope_type": "dynamic"}}), "dynamic"),
        (with_(partial_rotary_factor=0.25), "a part of each head"),
        (with_(rope_parameters={"partial_rotary_factor": 0.5}), "a part of each head"),
        (with_(model_type="phi3"), "Phi-3"),
        (with_(model_type="starcoder2"), "StarCoder2"),
        (with_(model_type="qwen3_moe", num_experts=128), "mixture of experts"),
        (with_(model_type="mixtral", num_local_experts=8), "mixture of experts"),
        (with_(model_type="deepseek_v2", n_routed_experts=64), "mixture of experts"),
        (with_(model_type="deepseek_v2"), "DeepSeek-V2"),
        (with_(model_type="granite"), "Granite 3"),
        (with_(model_type="ministral3"), "Ministral 3"),
        (with_(model_type="mistral3", text_config={"model_type": "mistral"}), "Ministral 3"),
        (with_(model_type="mamba2"), "state-space"),
        (with_(quantization_config={"quant_method": "gptq"}), "quantised before"),
        (with_(quantization_config={"quant_method": "novel"}), "quantised before"),
        (with_(model_type="qwen2", use_sliding_window=True), "window that slides"),
        (with_(head_dim=32), "size of their own"),
        (with_(hidden_act="gelu"), "activation other than SiLU"),
        (with_(model_type="gpt_bigcode", multi_query=False), "GPT-BigCode"),
    ],
)
def test_a_configuration_is_refused_in_words(config: dict[str, object], what: str) -> None:
    said = refusal(config)
    assert what in said
    assert "; use " in said


@pytest.mark.parametrize(
    "config",
    [
        PLAIN,
        with_(rope_scaling=None, rope_theta=1e6),
        with_(rope_scaling={"type": "linear", "factor": 4.0}),
        with_(rope_scaling={"rope_type": "default"}),
        with_(partial_rotary_factor=1.0, head_dim=16),
        with_(model_type="mistral", head_dim=32),
        with_(model_type="qwen3", head_dim=32),
        with_(model_type="qwen2", use_sliding_window=False, sliding_window=32768),
        with_(model_type="gemma", hidden_act="gelu_pytorch_tanh"),
        with_(model_type="gpt_bigcode", activation_function="gelu", multi_query=True),
        with_(quantization_config={"quant_method": "awq", "version": "gemm"}),
        with_(num_experts=0),
        {},
    ],
)
def test_what_converts_rightly_is_not_refused(config: dict[str, object]) -> None:
    assert refusal(config) == ""


@pytest.mark.parametrize(
    "name",
    [
        "meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.2-1B", "microsoft/phi-4",
        "microsoft/Phi-3-mini-4k-instruct", "microsoft/Phi-4-mini-instruct", "bigcode/starcoder2-7b",
        "Qwen/Qwen3-Coder-30B-A3B-Instruct", "Qwen/Qwen3-30B-A3B",
        "deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct", "mistralai/Mamba-Codestral-7B-v0.1",
        "ibm-granite/granite-3.3-8b-instruct", "mistralai/Ministral-3-8B-Instruct-2512",
        "TheBloke/deepseek-coder-6.7B-instruct-GPTQ", "stabilityai/stable-code-3b",
    ],
)  # fmt: skip
def test_a_name_is_refused(name: str) -> None:
    assert "; use " in refusal_of_name(name)


def test_no_shipped_model_is_refused_by_its_name_or_its_repository() -> None:
    for path in bundled_models().glob("*.toml"):
        if path.name != "refused.toml":
            manifest = find(path.stem).manifest
            names = [manifest.name, manifest.source.repo if manifest.source else "owner/none"]
            assert [refusal_of_name(name) for name in names] == ["", ""]


def test_a_condition_that_the_code_does_not_know_is_an_error() -> None:
    """A misspelt one would refuse nothing."""
    known = features(PLAIN)
    for each in entries():
        assert each.when.keys() <= known.keys()
        assert each.when
        assert all(each.names) or not each.names


def test_an_architecture_that_nobody_compared_is_said() -> None:
    assert [doubt({"model_type": kind}) for kind in sorted(COMPARED)] == [""] * len(COMPARED)
    assert "falcon was never compared" in doubt({"model_type": "falcon"})
    assert "without model_type" in doubt({})
