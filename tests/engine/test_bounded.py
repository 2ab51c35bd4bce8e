"""Templates that never end, or take all memory: each ends at once, as a template's own fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import TemplateError

from ocils.domain.errors import ModelDamaged
from ocils.domain.model import Chat, Message
from ocils.engine.bounded import BoundedEnvironment
from ocils.engine.chat import ChatTemplate

TALK = Chat((Message("system", "be brief"), Message("user", "hello")))

ENDLESS = [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in range(99999) %}{{ range(99999) | sum }}{% endfor %}",
    "{% for a in range(9999) %}{{ range(99999) | map('string') | list | length }}{% endfor %}",
    "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{% for x in range(3) recursive %}{{ loop(range(3)) }}{% endfor %}",
]
VAST = [
    "{% set n = namespace(x='ab') %}{% for a in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{% set n = namespace(x='ab') %}{% for a in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for a in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{{ 'x' * 10 ** 12 }}",
    "{{ [1] * 999999999 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 'x' | center(99999999999) }}",
    "{{ 'x'.ljust(99999999999) }}",
    "{{ '%99999999999d' % 3 }}",
    "{{ range(10 ** 9) | list }}",
    "{{ lipsum(n=99999999) }}",
]
WRONG = ["{{ 1 / 0 }}", "{{ messages + 1 }}", "{{ messages[0].content.foo.bar }}", "{{ none() }}"]


@pytest.mark.parametrize("template", [*ENDLESS, *VAST, *WRONG])
def test_what_does_not_end_or_fails_is_damage_of_the_model(tmp_path: Path, template: str) -> None:
    (tmp_path / "chat_template.jinja").write_text(template)
    with pytest.raises(ModelDamaged, match=r"the chat template in .* fails"):
        ChatTemplate(tmp_path).render(TALK)


def test_a_failed_rendering_leaves_the_next_one_its_whole_sum(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text(
        "{% for a in range(30000) %}{% for b in range(99 if messages[-1].content.endswith('on') else 1) %}"
        "{% endfor %}{% endfor %}done"
    )
    template = ChatTemplate(tmp_path)
    on = Chat((Message("system", ""), Message("user", "on")))
    with pytest.raises(ModelDamaged, match="does not come to an end"):
        template.render(on)
    assert template.render(TALK) == "done"


def test_a_long_conversation_is_far_from_the_limit(tmp_path: Path) -> None:
    """A hundred messages of 30,000 characters with a template of the common kind."""
    (tmp_path / "chat_template.jinja").write_text(
        "{%- for m in messages -%}{%- set body = m.content | trim ~ '\\n' -%}"
        "{{ '<' + m.role + '>' ~ body }}{%- endfor -%}"
    )
    talk = Chat(tuple(Message("user", "x" * 30_000) for _ in range(100)))
    assert ChatTemplate(tmp_path).render(talk) == ("<user>" + "x" * 30_000 + "\n") * 100


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ 'a' ~ 1 ~ [2] }}", "a1[2]"),
        ("{{ 'a' + 'b' * 3 }}|{{ 7 % 4 }}|{{ 2 ** 5 }}|{{ '%03d' % 5 }}", "abbb|3|32|005"),
        ("{% for x in [1, 2, 3] if x > 1 %}{{ loop.index }}/{{ loop.length }} {% endfor %}", None),
        ("{% for x in [] %}{% else %}none{% endfor %}", "none"),
        ("{% macro f(x) %}<{{ x }}>{% endmacro %}{{ f('y') }}{{ f('z') }}", "<y><z>"),
        ("{% macro f() %}[{{ caller() }}]{% endmacro %}{% call f() %}in{% endcall %}", "[in]"),
        ("{{ ['b', 'a'] | sort | join(',') | upper }}", "A,B"),
    ],
)
def test_counting_changes_no_meaning(template: str, text: str | None) -> None:
    environment = BoundedEnvironment()
    expected = "1/2 2/2 " if text is None else text
    assert environment.finish(environment.from_string(template)) == expected


def test_a_syntax_error_is_jinjas_own() -> None:
    with pytest.raises(TemplateError, match="end of statement"):
        BoundedEnvironment().from_string("{% for %}")
