"""Finding models, and telling damaged ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import EnvironmentProblem, ModelDamaged, ModelMissing
from ocils.domain.model import Chat, Infill, Message, Sampling
from ocils.engine.ct2 import CTranslate2Engine
from ocils.engine.models.store import ModelFolder, bundled_models, find, readable, verify

MINIMAL = """
name = "mine"
family = "llama"
folder = "weights"
licence = "MIT"
context = 512
chat = false
strategies = ["infill"]
"""


def test_a_folder_with_its_manifest_is_found_and_whole(model_copy: Path) -> None:
    model = find(str(model_copy))
    assert model.folder == model_copy
    assert model.manifest.measured["anything"] == {"goes": [1, 2.5, "three"]}
    verify(model)
    assert find(str(model_copy / "ocils.toml")) == model


def test_the_users_manifest_wins(tmp_path: Path) -> None:
    user, shipped = tmp_path / "user", tmp_path / "shipped"
    for folder, context in ((user, 111), (shipped, 222)):
        folder.mkdir()
        (folder / "mine.toml").write_text(MINIMAL.replace("512", str(context)))
    (shipped / "second.toml").write_text(MINIMAL.replace('"mine"', '"other"'))
    (user / "broken.toml").write_text("=")
    with pytest.raises(ModelDamaged, match=r"broken\.toml"):
        find("broken", user)
    assert find("mine", user).manifest.context == 111
    found = readable(user, tmp_path / "absent", shipped)
    assert [model.manifest.context for model in found] == [111, 512]
    assert found[0].folder == user / "weights"
    assert find("other", shipped) == find("second", shipped) == found[1]


def test_an_installed_model_stands_between_the_users_word_and_what_ships(
    tmp_path: Path, model_copy: Path
) -> None:
    user, installed, shipped = (tmp_path / each for each in ("user", "installed", "shipped"))
    user.mkdir()
    shipped.mkdir()
    bare = MINIMAL.replace('"mine"', '"small"').replace('folder = "weights"\n', "")
    (shipped / "small.toml").write_text(bare)
    absent_one = readable(user, installed, shipped)[0]
    assert absent_one.folder == installed / "small"
    installed.mkdir()
    model_copy.rename(installed / "small")
    there = find("small", user, installed)
    assert there.folder == installed / "small"
    assert there.manifest.context == 256
    verify(there)
    (user / "small.toml").write_text(bare.replace("512", "77"))
    mine = find("small", user, installed)
    assert mine.manifest.context == 77
    assert mine.identity == there.identity, "what was installed knows what its files are"
    (installed / ".staging-small").mkdir()
    (installed / ".staging-small" / "ocils.toml").write_text(bare.replace("small", "half"))
    assert [each.manifest.name for each in readable(user, installed, shipped)] == ["small"]


def test_an_absent_model_says_how_to_get_it(tmp_path: Path) -> None:
    bare = MINIMAL.replace('folder = "weights"\n', "")
    (tmp_path / "mine.toml").write_text(bare + '[source]\nrepo = "them/theirs"\n')
    with pytest.raises(ModelMissing, match=r"not on this machine; run `ocils model pull mine`"):
        verify(find("mine", tmp_path, tmp_path / "installed"))


def without_checksums(folder: Path) -> None:
    manifest = folder / "ocils.toml"
    text = manifest.read_text()
    manifest.write_text(text[: text.index("[files]")] + text[text.index("[measured]") :])


async def test_a_vocabulary_of_another_size_is_told(model_copy: Path) -> None:
    path = model_copy / "vocabulary.json"
    path.write_text(json.dumps([*json.loads(path.read_text()), "more"]))
    without_checksums(model_copy)
    await refused(find(str(model_copy)), "has 601 tokens, the weights have 600")


async def test_another_rotary_base_than_the_model_was_trained_with_is_told(
    model_copy: Path,
) -> None:
    manifest = model_copy / "ocils.toml"
    manifest.write_text(manifest.read_text() + "\n[rope]\ntheta = 1000000.0\n")
    await refused(find(str(model_copy)), r"base 10000, and small was trained with 1e\+06")


def test_an_unknown_name_gets_the_nearest_known_one(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINIMAL)
    with pytest.raises(ModelMissing, match=r"'mien'; did you mean mine\? `ocils model list`"):
        find("mien", tmp_path)
    with pytest.raises(ModelMissing):
        find("../mine", tmp_path)


def test_shipped_manifests_are_found_in_a_checkout_and_in_a_wheel(tmp_path: Path) -> None:
    checkout = bundled_models()
    assert checkout.name == "models"
    assert (checkout.parent / "ocils" / "engine").is_dir()
    package = tmp_path / "site-packages" / "ocils"
    (package / "_models").mkdir(parents=True)
    (tmp_path / "site-packages" / "models").mkdir()
    assert bundled_models(package) == package / "_models"


def test_an_absent_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="check the path"):
        find(str(tmp_path / "nowhere"))
    with pytest.raises(ModelMissing, match="no manifest"):
        find(str(tmp_path))
    (tmp_path / "ocils.toml").write_text(MINIMAL)
    with pytest.raises(ModelMissing, match=r"has no folder at .*weights; put its files there"):
        verify(find(str(tmp_path)))


@pytest.mark.parametrize(
    "text",
    ["name = 3", MINIMAL + "typo = 1", MINIMAL.replace('"infill"', '"oracle"'), "= =", b"\xff\xfe"],
)
def test_a_manifest_that_is_off_is_named(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "ocils.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ModelDamaged, match=r"manifest .*ocils.toml is not valid"):
        find(str(tmp_path))


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json", "vocabulary.json", "config.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "changed", "empty"])
async def test_damage_is_told_before_anything_is_loaded(
    model_copy: Path, name: str, damage: str
) -> None:
    path = model_copy / name
    data = path.read_bytes()
    match damage:
        case "missing":
            path.unlink()
        case "truncated":
            path.write_bytes(data[: len(data) // 2])
        case "changed":
            path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        case _:
            path.write_bytes(b"")
    await refused(find(str(model_copy)), f"damaged: .*{name} (is missing|was cut short)")


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json", "vocabulary.json", "config.json"])
async def test_damage_is_told_without_checksums_too(model_copy: Path, name: str) -> None:
    without_checksums(model_copy)
    path = model_copy / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    await refused(find(str(model_copy)), "cannot|was cut short")
    path.unlink()
    await refused(find(str(model_copy)), "missing")


async def test_a_vocabulary_of_another_model_is_told(model_copy: Path) -> None:
    path = model_copy / "vocabulary.json"
    words = path.read_text()
    path.write_text(words.replace('"a"', '"§"', 1))
    manifest = model_copy / "ocils.toml"
    text = manifest.read_text()
    manifest.write_text(text[: text.index("[files]")] + text[text.index("[measured]") :])
    await refused(find(str(model_copy)), "disagree on 'a'")
    path.write_text(words)
    manifest.write_text(manifest.read_text().replace('"<was>"', '"<old>"'))
    await refused(find(str(model_copy)), "lacks '<old>'")


@pytest.mark.parametrize(
    "name", [b"decoder/layer_norm/gamma", b"decoder/layer_0/ffn/linear_0/weight"]
)
async def test_a_weight_that_is_not_there_is_told(model_copy: Path, name: bytes) -> None:
    """CTranslate2 raises one kind of error or another for it, by the weight's kind."""
    path = model_copy / "model.bin"
    data = path.read_bytes()
    assert data.count(name + b"\0") == 1
    path.write_bytes(data.replace(name + b"\0", name[:-1] + b"?\0"))
    without_checksums(model_copy)
    await refused(find(str(model_copy)), "CTranslate2 cannot load the model")


