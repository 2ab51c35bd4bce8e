"""Files from a hub: resumed, checked, and every trouble in words."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelDamaged, ModelUnavailable
from ocils.engine.models.hub import Hub, Listing, RemoteFile, Stopped

from .hub_server import COMMIT, Answer, Asked, HubServer, Plan, serving

REPO = "us/ours"
BIG = random.Random(1).randbytes(300_000)
SMALL = b'{"a": 1}'

Serve = Callable[..., HubServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a hub with one repository that misbehaves as ``plan`` says."""
    with ExitStack() as stack:

        def start(plan: Plan = lambda asked, before: None, token: str = "") -> HubServer:
            files = {"big.bin": BIG, "config.json": SMALL}
            return stack.enter_context(serving(HubServer({REPO: files}, plan, token)))

        yield start


def file_of(listing: Listing, path: str) -> RemoteFile:
    return next(each for each in listing.files if each.path == path)


def pull(server: HubServer, folder: Path, path: str = "big.bin") -> Path:
    hub, cancel = Hub(server.url, pause=0), CancelToken()
    listing = hub.listing(REPO, COMMIT, cancel)
    hub.fetch(listing, file_of(listing, path), folder / path, lambda _: None, cancel)
    return folder / path


def test_what_a_repository_holds(serve: Serve) -> None:
    listing = Hub(serve().url).listing(REPO, "main", CancelToken())
    assert listing.commit == COMMIT
    assert [(f.path, f.size) for f in listing.files] == [("big.bin", 300_000), ("config.json", 8)]
    assert file_of(listing, "big.bin").sha256
    assert file_of(listing, "config.json").blob


@pytest.mark.parametrize("path", ["big.bin", "config.json"])
def test_a_file_comes_whole_and_leaves_no_part(serve: Serve, tmp_path: Path, path: str) -> None:
    got = pull(serve(), tmp_path, path)
    assert got.read_bytes() == {"big.bin": BIG, "config.json": SMALL}[path]
    assert [each.name for each in tmp_path.iterdir()] == [path]


def test_the_token_goes_to_the_hub_and_not_to_the_store(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(token="hf_secret")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert pull(server, tmp_path).read_bytes() == BIG
    assert {each.token for each in server.of("file")} == {"Bearer hf_secret"}
    assert [each.token for each in server.of("store")] == [""]


def test_a_dropped_connection_is_taken_up_where_it_broke(serve: Serve, tmp_path: Path) -> None:
    def twice(asked: Asked, before: int) -> Answer | None:
        return Answer(cut=100_000) if asked.kind == "store" and before < 2 else None

    server = serve(twice)
    assert pull(server, tmp_path).read_bytes() == BIG
    assert [each.first for each in server.of("store")] == [0, 100_000, 200_000]


def test_a_server_that_always_drops_is_given_up_and_the_part_kept(
    serve: Serve, tmp_path: Path
) -> None:
    def drops(asked: Asked, before: int) -> Answer | None:
        return Answer(cut=0 if before else 1000) if asked.kind == "store" else None

    server = serve(drops)
    with pytest.raises(ModelUnavailable, match=r"cannot reach|broke off") as caught:
        pull(server, tmp_path)
    assert "what was downloaded is kept" in caught.value.mend
    assert (tmp_path / "big.bin.part").read_bytes() == BIG[:1000]
    server.plan = lambda asked, before: None
    assert pull(server, tmp_path).read_bytes() == BIG
    assert server.of("store")[-1].first == 1000


def test_a_server_that_knows_no_ranges_starts_over(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "big.bin.part").write_bytes(b"#" * 5000)
    server = serve(lambda asked, before: Answer(ranges=False))
    assert pull(server, tmp_path).read_bytes() == BIG
    assert len(server.of("store")) == 1


@pytest.mark.parametrize("rest", [b"#" * 5000, BIG + b"#", b"#" * len(BIG)])
def test_a_part_of_something_else_is_found_out(serve: Serve, tmp_path: Path, rest: bytes) -> None:
    (tmp_path / "big.bin.part").write_bytes(rest)
    assert pull(serve(), tmp_path).read_bytes() == BIG


@pytest.mark.parametrize("path", ["big.bin", "config.json"])
@pytest.mark.parametrize("how", ["flipped", "page", "short", "long"])
def test_bytes_that_are_not_the_announced_ones_are_never_kept(
    serve: Serve, tmp_path: Path, path: str, how: str
) -> None:
    data = {"big.bin": BIG, "config.json": SMALL}[path]
    wrong = {
        "flipped": data[:-1] + bytes([data[-1] ^ 1]),
        "page": b"<html>please sign in</html>" * (1 + len(data) // 20),
        "short": data[:-2],
        "long": data + b"more",
    }[how]
    server = serve(lambda asked, before: Answer(body=wrong) if asked.kind != "info" else None)
    with pytest.raises((ModelDamaged, ModelUnavailable), match=r"not the file|broke off"):
        pull(server, tmp_path, path)
    assert not (tmp_path / path).exists()


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (401, {}, "refuses|no repository"),
        (403, {}, "refuses"),
        (403, {"X-Error-Code": "GatedRepo"}, "granted by its owner"),
        (404, {"X-Error-Code": "RepoNotFound"}, "no repository"),
        (404, {"X-Error-Code": "RevisionNotFound"}, "no such revision"),
        (404, {"X-Error-Code": "EntryNotFound"}, "does not have"),
        (429, {"Retry-After": "0"}, "too often"),
        (500, {}, "trouble of its own"),
        (503, {}, "trouble of its own"),
    ],
)
@pytest.mark.parametrize("kind", ["info", "file"])
def test_every_refusal_has_words(
    serve: Serve, tmp_path: Path, kind: str, status: int, headers: dict[str, str], said: str
) -> None:
    server = serve(
        lambda asked, before: Answer(status, dict(headers)) if asked.kind == kind else None
    )
    with pytest.raises(ModelUnavailable, match=said) as caught:
        pull(server, tmp_path)
    assert caught.value.mend
    tries = len(server.of(kind))
    assert tries == (5 if status in (429, 500, 503) else 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["info", "file", "store"])
