"""Models of true shapes and random weights: how fast a model is does not depend on its values.

``python -m ocils.engine.random_model 0.5B FOLDER`` writes one that ocils and CTranslate2 load, unless
it is there already. In 8 bits, as it is drawn: nothing larger is ever in memory.

Not covered: writing anything that makes sense; other architectures than Qwen2's.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ocils.domain.shape import Shape, cache_bytes_per_token, memory, parameters

if TYPE_CHECKING:
    import numpy as np

SHAPES = {
    "1M": Shape(2, 64, 4, 2, 16, 256, 2048, tied=True, biases="qkv"),
    "125M": Shape(8, 1024, 16, 16, 64, 2560, 32768, tied=True, biases="qkv"),
    "0.5B": Shape(24, 896, 14, 2, 64, 4864, 151936, tied=True, biases="qkv"),
    "1.5B": Shape(28, 1536, 12, 2, 128, 8960, 151936, tied=True, biases="qkv"),
    "7B": Shape(28, 3584, 28, 4, 128, 18944, 152064, biases="qkv"),
}
"""The smallest is for trying things out; the others are Qwen2.5-Coder's, and one in between."""

SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<pre>", "<suf>", "<mid>")
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MANIFEST = """\
name = "random-{name}"
family = "random"
licence = "none"
folder = "."
context = {context}
chat = true
strategies = ["rewrite"]
stop = ["<|im_end|>"]
parameters = {parameters}
cache_bytes_per_token = {cache}
template = "chat_template.jinja"

[memory]
{memory}

[shape]
{shape}
"""
_CONTEXT = 8192
_POOL = 1 << 24
_SPREAD = 0.02  # of the weights, as models are initialised


def write_random_model(
    name: str, folder: Path, context: int = _CONTEXT, shape: Shape | None = None
) -> Path:
    """Write the model of that shape's name into ``folder``, unless it is there; return it."""
    if (folder / "ocils.toml").is_file():
        return folder
    shape = shape or SHAPES[name]
    half = folder.with_name(folder.name + ".part")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    words = _words(shape.vocabulary)
    _write_tokenizer(half, words)
    _write_weights(half, shape, words)
    sizes = "\n".join(f"{kind} = {size}" for kind, size in memory(shape).items())
    (half / "ocils.toml").write_text(
        MANIFEST.format(
            name=name,
            context=context,
            parameters=parameters(shape),
            cache=cache_bytes_per_token(shape),
            memory=sizes,
            shape=_table(shape),
        )
    )
    shutil.rmtree(folder, ignore_errors=True)
    half.rename(folder)
    return folder


def _table(shape: Shape) -> str:
    """Return a shape as TOML; numbers, words and truths look alike in JSON."""
    fields = ((name, getattr(shape, name)) for name in shape.__struct_fields__)
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in fields)


def _words(count: int) -> list[str]:
    from tokenizers import pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*SPECIALS, *letters]
    return words + [f"w{number}" for number in range(count - len(words))]


def _write_tokenizer(folder: Path, words: list[str]) -> None:
    """Write a tokenizer that reads every byte as a token and writes any word of the vocabulary."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(each, special=True) for each in SPECIALS])
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": SPECIALS[0]}))


def _write_weights(folder: Path, shape: Shape, words: list[str]) -> None:
    import numpy as np
    from ctranslate2.specs import (  # type: ignore[import-untyped]  # it ships no types
        common_spec,
        transformer_spec,
    )

    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        shape.layers,
        shape.heads,
        activation=common_spec.Activation.SWISH,
        ffn_glu=True,
        rms_norm=True,
        rotary_dim=0,
        rotary_interleave=False,
        rotary_base=1_000_000,
        num_heads_kv=None if shape.kv_heads == shape.heads else shape.kv_heads,
    )
    drawn = _Drawn()
    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.layer_norm.gamma = np.ones(shape.width, "float32")
    drawn.fill(decoder.embeddings, shape.vocabulary, shape.width)
    drawn.fill(decoder.projection, shape.vocabulary, shape.width)
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    for layer in decoder.layer:
        attention, ffn = layer.self_attention, layer.ffn
        attention.layer_norm.gamma = ffn.layer_norm.gamma = np.ones(shape.width, "float32")
        drawn.fill(attention.linear[0], queries + 2 * keys, shape.width)
        attention.linear[0].bias = np.zeros(queries + 2 * keys, "float32")
        drawn.fill(attention.linear[1], shape.width, queries)
        drawn.fill(ffn.linear_0, shape.feed_forward, shape.width)
        drawn.fill(ffn.linear_0_noact, shape.feed_forward, shape.width)
        drawn.fill(ffn.linear_1, shape.width, shape.feed_forward)
    spec.register_vocabulary(words)
    spec.config.bos_token = spec.config.unk_token = spec.config.eos_token = SPECIALS[0]
    spec.validate()
    if shape.tied:
        decoder.projection.weight = "decoder/embeddings/weight"
        decoder.projection.weight_scale = "decoder/embeddings/weight_scale"
    spec.save(str(folder))


class _Drawn:
    """Matrices of 8-bit numbers, cut from one pool: drawing billions of them would take minutes."""

    def __init__(self) -> None:
        import numpy as np

        self._numpy = np
        draw = np.random.default_rng(0)
        pool = np.clip(draw.normal(0, 32, _POOL), -127, 127)
        self._pool: np.ndarray = np.rint(pool).astype("int8")
        self._at = 0

    def fill(self, layer: object, rows: int, columns: int) -> None:
        """Give ``layer`` a matrix, and one scale a row."""
        np = self._numpy
        # An odd step, so that no two rows are alike.
        self._at = (self._at + 1_000_003) % _POOL
        whole = np.resize(np.roll(self._pool, self._at), rows * columns)
        layer.weight = whole.reshape(rows, columns)  # type: ignore[attr-defined]
        scale = np.full(rows, 32 / _SPREAD, "float32")
        layer.weight_scale = scale  # type: ignore[attr-defined]


if __name__ == "__main__":
    os.nice(5)
    write_random_model(sys.argv[1], Path(sys.argv[2]))
