"""Streams of a model's server: token by token, and quietly over when nobody listens any more."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.model import Infill, Sampling
from ocils.engine.models.store import find
from ocils.engine.remote.connection import Address
from ocils.engine.remote.engine import RemoteEngine
from ocils.record.redact import Veil

from .served_process import CODE, Process

pytestmark = pytest.mark.model

ENDLESS = {
    "prompt": "<pre>\n" + "\n".join(CODE) + "<suf><was><mid>",
    "n": 64,
    "max_tokens": 400,
    "temperature": 5,
    "top_k": 4000,
    "stream": True,
}
"""Rows that hardly ever end by themselves: many seconds of work."""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    told = tmp_path_factory.mktemp("served") / "stderr"
    with told.open("w") as errors:
        process = Process(errors=errors)
        yield process
        assert process.end() == 0
    assert told.read_text() == "", "whatever clients did, nobody is troubled with it"


class Listener:
    """A client that reads a stream event by event."""

    def __init__(self, process: Process, body: object) -> None:
        self._line = HTTPConnection("127.0.0.1", process.port, timeout=30)
        headers = {"Content-Type": "application/json"}
        self._line.request("POST", "/v1/completions", json.dumps(body), headers)
        self.socket = self._line.sock  # the answer takes it away from the connection
        self._answer = self._line.getresponse()
        assert self._answer.getheader("Content-Type") == "text/event-stream"

    def events(self) -> Iterator[str]:
        for line in self._answer:
            if line.startswith(b"data: "):
                yield line.removeprefix(b"data: ").decode().strip()

    def vanish(self) -> None:
        """Be gone without a word: what the server sends next is answered with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._answer.close()
        self.socket.close()
        self._line.close()


def test_a_streamed_reply_comes_in_parts_and_is_the_same(process: Process) -> None:
    asked = {
        "prompt": "\n".join(CODE[:6]) + "\n",
        "suffix": "\n".join(CODE[8:]),
        "max_tokens": 60,
        "temperature": 0,
        "n": 2,
        "logprobs": 1,
    }
    _, whole = process.ask("POST", "/v1/completions", asked)
    listener = Listener(process, {**asked, "stream": True})
    *data, done = listener.events()
    assert done == "[DONE]"
    chunks = [json.loads(each) for each in data]
    assert len(chunks) > 3
    assert len({each["id"] for each in chunks}) == 1
    for row, choice in enumerate(whole["choices"]):  # type: ignore[arg-type, var-annotated]
        parts = [each["choices"][row] for each in chunks]
        assert "".join(part["text"] for part in parts) == choice["text"]
        finishes = [part["finish_reason"] for part in parts]
        assert finishes == [None] * (len(parts) - 1) + [choice["finish_reason"]]
        sums = sum(part["logprobs"]["token_logprobs"][0] for part in parts)
        assert sums == pytest.approx(choice["logprobs"]["token_logprobs"][0], abs=1e-3)


def test_parts_come_while_the_model_draws_and_who_vanishes_ends_it(process: Process) -> None:
    before = process.ask("GET", "/health")[1]
    for _ in range(2):
        listener = Listener(process, ENDLESS)
        first = json.loads(next(listener.events()))
        assert first["choices"][0]["finish_reason"] is None
        assert process.ask("GET", "/health")[1]["running"] == 1
        listener.vanish()
        process.wait_until(running=0)
    after = process.ask("GET", "/health")[1]
    assert int(str(after["cancelled"])) == int(str(before["cancelled"])) + 2


def test_who_vanishes_before_an_answer_is_no_trouble(process: Process) -> None:
    for sent in (b"", b"POST /v1/comple", b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        line = socket.create_connection(("127.0.0.1", process.port))
        line.sendall(sent)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()
    assert process.ask("GET", "/v1/models")[0] == 200


async def test_cancel_reaches_the_server_in_the_middle_of_a_reply(process: Process) -> None:
    model = find("ocils-tiny")
    engine = RemoteEngine(model.manifest, Address(process.url, loopback=True), "", "", Veil())
    before = process.ask("GET", "/health")[1]["cancelled"]
    cancel = CancelToken()
    long = Infill("\n" + "\n".join(CODE), "", max_lines=200)

    async def run() -> int:
        sampling = Sampling(64, 400, 5.0, top_k=4000, top_p=1.0)
        return len([r async for r in engine.generate(long, sampling, cancel)])

    try:
        running = asyncio.create_task(run())
        await asyncio.to_thread(process.wait_until, running=1)
        cancel.cancel()
        assert await running < 64
        await asyncio.to_thread(process.wait_until, running=0)
    finally:
        await engine.close()
    assert int(str(process.ask("GET", "/health")[1]["cancelled"])) == int(str(before)) + 1
