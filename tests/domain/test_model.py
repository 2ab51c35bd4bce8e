"""A manifest says for itself what is wrong with it."""

from __future__ import annotations

import msgspec
import pytest

from ocils.domain.model import Manifest

WHOLE = """
name = "mine"
family = "llama"
licence = "MIT"
context = 512
chat = true
strategies = ["infill", "rewrite"]
template = "tokenizer_config.json"
parameters = 1000
cache_bytes_per_token = 64
verified = ["nothing"]
unverified = ["all of it"]

[infill]
prefix = "<p>"
suffix = "<s>"
middle = "<m>"
end = "<e>"

[files]
"model.bin" = "0000000000000000000000000000000000000000000000000000000000000000"

[source]
repo = "owner/name.1"
revision = "0123456789abcdef0123456789abcdef01234567"

[rope]
theta = 100000.0
scaling = "linear"
factor = 4.0

[shape]
layers = 1
width = 8
heads = 2
kv_heads = 1
head_size = 4
feed_forward = 16
vocabulary = 32

[memory]
int8 = 0.5
"""


def read(text: str) -> Manifest:
    return msgspec.toml.decode(text, type=Manifest)


def test_a_whole_manifest_is_read() -> None:
    manifest = read(WHOLE)
    assert manifest.folder == ""
    assert manifest.source is not None
    assert manifest.source.converted == ""
    assert manifest.rope is not None
    assert (manifest.rope.theta, manifest.rope.factor) == (100000.0, 4.0)
    assert manifest.memory == {"int8": 0.5}


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"mine"', '"../mine"', "name has letters"),
        ('"mine"', '""', "name has letters"),
        ("= 512", "= 0", "context is a positive"),
        ('"owner/name.1"', '"name"', "owner/name"),
        ('"owner/name.1"', '"https://hub/owner/name"', "owner/name"),
        ('"0123456789abcdef0123456789abcdef01234567"', '"main"', "a branch may move"),
        ("theta = 100000.0", "theta = 0.0", "rope.theta"),
        ("theta = 100000.0", "theta = nan", "rope.theta"),
        ("factor = 4.0", "factor = 0.5", "rope.factor"),
        ('scaling = "linear"', 'scaling = ""', "needs rope.scaling"),
        ('scaling = "linear"', 'scaling = "yarn"', "scaling"),
        ('middle = "<m>"', 'middle = ""', "token middle"),
        ('end = "<e>"', 'end = ""', "prefix, suffix and end"),
        ('"model.bin"', '"../model.bin"', "only what is in the model's folder"),
        ('"model.bin"', '"/model.bin"', "only what is in the model's folder"),
        ("00000000000000000000", "zz", "not a SHA-256"),
        ("kv_heads = 1", "kv_heads = 0", "positive"),
        ("heads = 2\nkv_heads = 1", "heads = 3\nkv_heads = 2", "does not divide"),
        ("int8 = 0.5", "int8 = -0.5", "not negative"),
        ("int8 = 0.5", "int9 = 0.5", "int9"),
        ('"tokenizer_config.json"', '"template.txt"', "template"),
        ("licence", "license", "license"),
        ("theta =", "base =", "base"),
        ("layers =", "layer =", "layer"),
        ("repo =", "repository =", "repository"),
    ],
)
def test_what_is_off_is_named(old: str, new: str, complaint: str) -> None:
    assert old in WHOLE
    with pytest.raises(msgspec.ValidationError, match=complaint):
        read(WHOLE.replace(old, new, 1))
