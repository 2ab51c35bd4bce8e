"""The arm that is transformers: reads a CTranslate2 folder's own weights, and draws as told.

``.tools/convert/bin/python tests/bench/arms/with_transformers.py FOLDER [--device …]`` speaks as
``ocils.engine.arm`` does. ``{"do": "float32", …}`` and ``{"do": "bfloat16", …}`` draw; each type's
weights are made when they are first asked for. ``{"do": "logits", "words": […]}`` returns the numbers
of the five likeliest next tokens: that is how one sees that the weights are the same.

Needs torch and transformers, which only the environment of the conversion has. Not covered: other
architectures than Qwen2's.
"""

from __future__ import annotations

import json
import struct
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]  # only in the conversion's environment
from transformers import (  # type: ignore[import-not-found, unused-ignore]
    Qwen2Config,
    Qwen2ForCausalLM,
)

DTYPES = ("float32", "int8", "int16", "int32", "float16")
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
THETA = 1_000_000.0


def read_variables(path: Path) -> dict[str, Any]:
    """Read every variable of a model.bin, weights in 8 bits multiplied out."""
    data = np.memmap(path, mode="r")
    at = 0

    def number(kind: str) -> int:
        nonlocal at
        size = struct.calcsize(kind)
        (value,) = struct.unpack(kind, data[at : at + size].tobytes())
        at += size
        return int(value)

    def text() -> str:
        nonlocal at
        size = number("H")
        value = data[at : at + size - 1].tobytes().decode()
        at += size
        return value

    number("I")
    text()
    number("I")
    found: dict[str, Any] = {}
    for _ in range(number("I")):
        name = text()
        shape = tuple(number("I") for _ in range(number("B")))
        dtype = DTYPES[number("B")]
        size = number("I")
        found[name] = data[at : at + size].view(dtype).reshape(shape)
        at += size
    for _ in range(number("I")):
        alias = text()
        found[alias] = found[text()]
    return found


def weights_of(variables: dict[str, Any], layers: int, kv_rows: int) -> dict[str, Any]:
    """Return the weights under transformers' names."""

    def matrix(name: str) -> Any:
        scale = np.asarray(variables[f"{name}_scale"])[:, None]
        return torch.from_numpy(np.asarray(variables[name], "float32") / scale)

    def plain(name: str) -> Any:
        return torch.from_numpy(np.array(variables[name], "float32"))

    found = {
        "model.embed_tokens.weight": matrix("decoder/embeddings/weight"),
        "lm_head.weight": matrix("decoder/projection/weight"),
        "model.norm.weight": plain("decoder/layer_norm/gamma"),
    }
    for n in range(layers):
        old, new = f"decoder/layer_{n}", f"model.layers.{n}"
        both = matrix(f"{old}/self_attention/linear_0/weight")
        bias = plain(f"{old}/self_attention/linear_0/bias")
        sizes = (len(both) - 2 * kv_rows, kv_rows, kv_rows)
        for part, one, its in zip("qkv", both.split(sizes), bias.split(sizes), strict=True):
            found[f"{new}.self_attn.{part}_proj.weight"] = one
            found[f"{new}.self_attn.{part}_proj.bias"] = its
        found[f"{new}.self_attn.o_proj.weight"] = matrix(f"{old}/self_attention/linear_1/weight")
        found[f"{new}.input_layernorm.weight"] = plain(f"{old}/self_attention/layer_norm/gamma")
        found[f"{new}.post_attention_layernorm.weight"] = plain(f"{old}/ffn/layer_norm/gamma")
        found[f"{new}.mlp.gate_proj.weight"] = matrix(f"{old}/ffn/linear_0/weight")
        found[f"{new}.mlp.up_proj.weight"] = matrix(f"{old}/ffn/linear_0_noact/weight")
        found[f"{new}.mlp.down_proj.weight"] = matrix(f"{old}/ffn/linear_1/weight")
    return found


class Rival:
    """The model in each type that was asked for."""

    def __init__(self, folder: Path, device: str) -> None:
        self._variables = read_variables(folder / "model.bin")
        self._shape = tomllib.loads((folder / "ocils.toml").read_text())["shape"]
        self._words = json.loads((folder / "vocabulary.json").read_text())
        self._device = device
        self._models: dict[str, Any] = {}
        self._asked = 0

    def draw(self, kind: str, order: dict[str, Any]) -> dict[str, Any]:
        model = self._model(kind)
        self._asked += 1
        text = f"{self._asked:08d}" + "x" * order["prompt"]
        ids = torch.tensor([[self._words.index(each) for each in text[: order["prompt"]]]])
        self._settle()
        started = time.perf_counter()
        with torch.inference_mode():
            drawn = model.generate(
                ids.to(self._device),
                attention_mask=torch.ones_like(ids).to(self._device),
                max_new_tokens=order["new"],
                min_new_tokens=order["new"],
                num_return_sequences=order["rows"],
                do_sample=True,
                top_k=50,
                top_p=0.95,
                temperature=0.8,
                pad_token_id=0,
            )
        self._settle()
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "tokens": (drawn.shape[1] - ids.shape[1]) * len(drawn)}

    def logits(self, words: list[str]) -> dict[str, Any]:
        ids = torch.tensor([[self._words.index(word) for word in words]])
        with torch.inference_mode():
            last = self._model("float32")(ids.to(self._device)).logits[0, -1]
        return {"best": last.topk(5).indices.tolist()}

    def _settle(self) -> None:
        if self._device == "cuda":
            torch.cuda.synchronize()

    def _model(self, kind: str) -> Any:
        if kind not in self._models:
            shape = self._shape
            config = Qwen2Config(
                vocab_size=shape["vocabulary"],
                hidden_size=shape["width"],
                intermediate_size=shape["feed_forward"],
                num_hidden_layers=shape["layers"],
                num_attention_heads=shape["heads"],
                num_key_value_heads=shape["kv_heads"],
                tie_word_embeddings=False,
                rope_theta=THETA,
                rms_norm_eps=1e-6,
                eos_token_id=None,
                bos_token_id=None,
            )
            with torch.device("meta"):
                model = Qwen2ForCausalLM(config)
            kept = weights_of(
                self._variables, shape["layers"], shape["kv_heads"] * shape["head_size"]
            )
            model.load_state_dict(kept, assign=True)
            # What is no weight was made on no device; it is made again where it belongs.
            model.model.rotary_emb = type(model.model.rotary_emb)(config=config)
            self._models[kind] = model.to(TYPES[kind]).to(self._device).eval()
        return self._models[kind]


def main() -> None:
    device = sys.argv[sys.argv.index("--device") + 1] if "--device" in sys.argv else "cpu"
    rival = Rival(Path(sys.argv[1]), device)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if order["do"] == "logits":
                answer = rival.logits(order["words"])
            else:
                answer = rival.draw(order["do"], order)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
