"""A manifest for a model that nobody has described: read off its own files.

What cannot be read off stays out: no strategy is claimed that the files do not show.

Not covered: the models whose manifests ship with ocils, which know more.
"""

from __future__ import annotations

import json
from pathlib import Path

from ocils.domain.errors import ModelDamaged, Unsupported
from ocils.domain.model import InfillFormat, Manifest, Rope, Source, StrategyName
from ocils.engine.models.refused import doubt

_FORMATS = (
    # CodeGemma has Qwen's names for three of its tokens, and not for the fourth.
    InfillFormat(
        "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>", start="<bos>"
    ),
    InfillFormat("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|endoftext|>"),
    InfillFormat("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|endoftext|>"),
    InfillFormat(
        "<｜fim▁begin｜>",
        "<｜fim▁hole｜>",
        "<｜fim▁end｜>",
        "<｜end▁of▁sentence｜>",
        start="<｜begin▁of▁sentence｜>",
    ),
    InfillFormat("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>", start="<s>"),
)
"""Fill-in-the-middle tokens by which several public families can be told."""

_CONTEXT = ("max_position_embeddings", "n_positions", "n_ctx", "seq_length")
_UNVERIFIED = "everything: it was read off the model's own files"


def describe(
    folder: Path, name: str, config: dict[str, object], context: int, source: Source | None
) -> Manifest:
    """Return the manifest of the model in ``folder`` (tokenizer and vocabulary are there).

    ``config`` is the original's, empty when it is not known; ``context`` 0 takes what that says.
    Raises ``Unsupported`` when nothing shows how to talk to the model.
    """
    context = context or _context(config)
    if not context:
        raise Unsupported(
            f"nothing in {folder} says how long the model's context is",
            mend="say --context TOKENS",
        )
    words = _vocabulary(folder)
    infill = next((f for f in _FORMATS if _tokens(f) <= words), None)
    chat = _has_template(folder)
    strategies: list[StrategyName] = []
    if infill is not None:
        strategies += ["edit", "infill"]
    if chat:
        strategies += ["rewrite", "extend"]
    if not strategies:
        raise Unsupported(
            f"the model in {folder} has no chat template, and no fill-in-the-middle tokens that "
            "are known here",
            mend=f"describe it in {name}.toml in your config folder's models, and import it again",
        )
    return Manifest(
        name=name,
        family=str(config.get("model_type") or "unknown"),
        licence="unknown",
        context=context,
        chat=chat,
        strategies=tuple(strategies),
        infill=infill,
        source=source,
        rope=_rope(config),
        unverified=(_UNVERIFIED, *filter(None, (doubt(config) if config else "",))),
    )


def _tokens(form: InfillFormat) -> set[str]:
    return {form.prefix, form.suffix, form.middle, form.end, *filter(None, (form.start,))}


def _rope(config: dict[str, object]) -> Rope | None:
    """Return the rope that ``config.json`` states, in old words or new, None where it states none.

    What was converted is compared with it, whoever described the model.
    """
    stated = config.get("rope_scaling") or config.get("rope_parameters") or {}
    if not isinstance(stated, dict):
        return None
    theta = config.get("rope_theta", stated.get("rope_theta"))
    factor = stated.get("factor", 1.0)
    if not isinstance(theta, int | float) or not isinstance(factor, int | float):
        return None
    match stated.get("type") or stated.get("rope_type") or "default":
        case "default":
            return Rope(float(theta))
        case "linear":
            return Rope(float(theta), "linear", float(factor))
    return None


def _context(config: dict[str, object]) -> int:
    for key in _CONTEXT:
        value = config.get(key)
        if isinstance(value, int) and value > 0:
            return value
    return 0


def _vocabulary(folder: Path) -> frozenset[str]:
    path = folder / "vocabulary.json"
    try:
        if not path.is_file():
            return frozenset((folder / "vocabulary.txt").read_text("utf-8").splitlines())
        return frozenset(map(str, json.loads(path.read_bytes())))
    except (OSError, ValueError, TypeError) as error:
        raise ModelDamaged(f"cannot read {path}: {error}", mend="get it again") from error


def _has_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    try:
        return bool(json.loads((folder / "tokenizer_config.json").read_bytes())["chat_template"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
