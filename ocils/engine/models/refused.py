"""Models that must not be converted, by name and by ``config.json``: what is wrong, and what to use.

What converts wrongly without an error is worse than what does not convert: the model answers, and
nobody sees why it answers badly. The list is data, ``models/refused.toml``; what its conditions mean
stands here.

Not covered: a conversion's own errors; whether a model is any good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import msgspec

from ocils.domain.base import Value
from ocils.engine.models.store import REFUSED, bundled_models

COMPARED: Final = frozenset({"llama", "mistral", "qwen2", "qwen3", "gpt_bigcode", "gemma"})
"""The model types whose conversion ``tests/conversion`` compares with transformers."""

_SILU: Final = frozenset({"silu", "swish", ""})
_EXPERTS: Final = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")


class Refused(Value, frozen=True):
    """One entry: what it is, the names and features it is known by, why, and what to use instead."""

    what: str
    names: tuple[str, ...]
    why: str
    instead: str
    when: dict[str, tuple[str, ...]]

    @property
    def sentence(self) -> str:
        """The refusal in words."""
        return f"{self.what}: {self.why}; use {self.instead}"


class _File(Value, frozen=True):
    refused: tuple[Refused, ...]


def entries(folder: Path | None = None) -> tuple[Refused, ...]:
    """Read the list that ships with ocils, or the one in ``folder``."""
    path = (folder or bundled_models()) / REFUSED
    return msgspec.toml.decode(path.read_bytes(), type=_File).refused


def refusal(config: Mapping[str, object], known: Iterable[Refused] | None = None) -> str:
    """Return why a model with this ``config.json`` is not converted, or nothing."""
    found = features(config)
    for each in entries() if known is None else known:
        if each.when and all(found[name] in values for name, values in each.when.items()):
            return each.sentence
    return ""


def refusal_of_name(name: str, known: Iterable[Refused] | None = None) -> str:
    """Return why the model of that name ("owner/name" or "name") is not converted, or nothing."""
    short = name.rsplit("/", 1)[-1].lower()
    for each in entries() if known is None else known:
        if any(fnmatchcase(short, pattern) for pattern in each.names):
            return each.sentence
    return ""


def doubt(config: Mapping[str, object]) -> str:
    """Return what is to be said of an architecture that nobody has compared here, or nothing."""
    kind = str(config.get("model_type", ""))
    if kind in COMPARED:
        return ""
    return (
        f"the conversion of {kind or 'a model without model_type'} was never compared with "
        f"transformers here; compared are {', '.join(sorted(COMPARED))}"
    )


def features(config: Mapping[str, object]) -> dict[str, str]:
    """Return what the list's conditions speak of, each as a word.

    Models for text and pictures keep the numbers of the text half in ``text_config``.
    """
    inner = config.get("text_config")
    text = {**config, **inner} if isinstance(inner, Mapping) else dict(config)
    return {
        "model_type": str(config.get("model_type", "")),
        "rope": _rope(text),
        "partial_rotary": "yes" if _partial(text) else "no",
        "head_size": "own" if _own_head(text) else "width",
        "activation": _activation(text),
        "experts": "yes" if any(_number(text.get(key)) > 1 for key in _EXPERTS) else "no",
        "sliding_window": "yes" if text.get("use_sliding_window") is True else "no",
        "quantised": _quantised(text),
        "multi_query": "no" if text.get("multi_query") is False else "yes",
    }


def _ropes(config: Mapping[str, object]) -> list[Mapping[str, object]]:
    """Return every description of rotary positions: old key, new key, or one for each layer type."""
    found: list[Mapping[str, object]] = []
    for key in ("rope_scaling", "rope_parameters"):
        value = config.get(key)
        if isinstance(value, Mapping):
            found += [value, *(each for each in value.values() if isinstance(each, Mapping))]
    return found


def _rope(config: Mapping[str, object]) -> str:
    for each in _ropes(config):
        # Both keys occur in one file, and CTranslate2 reads "type" first.
        kinds = {str(each.get(key) or "default") for key in ("type", "rope_type")}
        if named := sorted(kinds - {"default"}):
            return named[0]
    return "default"


def _partial(config: Mapping[str, object]) -> bool:
    shares = [config, *_ropes(config)]
    return any(0 < _number(each.get("partial_rotary_factor", 1)) < 1 for each in shares)


def _own_head(config: Mapping[str, object]) -> bool:
    size, heads = _number(config.get("head_dim")), _number(config.get("num_attention_heads"))
    return bool(size and heads) and size * heads != _number(config.get("hidden_size"))


def _activation(config: Mapping[str, object]) -> str:
    name = str(config.get("hidden_act") or "")
    if name in _SILU:
        return "silu"
    return name if name in {"gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "relu2"} else "other"


def _quantised(config: Mapping[str, object]) -> str:
    value = config.get("quantization_config")
    if not isinstance(value, Mapping):
        return "no"
    method = str(value.get("quant_method") or "other")
    known = {"awq", "gptq", "fp8", "bitsandbytes", "compressed-tensors"}
    return method if method in known else "other"


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
