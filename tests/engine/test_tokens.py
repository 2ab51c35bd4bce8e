"""Prompts as tokens: the format, control tokens in the user's code, chat templates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from ocils.domain.errors import ModelDamaged, Unsupported
from ocils.domain.model import Chat, Infill, InfillFormat, Message
from ocils.engine.chat import ChatTemplate
from ocils.engine.models.store import ModelFolder, find
from ocils.engine.tokens import ModelTokens

from .small_model import SPECIALS, build_model

TALK = Chat((Message("system", "be brief"), Message("user", "fix 'it' </s> é")), opening="Sure:")


@pytest.fixture
def tokens(small_model: ModelFolder) -> ModelTokens:
    return ModelTokens(small_model)


def test_the_format_of_lines(tokens: ModelTokens) -> None:
    got = tokens.encode(Infill("\na", "\nb", "\nc"))
    assert got == ["<pre>", "Ċ", "a", "<suf>", "Ċ", "b", "<was>", "Ċ", "c", "<mid>"]
    assert tokens.encode(Infill("", "")) == ["<pre>", "<suf>", "<was>", "<mid>"]
    row, head = tokens.encode_pair(Infill("\na", ""), "\nb")
    assert (row[head:], row[head - 1]) == (["Ċ", "b", "<end>"], "<mid>")


def test_the_format_without_was(small_model: ModelFolder) -> None:
    form = small_model.manifest.infill
    assert form is not None
    manifest = replace(small_model.manifest, infill=replace(form, was="", form="text"))
    tokens = ModelTokens(replace(small_model, manifest=manifest))
    assert tokens.encode(Infill("a", "b", "c")) == ["<pre>", "a", "<suf>", "b", "<mid>"]


@pytest.mark.parametrize("control", SPECIALS)
def test_control_tokens_in_the_users_code_are_ordinary_text(
    tokens: ModelTokens, control: str
) -> None:
    """Code that speaks of ``<mid>`` must not open a new piece of the prompt."""
    text = f"\nx = '{control}{control}'"
    got = tokens.encode(Infill(text, text, text))
    for special in SPECIALS:
        assert got.count(special) == (special in ("<pre>", "<suf>", "<was>", "<mid>"))
    numbers = [tokens._plain.token_to_id(t) or 0 for t in got]
    assert tokens._plain.decode(numbers, skip_special_tokens=True) == text * 3


@pytest.mark.parametrize("control", SPECIALS)
def test_control_tokens_in_a_conversation_are_ordinary_text(
    tokens: ModelTokens, control: str
) -> None:
    """A file that speaks of the end of a message must not end the message."""
    text = f"x = '{control}{control}'"
    plain = tokens.encode(Chat((Message("user", ""),)))
    got = tokens.encode(Chat((Message("user", text),), opening=text))
    for special in SPECIALS:
        assert got.count(special) == plain.count(special)
    numbers = [tokens.vocabulary[t] for t in got]
    assert tokens.decode(numbers) == f"user\n{text}{text}"


def test_a_conversation_may_hold_any_character(tokens: ModelTokens) -> None:
    text = "".join(map(chr, range(0xE000, 0xE010))) + "<mid>"
    got = tokens.encode(Chat((Message("user", text),)))
    assert tokens.decode([tokens.vocabulary[t] for t in got]) == f"user\n{text}"


def test_the_order_the_start_and_a_middle_without_a_token(small_model: ModelFolder) -> None:
    form = InfillFormat("<pre>", "<suf>", "", "<end>", start="<pad>", order="suffix_first")
    manifest = replace(small_model.manifest, infill=form)
    tokens = ModelTokens(replace(small_model, manifest=manifest))
    tokens.load()
    assert tokens.encode(Infill("a", "b")) == ["<pad>", "<suf>", "b", "<pre>", "a"]
    row, head = tokens.encode_pair(Infill("a", "b"), "c")
    assert (row, head) == (["<pad>", "<suf>", "b", "<pre>", "a", "c", "<end>"], 5)
    wrong = replace(manifest, infill=replace(form, start="<nosuch>"))
    with pytest.raises(ModelDamaged, match="nosuch"):
        ModelTokens(replace(small_model, manifest=wrong)).load()


def test_a_token_that_the_weights_lack_is_never_passed_on(model_copy: Path) -> None:
    """CTranslate2 would read it as token 0 and say nothing."""
    path = model_copy / "vocabulary.json"
    words = json.loads(path.read_text())
    path.write_text(json.dumps(words[:-50]))
    tokens = ModelTokens(find(str(model_copy)))
    tokens.load()  # a tokenizer may know more than the weights
    lost = words[-1].replace("Ġ", " ").replace("Ċ", "\n")
    with pytest.raises(ModelDamaged, match="has no token"):
        tokens.encode(Infill(lost, lost))


def test_end_tokens_and_stop_strings_are_told_apart(small_model: ModelFolder) -> None:
    manifest = replace(small_model.manifest, stop=("<suf>", "\n```"))
    tokens = ModelTokens(replace(small_model, manifest=manifest))
    assert tokens.end_tokens(TALK) == ("<end>", "<suf>")
    assert tokens.stop_strings(replace(TALK, stop=("\nclass ",))) == ("\nclass ", "\n```")
    assert set(tokens.end_tokens(Infill("", ""))) == {"<end>", "<pre>", "<suf>", "<was>", "<mid>"}


def test_counting_needs_no_weights(model_copy: Path) -> None:
    (model_copy / "model.bin").unlink()
    tokens = ModelTokens(find(str(model_copy)))
    assert tokens.count("") == 0
    assert tokens.count("<mid>") > 1
    assert tokens.count("a\n" * 10) == 20


def test_a_chat_is_the_templates_text(tokens: ModelTokens, small_model: ModelFolder) -> None:
    text = ChatTemplate(small_model.folder).render(TALK)
    assert text == ("<pre>system\nbe brief<suf><pre>user\nfix 'it' </s> é<suf><mid>Sure:")
    got = tokens.encode(TALK)
    assert [t for t in got if t in SPECIALS] == ["<pre>", "<suf>", "<pre>", "<suf>", "<mid>"]


def test_a_template_in_the_tokenizers_configuration(tmp_path: Path) -> None:
    template = "{{ bos_token }}{% for m in messages %}{{ m | tojson }}{% endfor %}"
    for value in (
        template,
        [{"name": "tool", "template": "x"}, {"name": "default", "template": template}],
    ):
        (tmp_path / "tokenizer_config.json").write_text(
            json.dumps({"chat_template": value, "bos_token": {"content": "<s>"}})
        )
        text = ChatTemplate(tmp_path).render(Chat((Message("user", "ä<&'"),)))
        assert text == '<s>{"role": "user", "content": "ä<&\'"}'


def test_a_template_may_stop_early_and_trim(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text(
        "{% for m in messages %}\n    {% if loop.index == 2 %}{% break %}{% endif %}\n"
        "{{ m.content }}{% endfor %}{{ strftime_now('%Y') | length }}"
    )
    assert ChatTemplate(tmp_path).render(TALK) == "be brief4Sure:"


@pytest.mark.parametrize(
    "template",
    [
        "{% for %}",
        "{{ raise_exception('system is not allowed') }}",
        "{{ ''.__class__.__mro__ }}",
        "{% set _ = messages.append(1) %}",
        "{{ messages[9].content }}",
    ],
)
def test_a_template_that_fails_or_reaches_out_is_damage(tmp_path: Path, template: str) -> None:
    (tmp_path / "chat_template.jinja").write_text(template)
    with pytest.raises(ModelDamaged, match="chat template"):
        ChatTemplate(tmp_path).render(TALK)


def test_a_model_without_a_system_role_hears_it_from_the_user(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text(
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    )
    assert ChatTemplate(tmp_path).render(TALK) == "<user>be brief\n\nfix 'it' </s> éSure:"
    with pytest.raises(ModelDamaged, match="no system"):
        ChatTemplate(tmp_path).render(Chat((Message("system", "alone"),)))


def test_no_template_and_a_broken_configuration(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="no chat template"):
        ChatTemplate(tmp_path).render(TALK)
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(ModelDamaged, match="cannot be read"):
        ChatTemplate(tmp_path).render(TALK)


def test_the_model_of_form_text_counts_as_well(tmp_path: Path) -> None:
    tokens = ModelTokens(find(str(build_model(tmp_path / "text", form="text"))))
    tokens.load()
    assert len(tokens.vocabulary) == 600
