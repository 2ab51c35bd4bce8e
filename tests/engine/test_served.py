"""A model's server, as a process, and the engine on it: the same model as in this process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelUnavailable
from ocils.domain.model import Chat, Infill, Message, Reply, Sampling
from ocils.engine.ct2 import CTranslate2Engine
from ocils.engine.models.store import find
from ocils.engine.remote.connection import Address
from ocils.engine.remote.engine import RemoteEngine
from ocils.engine.tokens import ModelTokens
from ocils.record.redact import Veil

from .served_process import CODE, Process, hole

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    process = Process()
    yield process
    assert process.end() == 0


@pytest_asyncio.fixture
async def remote(process: Process) -> AsyncIterator[RemoteEngine]:
    model = find("ocils-tiny")
    address = Address(process.url, loopback=True)
    engine = RemoteEngine(model.manifest, address, "", "", Veil(), ModelTokens(model).count)
    yield engine
    await engine.close()


@pytest_asyncio.fixture
async def local() -> AsyncIterator[CTranslate2Engine]:
    engine = CTranslate2Engine(find("ocils-tiny"), threads=2)
    yield engine
    await engine.close()


async def drawn(
    engine: RemoteEngine | CTranslate2Engine, prompt: Infill | Chat, sampling: Sampling
) -> list[Reply]:
    return [reply async for reply in engine.generate(prompt, sampling, CancelToken())]


async def test_greedy_replies_are_those_of_the_same_model_here(
    remote: RemoteEngine, local: CTranslate2Engine
) -> None:
    odd = Infill("\nx = '<mid> <end>'", "\n# grüß 日本", "\n    <was>", (), 3)
    for prompt in (hole(3), hole(6, "\n            start = value"), hole(8), odd):
        (there,) = await drawn(remote, prompt, Sampling(1, 60, 0.0))
        (here,) = await drawn(local, prompt, Sampling(1, 60, 0.0))
        assert (there.text, there.finish) == (here.text, here.finish)
        assert there.logprob == pytest.approx(here.logprob, abs=1e-3)
    assert remote.count_tokens("\n".join(CODE)) == local.count_tokens("\n".join(CODE))


async def test_likelihoods_are_those_of_the_same_model_here(
    remote: RemoteEngine, local: CTranslate2Engine
) -> None:
    pairs = [(hole(line), f"\n{text}") for line, text in enumerate(CODE)] * 8
    there = await remote.score(pairs, CancelToken())
    here = await local.score(pairs, CancelToken())
    # Rows are batched differently here and there, and int8 rounds what comes out by some hundredths;
    # another line, or another place to begin, differs by whole units.
    assert there == pytest.approx(here, abs=0.15)


async def test_many_replies_come_from_one_request(remote: RemoteEngine, process: Process) -> None:
    before = process.ask("GET", "/health")[1]["requests"]
    replies = await drawn(remote, hole(6), Sampling(16, 60, 1.0))
    assert sorted(reply.row for reply in replies) == list(range(16))
    assert len({reply.text for reply in replies}) > 4
    after = process.ask("GET", "/health")[1]["requests"]
    assert int(str(after)) - int(str(before)) <= 3  # the list of models, the replies, this question


async def test_cancel_reaches_the_server(remote: RemoteEngine, process: Process) -> None:
    await remote.load()
    before = int(str(process.ask("GET", "/health")[1]["cancelled"]))
    cancel = CancelToken()
    long = Infill("\n" + "\n".join(CODE), "", max_lines=200)

    async def run() -> list[Reply]:
        # Rows that never end by themselves: the server would be busy for many seconds.
        sampling = Sampling(64, 400, 5.0, top_k=4000, top_p=1.0)
        return [reply async for reply in remote.generate(long, sampling, cancel)]

    running = asyncio.create_task(run())
    await asyncio.to_thread(process.wait_until, running=1)
    cancel.cancel()
    await running
    await asyncio.to_thread(process.wait_until, running=0)
    assert int(str(process.ask("GET", "/health")[1]["cancelled"])) == before + 1
    assert await drawn(remote, hole(3), Sampling(1, 20, 0.0)), "it serves the next one"


async def test_what_the_model_cannot_is_said(remote: RemoteEngine) -> None:
    with pytest.raises(ModelUnavailable, match="has no chat template"):
        await drawn(remote, Chat((Message("user", "hello"),)), Sampling(1, 20, 0.0))
    await drawn(remote, hole(3), Sampling(1, 20, 0.0))


def test_the_protocol_as_any_client_speaks_it(process: Process) -> None:
    status, models = process.ask("GET", "/v1/models")
    assert (status, [each["id"] for each in models["data"]]) == (200, ["ocils-tiny"])  # type: ignore[attr-defined]
    asked = {
        "model": "ocils-tiny",
        "prompt": "def f(x):\n",
        "suffix": "    return y\n",
        "max_tokens": 40,
        "temperature": 0,
        "n": 3,
        "logprobs": 1,
        "user": "a field that nobody here knows",
    }
    status, answer = process.ask("POST", "/v1/completions", asked)
    choices: list[dict[str, object]] = answer["choices"]  # type: ignore[assignment]
    assert status == 200
    assert [choice["index"] for choice in choices] == [0, 1, 2]
    assert len({str(choice["text"]) for choice in choices}) == 1, "greedy ones are all the same"
    text = str(choices[0]["text"])
    assert text.startswith("    ")
    assert text.endswith("\n")
    assert "token_logprobs" in choices[0]["logprobs"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/v1/completions", {"prompt": "<pre>\na<suf><was><mid>", "model": "gpt"}, {}, 404),
        ("/v1/completions", {"prompt": "once upon a time"}, {}, 400),
        ("/v1/completions", {"prompt": ["<pre>a<suf>b<was><mid>"] * 2}, {}, 400),
        ("/v1/completions", {"prompt": 5}, {}, 400),
        ("/v1/completions", {"prompt": "x = ", "suffix": ""}, {}, 400),
        ("/v1/completions", {"prompt": "<pre>a<suf>b<was><mid>", "n": 1000}, {}, 400),
        ("/v1/completions", {"prompt": "<pre>a<suf>b<was><mid>", "max_tokens": 0}, {}, 400),
        ("/v1/completions", {"prompt": "no hole", "echo": True, "logprobs": 1}, {}, 400),
        ("/v1/completions", {"prompt": "<pre>" + "\na" * 2000 + "<suf><was><mid>"}, {}, 400),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}, {}, 400),
        ("/v1/chat/completions", {"messages": "hi"}, {}, 400),
        ("/v1/embeddings", {}, {}, 404),
        ("/v1/completions", {}, {"Origin": "https://a.page"}, 403),
        ("/v1/completions", {}, {"Host": "rebound.example"}, 403),
        ("/v1/completions", {}, {"Content_Type": "text/plain"}, 415),
        ("/v1/completions", {}, {"Transfer_Encoding": "chunked"}, 411),
        ("/v1/completions", {}, {"Content_Length": "999999999"}, 413),
    ],
)
def test_what_is_not_served_is_said(
    process: Process, path: str, body: object, headers: dict[str, str], status: int
) -> None:
    got, answer = process.ask("POST", path, body, **headers)
    assert got == status
    assert answer["error"]["message"]  # type: ignore[index]
    assert process.ask("GET", "/health")[0] == 200


def test_a_key_is_asked_for_and_other_machines_only_on_purpose() -> None:
    guarded = Process("--key-variable", "TEAM_KEY", TEAM_KEY="geheim")
    try:
        assert guarded.ask("GET", "/v1/models")[0] == 401
        assert guarded.ask("GET", "/v1/models", Authorization="Bearer wrong")[0] == 401
        assert guarded.ask("GET", "/v1/models", Authorization="Bearer geheim")[0] == 200
    finally:
        assert guarded.end() == 0
    refused = subprocess.run(
        [sys.executable, "-m", "ocils", "serve-model", "--host", "0.0.0.0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert refused.returncode == 2
    assert "--others" in refused.stderr
