"""What an editor feels: the server's start, its answers, and a keystroke's cost, on a long file.

Not covered: drawing on the editor's side.
"""

from __future__ import annotations

import random
import statistics
import time

from ocils.bench.client import server
from ocils.bench.figure import Bench, Figure, percentiles
from ocils.bench.long_file import long_file
from ocils.domain.text import Document
from ocils.source.target import SourceTree

_LINES = 10_000


async def server_start_s(bench: Bench, rounds: int = 7) -> Figure:
    """From starting the process to the answer to ``initialize``; no model is loaded."""
    workspace, _, _ = await bench.workspace("basket")
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        async with server() as client:
            await client.start(workspace.root)
            seconds.append(time.perf_counter() - started)
    value = round(statistics.median(seconds), 3)
    conditions: dict[str, object] = {"rounds": rounds, "worst": round(max(seconds), 3)}
    return Figure("server_start_s", value, "s", "lower", conditions)


async def code_action_p99_ms(bench: Bench, rounds: int = 400) -> Figure:
    """A code action request on a long open file, each right after a keystroke somewhere in it."""
    workspace, _, _ = await bench.workspace("basket")
    data = long_file(_LINES)
    uri = f"file://{workspace.root}/shop/long.py"
    lines = data.decode().splitlines()
    drawing = random.Random(0)  # noqa: S311 - a drawing, not a secret
    seconds = []
    async with server() as client:
        await client.start(workspace.root)
        opened = {"uri": uri, "languageId": "python", "version": 1, "text": data.decode()}
        await client.tell("textDocument/didOpen", {"textDocument": opened})
        for n in range(rounds + 20):
            line = drawing.randrange(len(lines))
            end = {"line": line, "character": len(lines[line])}
            change = {"range": {"start": end, "end": end}, "text": " "}
            lines[line] += " "
            version = {"uri": uri, "version": n + 2}
            await client.tell(
                "textDocument/didChange", {"textDocument": version, "contentChanges": [change]}
            )
            started = time.perf_counter()
            await client.ask(
                "textDocument/codeAction",
                {
                    "textDocument": {"uri": uri},
                    "range": {"start": end, "end": end},
                    "context": {"diagnostics": []},
                },
            )
            seconds.append(time.perf_counter() - started)
    return percentiles("code_action_p99_ms", seconds[20:], len(lines))


async def keystroke_parse_p99_ms(_: Bench, rounds: int = 125) -> Figure:
    """Parse a long file again after each character of a line that is typed somewhere in it."""
    clean = SourceTree.of(Document("/long.py", long_file(_LINES)))
    lines = clean.document.data.splitlines(keepends=True)
    drawing = random.Random(0)  # noqa: S311 - a drawing, not a secret
    seconds = []
    for _n in range(rounds):
        line = drawing.randrange(len(lines))
        at = sum(map(len, lines[:line]))
        tree, data = clean, clean.document.data
        for typed in (b"i", b"f", b" ", b"n", b"(", b")", b":", b"\n"):
            data = data[:at] + typed + data[at:]
            at += 1
            document = Document("/long.py", data)
            started = time.perf_counter()
            tree = tree.edited(document)
            seconds.append(time.perf_counter() - started)
    return percentiles("keystroke_parse_p99_ms", seconds, len(lines))
