"""Small random models of the manifests' architectures, as the hub's repositories hold them.

What two manifests share is made once: an architecture is what is left of a manifest when its sizes
are taken away. So a manifest of a new kind is compared without a word here, and one of an unknown
family fails.

Not covered: real weights and real tokenizers, which cannot be had here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from ocils.domain.model import Manifest, Rope
from ocils.domain.shape import Shape
from ocils.engine.models.store import bundled_models, load_manifest

from . import tokenizers_made

CONTEXT = 512
MANIFESTS = tuple(
    load_manifest(path)
    for path in sorted(bundled_models().glob("*.toml"))
    if path.name not in ("refused.toml", "tiny.toml")
)


class Architecture(NamedTuple):
    """What decides how a model converts: its family, its rope, and its shape's kind in small."""

    family: str
    rope: Rope | None
    shape: Shape

    @property
    def name(self) -> str:
        """A word for test reports."""
        words = [self.family, f"{self.shape.heads}of{self.shape.kv_heads}"]
        words += [f"base{self.rope.theta:.0f}{self.rope.scaling}"] if self.rope else []
        words += ["tied"] if self.shape.tied else []
        words += [self.shape.biases] if self.shape.biases != "none" else []
        own = self.shape.heads * self.shape.head_size != self.shape.width
        return "-".join([*words, *(["own-heads"] if own else [])])


def in_small(manifest: Manifest) -> Architecture:
    """Return the manifest's architecture: everything but its sizes."""
    shape = manifest.shape
    assert shape is not None
    own = shape.heads * shape.head_size != shape.width
    shared = 1 if shape.kv_heads == 1 else 4 if shape.kv_heads == shape.heads else 2
    small = Shape(
        2, 64, 4, shared, 32 if own else 16, 96, tokenizers_made.SIZE, shape.tied, shape.gated,
        shape.biases, shape.norm_biases, shape.head_norms, CONTEXT if shape.positions else 0,
    )  # fmt: skip
    return Architecture(manifest.family, manifest.rope, small)


ARCHITECTURES = {each.name: each for each in map(in_small, MANIFESTS)}
"""Every architecture that a manifest has, by its name."""


def config_of(family: str, shape: Shape, rope: Rope | None, **more: Any) -> Any:
    """Return the transformers configuration of that shape."""
    import transformers  # type: ignore[import-not-found]

    if family == "gpt_bigcode":
        return transformers.GPTBigCodeConfig(
            vocab_size=shape.vocabulary, n_positions=shape.positions, n_embd=shape.width,
            n_layer=shape.layers, n_head=shape.heads, n_inner=shape.feed_forward, multi_query=True,
            activation_function="gelu", initializer_range=0.2, **more,
        )  # fmt: skip
    assert rope is not None
    common: dict[str, Any] = {
        "vocab_size": shape.vocabulary, "hidden_size": shape.width, "max_position_embeddings": CONTEXT,
        "intermediate_size": shape.feed_forward, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads,
        "tie_word_embeddings": shape.tied, "initializer_range": 0.2,
        "rope_parameters": parameters_of(rope), **more,
    }  # fmt: skip
    match family:
        case "llama":
            biased = shape.biases == "all"
            return transformers.LlamaConfig(attention_bias=biased, mlp_bias=biased, **common)
        case "mistral":
            return transformers.MistralConfig(
                head_dim=shape.head_size, sliding_window=None, **common
            )
        case "qwen2":
            return transformers.Qwen2Config(**common)
        case "qwen3":
            return transformers.Qwen3Config(head_dim=shape.head_size, **common)
        case "gemma":
            return transformers.GemmaConfig(head_dim=shape.head_size, **common)
    raise AssertionError(f"no configuration is known here for the family {family}")


def parameters_of(rope: Rope) -> dict[str, Any]:
    """Return ``rope`` in the words of transformers 5."""
    found: dict[str, Any] = {"rope_type": rope.scaling or "default", "rope_theta": rope.theta}
    return {**found, "factor": rope.factor} if rope.scaling else found


def make(folder: Path, config: Any, kind: str = "bytes", template: str = "") -> Any:
    """Write a model of ``config`` with random weights, and a tokenizer, as a hub's repository.

    Returns the model. ``config.json`` speaks the words of the time when these models were published.
    """
    import torch  # type: ignore[import-not-found]
    import transformers

    torch.manual_seed(7)
    tokenizer = tokenizers_made.wrapped(kind, template)
    config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            # Biases and normalisations begin at 0 and 1, where a forgotten one would not show.
            if weight.dim() == 1:
                weight += 0.2 * torch.randn_like(weight)
            assert torch.isfinite(weight).all(), name
    model.generation_config.pad_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    in_old_words(folder / "config.json")
    return model


def in_old_words(path: Path) -> None:
    """Write the rope as repositories of 2023 and 2024 do: ``rope_theta`` and ``rope_scaling``."""
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters", None)
    if rope is not None:
        config["rope_theta"] = rope.pop("rope_theta")
        kind = rope.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else {"type": kind, **rope}
    path.write_text(json.dumps(config))


def convert(source: Path, target: Path, quantization: str | None = None) -> Path:
    """Convert with CTranslate2's own converter, in this process; return ``target``."""
    from ctranslate2.converters import TransformersConverter  # type: ignore[import-untyped]

    names = (
        "tokenizer.json",
        "tokenizer_config.json",
        "generation_config.json",
        "chat_template.jinja",
    )
    files = [name for name in names if (source / name).is_file()]
    TransformersConverter(str(source), copy_files=files).convert(
        str(target), quantization=quantization
    )
    return target
