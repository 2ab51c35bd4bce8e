"""A small random CTranslate2 model, built on the spot: true architecture, meaningless weights.

Not covered: anything that needs a model to be any good; see the tests marked ``model``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from ctranslate2.specs import common_spec, transformer_spec  # type: ignore[import-untyped]
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIALS = ("<pad>", "<pre>", "<suf>", "<was>", "<mid>", "<end>")
MANIFEST = """
name = "small"
family = "random"
folder = "."
licence = "none"
context = {context}
chat = true
strategies = ["edit", "infill"]
stop = []

[infill]
prefix = "<pre>"
suffix = "<suf>"
was = "<was>"
middle = "<mid>"
end = "<end>"
form = "{form}"

[files]
{files}

[measured]
anything = {{ goes = [1, 2.5, "three"] }}
"""
CHAT_TEMPLATE = (
    "{% for m in messages %}<pre>{{ m['role'] }}\n{{ m['content'] }}<suf>{% endfor %}"
    "{% if add_generation_prompt %}<mid>{% endif %}"
)


def build_model(
    folder: Path,
    *,
    width: int = 32,
    layers: int = 2,
    feed_forward: int = 64,
    vocabulary: int = 600,
    context: int = 256,
    form: str = "lines",
    seed: int = 0,
) -> Path:
    """Write weights, tokenizer, chat template and ``ocils.toml`` to ``folder``; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(vocabulary)
    tokenizer.save(str(folder / "tokenizer.json"))
    _weights(folder, tokenizer, width, layers, feed_forward, seed)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<end>"}))
    files = "\n".join(
        f'"{path.name}" = "{hashlib.sha256(path.read_bytes()).hexdigest()}"'
        for path in sorted(folder.iterdir())
    )
    (folder / "ocils.toml").write_text(MANIFEST.format(context=context, form=form, files=files))
    return folder


def _tokenizer(vocabulary: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        [Path(__file__).read_text(), Path(json.__file__).read_text()],
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=list(SPECIALS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return tokenizer


def _weights(
    folder: Path, tokenizer: Tokenizer, width: int, layers: int, feed_forward: int, seed: int
) -> None:
    draw = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, scale: float = 1.0) -> np.ndarray:
        return (draw.normal(0, scale / np.sqrt(columns), (rows, columns))).astype("float32")

    words = [w for w, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        layers,
        4,
        activation=common_spec.Activation.SWISH,
        ffn_glu=True,
        rms_norm=True,
        rotary_dim=0,
        rotary_interleave=False,
        num_heads_kv=4,
    )
    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = matrix(len(words), width, 4.0)
    decoder.projection.weight = matrix(len(words), width, 2.0)
    decoder.layer_norm.gamma = np.ones(width, "float32")
    for layer in decoder.layer:
        attention, ffn = layer.self_attention, layer.ffn
        attention.layer_norm.gamma = ffn.layer_norm.gamma = np.ones(width, "float32")
        attention.linear[0].weight = matrix(3 * width, width)
        attention.linear[1].weight = matrix(width, width)
        ffn.linear_0.weight = matrix(feed_forward, width)
        ffn.linear_0_noact.weight = matrix(feed_forward, width)
        ffn.linear_1.weight = matrix(width, feed_forward)
    spec.register_vocabulary(words)
    spec.config.bos_token = spec.config.unk_token = "<pad>"
    spec.config.eos_token = "<end>"
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))
