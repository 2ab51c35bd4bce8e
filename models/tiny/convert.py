"""Writes a checkpoint in CTranslate2's form, and the manifest that names its files.

The specification is filled straight from the weights, so that no other library stands between.
It does not cover checking what came out: `check.py` compares it with the network.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import torch
from ctranslate2.specs import common_spec, transformer_spec

from network import Shape
from tokens import END, PRE, SPECIAL, UNK, load

FILES = ("model.bin", "config.json", "vocabulary.json", "tokenizer.json")
MANIFEST = """\
# Written by models/tiny/convert.py. The model card is tiny/README.md.
name = "ocils-tiny"
family = "llama"
folder = "tiny/weights"
licence = "Apache-2.0"
context = 512
chat = false
strategies = ["edit", "infill"]
languages = ["python"]

[infill]
prefix = "<pre>"
suffix = "<suf>"
was = "<was>"
middle = "<mid>"
end = "<end>"
form = "lines"

[files]
{files}

[measured]
{measured}
"""

Weights = dict[str, torch.Tensor]


def specification(shape: Shape, weights: Weights) -> transformer_spec.TransformerDecoderModelSpec:
    """The network as CTranslate2 describes it."""
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        shape.layers,
        shape.heads,
        activation=common_spec.Activation.SWISH,
        pre_norm=True,
        ffn_glu=True,
        rms_norm=True,
        rotary_dim=0,
        rotary_interleave=False,
        rotary_base=shape.base,
        quant_type=common_spec.Quantization.CT2,
    )

    def array(*names: str) -> torch.Tensor:
        return torch.cat([weights[name].float() for name in names]).contiguous()

    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = array("embed.weight")
    decoder.layer_norm.gamma = array("norm.weight")
    decoder.projection.weight = array("head.weight")
    for number, layer in enumerate(decoder.layer):
        at = f"blocks.{number}."
        layer.self_attention.layer_norm.gamma = array(at + "norm_one.weight")
        layer.ffn.layer_norm.gamma = array(at + "norm_two.weight")
        three = (at + "query.weight", at + "key.weight", at + "value.weight")
        layer.self_attention.linear[0].weight = array(*three)
        layer.self_attention.linear[1].weight = array(at + "out.weight")
        layer.ffn.linear_0.weight = array(at + "gate.weight")
        layer.ffn.linear_0_noact.weight = array(at + "up.weight")
        layer.ffn.linear_1.weight = array(at + "down.weight")
    return spec


def convert(checkpoint: Path, tokenizer: Path, folder: Path, quantization: str | None) -> None:
    """Write model.bin, config.json, vocabulary.json and tokenizer.json."""
    saved = torch.load(checkpoint, map_location="cpu")
    shape = Shape(**saved["shape"])
    spec = specification(shape, saved["network"])
    words = load(tokenizer)
    vocabulary = [words.id_to_token(i) for i in range(words.get_vocab_size())]
    spec.register_vocabulary(vocabulary)
    words_of_config = (SPECIAL[PRE], SPECIAL[END], SPECIAL[UNK])
    spec.config.bos_token, spec.config.eos_token, spec.config.unk_token = words_of_config
    spec.config.layer_norm_epsilon = shape.epsilon
    spec.validate()
    spec.optimize(quantization=quantization)
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    shutil.copyfile(tokenizer, folder / "tokenizer.json")


def write_manifest(folder: Path, path: Path, measured: dict[str, object]) -> None:
    """The manifest, with the hash of every file of the folder."""
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    files = "\n".join(f'"{name}" = "{value}"' for name, value in hashes.items())
    figures = "\n".join(f"{key} = {json.dumps(value)}" for key, value in measured.items())
    path.write_text(MANIFEST.format(files=files, measured=figures))


def main() -> None:
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="the folder that holds run/ and tokenizer.json")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--folder", type=Path, default=here / "weights")
    parser.add_argument("--quantization", choices=["int8", "float32"], default="int8")
    parser.add_argument("--manifest", type=Path, help="write the manifest to this file too")
    got = parser.parse_args()
    checkpoint = got.checkpoint or got.work / "run" / "checkpoint.pt"
    quantization = None if got.quantization == "float32" else got.quantization
    convert(checkpoint, got.work / "tokenizer.json", got.folder, quantization)
    if got.manifest:
        figures = got.work / "figures.json"
        measured = json.loads(figures.read_text()) if figures.exists() else {}
        write_manifest(got.folder, got.manifest, measured)


if __name__ == "__main__":
    main()
