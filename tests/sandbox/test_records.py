"""The records of a run, as they come out of the descriptor: numbered, marked, whole."""

from __future__ import annotations

import json
import os
import threading
from typing import Any

import pytest

from ocils.sandbox.inside.records import Records


class Pipe:
    """A pipe that is read meanwhile, as the supervisor does."""

    def __init__(self) -> None:
        self._ours, self.end = os.pipe()
        self._read = bytearray()
        self._reader = threading.Thread(target=self._take)
        self._reader.start()

    def _take(self) -> None:
        while data := os.read(self._ours, 1 << 12):
            self._read += data

    def lines(self) -> list[Any]:
        """Close it; what was written, line by line."""
        os.close(self.end)
        self._reader.join()
        os.close(self._ours)
        assert self._read.endswith(b"\n") or not self._read
        return [json.loads(line) for line in self._read.splitlines()]


def test_records_carry_the_nonce_and_a_running_number() -> None:
    pipe = Pipe()
    records = Records(pipe.end, {"nonce": "abc"})
    records._send(t="start", id="a")
    records._send(t="case", id="a", outcome="passed")
    records._send(t="start", id="b")
    assert pipe.lines() == [
        {"t": "start", "id": "a", "n": "abc", "i": 0},
        {"t": "case", "id": "a", "outcome": "passed", "n": "abc", "i": 1},
        {"t": "start", "id": "b", "n": "abc", "i": 2},
    ]


def test_only_the_end_tells_what_was_replaced() -> None:
    pipe = Pipe()
    records = Records(pipe.end, {"nonce": "n"})
    records._send(t="start", id="a")
    records._send(t="done", code=0)
    start, done = pipe.lines()
    assert "replaced" not in start
    assert done == {"t": "done", "code": 0, "replaced": [], "n": "n", "i": 1}


@pytest.mark.parametrize("size", [1, 1 << 16, 1 << 20])
def test_a_record_of_any_size_comes_whole(size: int) -> None:
    pipe = Pipe()
    records = Records(pipe.end, {"nonce": "n"})
    text = "ü\n" * size
    records._send(t="case", report=text)
    records._send(t="case", report="")
    assert [each["report"] for each in pipe.lines()] == [text, ""]


def test_a_record_is_one_line_of_ascii() -> None:
    ours, theirs = os.pipe()
    Records(theirs, {"nonce": "n"})._send(t="x", text="a\nü\u2028")
    data = os.read(ours, 1 << 12)
    for each in (ours, theirs):
        os.close(each)
    assert data == b'{"t":"x","text":"a\\n\\u00fc\\u2028","n":"n","i":0}\n'
