"""A conversation becomes the tokens that transformers makes of it, whatever the user's file holds.

Not covered: the templates of real repositories (``templates.py`` says why).
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ocils.domain.model import Chat, Manifest, Message
from ocils.engine.models.store import ModelFolder
from ocils.engine.tokens import ModelTokens

from . import tokenizers_made
from .templates import BY_FORM

pytestmark = [pytest.mark.convert, pytest.mark.filterwarnings("ignore")]

TALKS = {
    "asked": Chat((Message("user", "mend `f`:\n```python\ndef f(x):\n    return x  \n```"),)),
    "told": Chat((Message("system", "be brief"), Message("user", "  mend f \n"))),
    "again": Chat(
        (
            Message("system", "be brief"),
            Message("user", "mend f"),
            Message("assistant", "def f(): 1"),
            Message("user", "one test failed: é𝒳 \t\r\n'quoted' {{ x }} {% y %}"),
        )
    ),
    "opened": Chat((Message("user", "mend f"),), opening="```python\ndef f(x):\n"),
}
NO_SYSTEM = ("turns", "magic")
every = pytest.mark.parametrize("form", BY_FORM)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ModelTokens]:
    """Return a function from a form to the tokens of a model that has it, as a folder holds it."""
    root = tmp_path_factory.mktemp("templates")

    def made(form: str, beside: bool = True) -> ModelTokens:
        template, kind = BY_FORM[form]
        folder = root / f"{form}-{beside}"
        if not folder.is_dir():
            tokenizer = tokenizers_made.wrapped(kind, template)
            tokenizer.save_pretrained(folder)
            if not beside:
                # Repositories of before 2025 keep it in the tokenizer's configuration.
                path = folder / "tokenizer_config.json"
                config = json.loads(path.read_text("utf-8"))
                (folder / "chat_template.jinja").unlink()
                path.write_text(json.dumps({**config, "chat_template": template}), "utf-8")
            vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
            (folder / "vocabulary.json").write_text(json.dumps([word for word, _ in vocabulary]))
            (folder / "config.json").write_text(json.dumps({"eos_token": tokenizer.eos_token}))
        manifest = Manifest(form, "llama", "none", 4096, True, ("rewrite",))
        return ModelTokens(ModelFolder(manifest, folder, form))

    return made


def their_tokens(tokens: ModelTokens, talk: Chat) -> list[str]:
    import transformers  # type: ignore[import-not-found]

    folder = tokens._model.folder
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    messages = [{"role": m.role, "content": m.content} for m in talk.messages]
    text = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=False, enable_thinking=False
    )
    if talk.opening:
        return list(tokenizer.tokenize(text + talk.opening, add_special_tokens=False))
    numbers = tokenizer.apply_chat_template(
        messages,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=False,
        enable_thinking=False,
    )
    return list(tokenizer.convert_ids_to_tokens(numbers))


@every
@pytest.mark.parametrize("beside", [True, False], ids=["file", "config"])
@pytest.mark.parametrize("talk", TALKS)
def test_the_same_tokens(
    tokens: Callable[..., ModelTokens], form: str, beside: bool, talk: str
) -> None:
    has_system = TALKS[talk].messages[0].role == "system"
    if form in NO_SYSTEM and has_system:
        pytest.skip("that form has no system role; see the test below")
    made = tokens(form, beside)
    assert made.encode(TALKS[talk]) == their_tokens(made, TALKS[talk])


@pytest.mark.parametrize("form", NO_SYSTEM)
def test_without_a_system_role_the_user_says_it(
    tokens: Callable[..., ModelTokens], form: str
) -> None:
    made = tokens(form)
    told = made.encode(TALKS["told"])
    said = Chat((Message("user", "be brief\n\n  mend f \n"),))
    assert told == made.encode(said) == their_tokens(made, said)


def test_a_model_that_could_think_first_is_told_not_to(tokens: Callable[..., ModelTokens]) -> None:
    made = tokens("chatml")
    text = made.decode([made.vocabulary[token] for token in made.encode(TALKS["asked"])])
    assert text.endswith("<think>\n\n</think>\n\n")


@every
def test_a_file_that_holds_a_control_token_changes_nobodys_turn(
    tokens: Callable[..., ModelTokens], form: str
) -> None:
    made = tokens(form)
    quiet = made.encode(Chat((Message("user", "x = ''"), Message("assistant", "y"))))
    for control in tokenizers_made.CONTROLS:
        text = f"x = '{control}'  # {control}{control}\n"
        loud = made.encode(Chat((Message("user", text), Message("assistant", text))))
        for each in tokenizers_made.CONTROLS:
            assert loud.count(each) == quiet.count(each), (control, each)
        numbers = [made.vocabulary[token] for token in loud]
        said = made._plain.decode(numbers, skip_special_tokens=False).replace("▁", " ")
        # SentencePiece writes a space as ▁, so that the two cannot be told apart.
        assert text.strip().replace("▁", " ") in said, "all that the file says is there"
