"""Chat templates: a conversation as the text that a chat model was trained on.

The template lies beside the tokenizer (``chat_template.jinja``, else in ``tokenizer_config.json``)
and is rendered as transformers does, in a sandbox and with its steps counted (``bounded.py``), since
it came with a download.

Not covered: tools and documents in templates.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ocils.domain.errors import ModelDamaged, Unsupported
from ocils.domain.model import Chat

if TYPE_CHECKING:
    from jinja2 import Template

    from ocils.engine.bounded import BoundedEnvironment


class ChatTemplate:
    """The template of the model in ``folder``; compiled when it is first rendered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._compiled: tuple[BoundedEnvironment, Template] | None = None
        self._special: dict[str, str] = {}

    def render(self, chat: Chat) -> str:
        """Return the prompt's text, the reply's opening at its end.

        Raises ``Unsupported`` when the model has no template, ``ModelDamaged`` when its template
        cannot be compiled or refuses the conversation.
        """
        from jinja2 import TemplateError

        messages = [{"role": m.role, "content": m.content} for m in chat.messages]
        try:
            if self._compiled is None:
                self._compiled = self._compile()
            try:
                text = self._rendered(messages)
            except TemplateError:
                # Some models know no system role, and their templates say so by failing.
                if (folded := _folded(messages)) is None:
                    raise
                text = self._rendered(folded)
        except TemplateError as error:
            raise ModelDamaged(
                f"the chat template in {self._folder} fails: {error}",
                mend="correct the template, or choose another model in your settings",
            ) from error
        return text + chat.opening

    def _rendered(self, messages: list[dict[str, str]]) -> str:
        assert self._compiled is not None
        environment, template = self._compiled
        return environment.finish(
            template,
            messages=messages,
            add_generation_prompt=True,
            # Many short answers that are run are worth more here than one that was thought over;
            # templates that do not know the word (all but Qwen3's and its kin) leave it alone.
            enable_thinking=False,
            **self._special,
        )

    def _compile(self) -> tuple[BoundedEnvironment, Template]:
        from ocils.engine.bounded import BoundedEnvironment

        source = self._read()
        environment = BoundedEnvironment()
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = _strftime_now
        return environment, environment.from_string(source)

    def _read(self) -> str:
        config: dict[str, object] = {}
        config_file = self._folder / "tokenizer_config.json"
        template_file = self._folder / "chat_template.jinja"
        try:
            if config_file.is_file():
                config = json.loads(config_file.read_bytes())
            source = (
                template_file.read_text("utf-8")
                if template_file.is_file()
                else _default_template(config.get("chat_template"))
            )
        except (OSError, ValueError) as error:
            raise ModelDamaged(
                f"the chat template in {self._folder} cannot be read: {error}",
                mend="get the model's files again",
            ) from error
        if source is None:
            raise Unsupported(
                f"the model in {self._folder} has no chat template",
                mend="choose a chat model, or use fill-in-the-middle",
            )
        for name in ("bos_token", "eos_token", "unk_token", "pad_token"):
            value = config.get(name)
            # Older tokenizers write a special token as an object with its text in "content".
            text = value.get("content") if isinstance(value, dict) else value
            if isinstance(text, str):
                self._special[name] = text
        return source


def _folded(messages: list[dict[str, str]]) -> list[dict[str, str]] | None:
    """Return the conversation with the system's words at the head of the user's, or None."""
    match messages:
        case [{"role": "system", "content": told}, {"role": "user", "content": asked}, *rest]:
            return [{"role": "user", "content": f"{told}\n\n{asked}"}, *rest]
    return None


def _default_template(value: object) -> str | None:
    """Return the template itself, or the one named "default" of a list of named ones."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        for each in value:
            if isinstance(each, dict) and each.get("name") == "default":
                return str(each.get("template"))
    return None


def _to_json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise_exception(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _strftime_now(pattern: str) -> str:
    return datetime.now().astimezone().strftime(pattern)