def test_trouble_that_passes_is_waited_out(serve: Serve, tmp_path: Path, kind: str) -> None:
    def first(asked: Asked, before: int) -> Answer | None:
        return Answer(503) if asked.kind == kind and before < 2 else None

    assert pull(serve(first), tmp_path).read_bytes() == BIG


@pytest.mark.parametrize(
    "body",
    [
        b"<html>please sign in</html>",
        b"[]",
        b"{}",
        b'{"id": "us/ours", "sha": "main", "siblings": []}',
        b'{"id": "us/ours", "sha": "%s", "siblings": [{"rfilename": "x"}]}' % COMMIT.encode(),
        b'{"id": "us/ours", "sha": "%s", "siblings": [{"size": 3}]}' % COMMIT.encode(),
        b'{"id": "us/ours", "sha": "%s", "siblings": 3}' % COMMIT.encode(),
        b"\xff\xfe",
    ],
)
def test_an_answer_that_is_rubbish_is_told(serve: Serve, body: bytes) -> None:
    server = serve(lambda asked, before: Answer(body=body))
    with pytest.raises(ModelUnavailable, match="does not speak a hub's protocol"):
        Hub(server.url, pause=0).listing(REPO, COMMIT, CancelToken())


def test_another_commit_than_the_pinned_one_is_refused(serve: Serve) -> None:
    body = b'{"id": "us/ours", "sha": "%s", "siblings": []}' % (b"ab" * 20)
    server = serve(lambda asked, before: Answer(body=body))
    with pytest.raises(ModelUnavailable, match="commit abababababab of us/ours instead of c0ffee"):
        Hub(server.url).listing(REPO, COMMIT, CancelToken())


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"cannot reach http://127\.0\.0\.1:9"):
        Hub("http://127.0.0.1:9", pause=0).listing(REPO, COMMIT, CancelToken())


@pytest.mark.parametrize("proxy", ["foo://bar:1", "http://bar:notaport"])
def test_a_proxy_that_is_no_address_is_told(proxy: str) -> None:
    """In a process of its own: the client reads the environment once."""
    ask = f"Hub('http://hub.invalid', pause=0).listing('{REPO}', '{COMMIT}', CancelToken())"
    imports = (
        "from ocils.domain.cancel import CancelToken\nfrom ocils.engine.models.hub import Hub\n"
    )
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    environ = {key: value for key, value in os.environ.items() if key.upper() not in names}
    came = subprocess.run(
        [sys.executable, "-c", imports + ask],
        env={**environ, "HTTP_PROXY": proxy},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "what should lead to http://hub.invalid is no address" in came.stderr


def test_a_cancelled_download_keeps_its_part(serve: Serve, tmp_path: Path) -> None:
    server, cancel = serve(lambda asked, before: Answer(cut=100_000)), CancelToken()
    hub = Hub(server.url, pause=0)
    server.plan, listing = server.plan, hub.listing(REPO, COMMIT, cancel)

    def tell(had: int) -> None:
        if had:
            cancel.cancel()

    with pytest.raises(Stopped):
        hub.fetch(listing, file_of(listing, "big.bin"), tmp_path / "big.bin", tell, cancel)
    assert 0 < (tmp_path / "big.bin.part").stat().st_size <= len(BIG)
    assert not (tmp_path / "big.bin").exists()
