"""A hub on loopback: the part of its protocol that a download uses, and every way of misbehaving.

Small files are sent by the hub itself with git's name of them; large ones are redirected to a store
under another host name, with a signed address and no token, as real hubs do.

Not covered: uploads, searching, Xet.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "c0ffee00" * 5
LARGE = 50_000
"""Files from this size on are "LFS" files."""


@dataclass
class Asked:
    """One request, as it came; ``kind`` is "info", "file" or "store"."""

    kind: str
    path: str
    token: str
    first: int
    """The first byte asked for."""


@dataclass
class Answer:
    """How to misbehave: a status instead of the file, other bytes, or an end before the end."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut: int | None = None
    """Close the connection after so many bytes of the body."""
    wait: threading.Event | None = None
    """After ``cut`` bytes, wait for this instead of closing, and send the rest."""
    reached: threading.Event | None = None
    """Set when ``cut`` bytes were sent."""
    ranges: bool = True


Plan = Callable[[Asked, int], Answer | None]
"""Says how to answer a request, given how many of its kind and path came before; None: well."""


@dataclass
class HubServer:
    """Repositories by "owner/name", each with one commit; ``token`` is needed when it is set."""

    repos: dict[str, dict[str, bytes]]
    plan: Plan = lambda asked, before: None
    token: str = ""
    commits: dict[str, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def of(self, kind: str) -> list[Asked]:
        return [each for each in self.asked if each.kind == kind]

    def commit(self, repo: str) -> str:
        return self.commits.get(repo, COMMIT)


@contextmanager
def serving(hub: HubServer) -> Iterator[HubServer]:
    """Serve ``hub`` in a thread; its ``url`` is known inside the block."""

    class Handler(_Handler):
        server_hub = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server_hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.server_hub
        # A proxy is asked with the whole address; the path in it counts.
        parts = urlsplit(self.path)
        path = unquote(parts.path).strip("/")
        kind = "info" if path.startswith("api/") else "store" if path.startswith("s/") else "file"
        asked = Asked(kind, path, self.headers.get("Authorization", ""), self._first())
        before = sum(each.path == path for each in hub.asked)
        hub.asked.append(asked)
        answer = hub.plan(asked, before) or Answer()
        if answer.status:
            self._send(answer.status, answer.body or b"", answer)
            return
        if kind != "store" and hub.token and asked.token != f"Bearer {hub.token}":
            self._send(401, b"{}", Answer(headers={"X-Error-Code": "RepoNotFound"}))
        elif kind == "info":
            self._info(path.split("/"), answer)
        elif kind == "store":
            if asked.token or parse_qs(parts.query).get("signature") != ["right"]:
                self._send(403, b"no signature, or a token that was none of our business", answer)
                return
            self._file(self._stored(path.removeprefix("s/")), answer)
        else:
            self._resolve(path.split("/"), answer)

    def _info(self, parts: list[str], answer: Answer) -> None:
        hub = self.server_hub
        repo = "/".join(parts[2:4])
        files = hub.repos.get(repo)
        if files is None:
            self._send(404, b"{}", Answer(headers={"X-Error-Code": "RepoNotFound"}))
        elif parts[5] not in ("main", hub.commit(repo)):
            self._send(404, b"{}", Answer(headers={"X-Error-Code": "RevisionNotFound"}))
        else:
            siblings = [_sibling(name, data) for name, data in files.items()]
            table = {"id": repo, "sha": hub.commit(repo), "siblings": siblings}
            body = json.dumps(table).encode() if answer.body is None else answer.body
            self._send(200, body, answer)

    def _resolve(self, parts: list[str], answer: Answer) -> None:
        hub = self.server_hub
        repo, name = "/".join(parts[:2]), "/".join(parts[4:])
        data = hub.repos.get(repo, {}).get(name)
        if data is None or parts[3] != hub.commit(repo):
            self._send(404, b"", Answer(headers={"X-Error-Code": "EntryNotFound"}))
            return
        headers = {"X-Repo-Commit": hub.commit(repo), "ETag": f'"{_blob(data)}"'}
        if len(data) >= LARGE:
            digest = hashlib.sha256(data).hexdigest()
            headers |= {
                "X-Linked-Size": str(len(data)),
                "X-Linked-ETag": f'"{digest}"',
                "Location": f"http://localhost:{hub.port}/s/{digest}?signature=right",
            }
            self._send(302, b"", Answer(headers=headers))
            return
        answer.headers |= headers
        self._file(data, answer)

    def _file(self, data: bytes, answer: Answer) -> None:
        data = data if answer.body is None else answer.body
        first = self._first() if answer.ranges else 0
        answer.headers["Accept-Ranges"] = "bytes"
        if first >= len(data) > 0:
            self._send(416, b"", answer)
        elif first:
            answer.headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
            self._send(206, data[first:], answer)
        else:
            self._send(200, data, answer)

    def _send(self, status: int, body: bytes, answer: Answer) -> None:
        self.send_response(status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            if answer.cut is None:
                self.wfile.write(body)
                return
            self.wfile.write(body[: answer.cut])
            self.wfile.flush()
            if answer.reached is not None:
                answer.reached.set()
            if answer.wait is not None:
                answer.wait.wait(60)
                self.wfile.write(body[answer.cut :])
            else:
                self.close_connection = True
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _first(self) -> int:
        given = self.headers.get("Range", "")
        return int(given.removeprefix("bytes=").rstrip("-")) if given else 0

    def _stored(self, digest: str) -> bytes:
        for files in self.server_hub.repos.values():
            for data in files.values():
                if hashlib.sha256(data).hexdigest() == digest:
                    return data
        raise AssertionError(f"nothing is stored as {digest}")


def _sibling(name: str, data: bytes) -> dict[str, object]:
    known: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": _blob(data)}
    if len(data) >= LARGE:
        digest = hashlib.sha256(data).hexdigest()
        known["lfs"] = {"sha256": digest, "size": len(data), "pointerSize": 130}
    return known


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
