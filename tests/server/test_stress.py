"""Random edits against a live server, in all three encodings, at any moment of a run.

1,500 edits for each encoding in the suite; ``OCILS_EDITS=10000`` for more, ``OCILS_SEED`` for others.
The text of the server must be that of the editor after each burst, and after every message when a
difference has to be found.
"""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

import pytest

from ocils.domain.judging import Plan
from ocils.domain.text import Edit

from .conftest import Rig, Table
from .editor import Editor
from .naive import ENCODINGS, naive_position
from .script import RIGHT, WRONG

EDITS = int(os.environ.get("OCILS_EDITS", "1500"))
SEED = int(os.environ.get("OCILS_SEED", "20261121"))

# Outside the BMP, combining marks, joined pictures, every line end, a byte order mark, and what
# str.splitlines takes for line ends though nobody else does.
BITS = [
    *"abx ()#:'\"\\\t",
    *("\n", "\r\n", "\r", "\n    ", "\n\n"),
    *(
        "é",
        "e\u0301",
        "ß",
        "漢",
        "𝕏",
        "👩",
        "👩\u200d👩\u200d👧",
        "\ufeff",
        "\u2028",
        "\x85",
        "\x0c",
    ),
    *("def f():\n    pass\n", "if cents:", "return 0", '"""', "class K:\n"),
]
BURST = 50


def edit_once(editor: Editor, uri: str, draw: random.Random) -> None:
    """One change as editors send them: a range by positions, and a new text."""
    text = editor.buffers[uri].text
    start = draw.randrange(len(text) + 1)
    end = min(len(text), start + draw.choice([0, 0, 0, 1, 1, 2, 5, 40]))
    # Within one CRLF no position exists; editors never send one.
    start -= text[start - 1 : start + 1] == "\r\n"
    end += text[end - 1 : end + 1] == "\r\n"
    new = "".join(draw.choice(BITS) for _ in range(draw.choice([0, 1, 1, 2, 3])))
    # Neither do they make one out of two changes: "\r" typed before "\n" is sent as a whole line end.
    if new.endswith("\r") and text[end : end + 1] == "\n":
        new += "x"
    if new.startswith("\n") and text[start - 1 : start] == "\r":
        new = "x" + new
    if not new and text[start - 1 : start] == "\r" and text[end : end + 1] == "\n":
        new = "x"
    if len(text) > 6000:
        end = max(end, min(len(text), start + 2000))
        end += text[end - 1 : end + 1] == "\r\n"
        new = new or "x"
    line, character = naive_position(text, start, editor.encoding)
    last_line, last_character = naive_position(text, end, editor.encoding)
    editor.change(uri, (line, character), (last_line, last_character), new)


def text_of(table: Table, uri: str) -> str:
    opened = table.server.desk.documents.find(uri)
    assert opened is not None
    return opened.document.data.decode(opened.document.encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.timeout(900)
async def test_the_servers_text_stays_the_editors(rig: Rig, encoding: Any) -> None:
    draw = random.Random(f"{SEED} {encoding}")
    table = await rig.connect(Editor(encoding=encoding))
    editor = table.editor
    uri = editor.open(table.code)
    done = 0
    while done < EDITS:
        for _ in range(min(BURST, EDITS - done)):
            edit_once(editor, uri, draw)
            done += 1
        # An answer comes after everything that was sent before it.
        at = draw.randrange(len(editor.buffers[uri].text) + 1)
        await editor.actions(uri, editor.place(uri, at))
        assert text_of(table, uri) == editor.buffers[uri].text, f"seed {SEED}, by edit {done}"
    opened = table.server.desk.documents.find(uri)
    assert opened is not None
    assert opened.document.version == 1 + EDITS
    assert editor.messages == []


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_edits_during_every_phase_never_spoil_the_text(rig: Rig, encoding: Any) -> None:
    """Whatever comes of the run: the text is what was typed, or that with the one edit in it."""
    draw = random.Random(f"{SEED} phases {encoding}")
    rig.replies[:] = [[WRONG], [RIGHT]] * 12
    table = await rig.connect(Editor(encoding=encoding))
    editor = table.editor
    tests = editor.open(table.tests)
    uri = editor.open(table.code)
    pristine = editor.buffers[uri].text

    async def typing(_: Plan, __: tuple[Edit, ...]) -> None:
        kind = draw.randrange(4)
        if kind == 0:
            editor.type(uri, 0, 0, draw.choice(["# 👩 é\n", "\n", "# 𝕏\r\n"]))
        elif kind == 1:
            editor.type(tests, 0, 0, "# e\u0301\n")
        elif kind == 2:
            editor.type(uri, len(editor.buffers[uri].text), 0, "\n# behind\n")
        await asyncio.sleep(0)

    rig.judge.gate = typing
    for count in range(1, 5):
        await editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
        await editor.ended(count)
        await editor.run("ocils.status")
        assert text_of(table, uri) == editor.buffers[uri].text
        kept = "\n".join(
            line
            for line in editor.buffers[uri].text.replace("\r\n", "\n").split("\n")
            if line and not line.startswith("# ")
        )
        allowed = [
            "\n".join(line for line in each.split("\n") if line)
            for each in (pristine, pristine.replace("cents > FREE", "cents >= FREE"))
        ]
        assert kept in allowed
        if "cents >= FREE" in editor.buffers[uri].text:
            editor.replace(uri, "cents >= FREE", "cents > FREE")


async def test_two_runs_on_one_file_while_somebody_types(rig: Rig) -> None:
    """Both are judged at once; the second is confirmed again on the text with the first in it."""
    broken = rig.read("shop/pricing.py").replace("raise ValueError", "raise TypeError")
    rig.write("shop/pricing.py", broken)
    discounted = "```python\ndef discounted(cents, percent):\n"
    discounted += (
        '    """Take a percentage off, rounded down to a whole cent in the shop\'s favour."""\n'
    )
    discounted += "    if not 0 <= percent <= 100:\n"
    discounted += '        raise ValueError("a discount is between 0 and 100 percent")\n'
    discounted += "    return cents - cents * percent // 100\n```"
    rig.replies[:] = [[RIGHT, discounted]] * 12
    table = await rig.connect()
    editor = table.editor
    uri = editor.open(table.code)
    left = iter(["# 👩\n", "# e\u0301\n", "# 𝕏\n"])

    async def typing(_: Plan, edits: tuple[Edit, ...]) -> None:
        if edits and (text := next(left, None)) is not None:
            editor.type(uri, 0, 0, text)
        await asyncio.sleep(0)

    rig.judge.gate = typing
    started = [
        await editor.run("ocils.refineUntilGreen", {"uri": uri, "name": name})
        for name in ("delivery", "discounted")
    ]
    assert len({each["task"] for each in started}) == 2
    await editor.until(lambda: editor.said("`delivery` mended"), "the first")
    await editor.until(lambda: editor.said("`discounted` mended"), "the second")
    text = editor.buffers[uri].text
    mended = broken.replace("raise TypeError", "raise ValueError")
    assert text == "# 𝕏\n# e\u0301\n# 👩\n" + mended.replace("cents > FREE", "cents >= FREE")
    await editor.run("ocils.status")
    assert text_of(table, uri) == text