@pytest.mark.parametrize(
    "template",
    ["{% for %}", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"],
)
async def test_a_template_that_fails_ends_a_chat_and_not_the_engine(
    model_copy: Path, template: str
) -> None:
    (model_copy / "chat_template.jinja").write_text(template)
    without_checksums(model_copy)
    engine = CTranslate2Engine(find(str(model_copy)), threads=1)
    try:
        with pytest.raises(ModelDamaged, match="the chat template in"):
            async for _ in engine.generate(
                Chat((Message("user", "hello"),)), Sampling(1, 1, 0.0), CancelToken()
            ):
                pass
        async for reply in engine.generate(Infill("x", "y"), Sampling(1, 1, 0.0), CancelToken()):
            assert reply.tokens == 1
    finally:
        await engine.close()


async def test_the_identity_follows_the_files(model_copy: Path) -> None:
    before = find(str(model_copy)).identity
    manifest = model_copy / "ocils.toml"
    checksum = find(str(model_copy)).manifest.files["model.bin"]
    manifest.write_text(manifest.read_text().replace(checksum, checksum[::-1]))
    assert find(str(model_copy)).identity != before


async def refused(model: ModelFolder, message: str) -> None:
    """Loading and generating both refuse ``model``, in words, and the engine can still close."""
    engine = CTranslate2Engine(model, threads=1)
    try:
        with pytest.raises(EnvironmentProblem, match=message) as caught:
            await engine.load()
        assert caught.value.mend
        with pytest.raises(EnvironmentProblem, match=message):
            async for _ in engine.generate(Infill("x", "y"), Sampling(1, 1), CancelToken()):
                pass
    finally:
        await engine.close()
