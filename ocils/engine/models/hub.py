"""A hub of models, by huggingface_hub: what a repository holds, and its files, resumed and checked.

Mirrors, proxies, tokens and offline mode are the library's: HF_ENDPOINT, HTTPS_PROXY, HF_TOKEN,
HF_HUB_OFFLINE. Downloading is done here, since the library drops what was had of a file when its
process ends, and a model is many gigabytes.

Not covered: which files are wanted (``pull.py``); Xet's own protocol: its files come by HTTP too.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelDamaged, ModelUnavailable, OcilsError
from ocils.engine.models.hub_errors import explained, passing
from ocils.engine.models.staging import disk_problem

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

_AT_ONCE = 1024 * 1024
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TRIES = 5  # in a row that brought nothing


class Stopped(Exception):
    """Somebody cancelled; never leaves the engine room's own functions."""


class RemoteFile(Value, frozen=True):
    """A file of a repository; ``sha256`` is known for large ones, ``blob`` (git's SHA-1) for the rest."""

    path: str
    size: int
    sha256: str = ""
    blob: str = ""


class Listing(Value, frozen=True):
    """What a repository holds at one commit."""

    repo: str
    commit: str
    files: tuple[RemoteFile, ...]


class Hub:
    """The hub at ``endpoint``; without one where HF_ENDPOINT says, else the library's default.

    ``pause`` is how many seconds lie between the first two tries; each further pause is twice as
    long, at most half a minute.
    """

    def __init__(self, endpoint: str | None = None, pause: float = 1.0) -> None:
        self._endpoint = endpoint or os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
        self._pause = pause

    @property
    def address(self) -> str:
        """Where it is, for messages."""
        from huggingface_hub import constants

        return self._endpoint or constants.ENDPOINT

    def listing(self, repo: str, revision: str, cancel: CancelToken) -> Listing:
        """Return what ``repo`` holds at ``revision``: a commit, or a branch or tag to look up.

        Raises ``ModelUnavailable``.
        """
        from huggingface_hub import HfApi

        api = HfApi(endpoint=self._endpoint)

        def ask() -> Listing:
            info = api.model_info(repo, revision=revision, files_metadata=True, timeout=30)
            return _listing(repo, info)

        listing: Listing = self._patiently(ask, cancel, f"{repo} at {revision}")
        if _COMMIT.fullmatch(revision) and listing.commit != revision:
            raise ModelUnavailable(
                f"{self.address} answers with commit {listing.commit[:12]} of {repo} instead of "
                f"{revision[:12]}",
                mend="check the revision, or use another mirror",
            )
        return listing

    def fetch(
        self,
        listing: Listing,
        file: RemoteFile,
        target: Path,
        tell: Callable[[int], None],
        cancel: CancelToken,
    ) -> None:
        """Bring ``file`` to ``target``, going on with ``target.part`` where there is one.

        ``tell`` hears how many bytes of it are there. Raises ``ModelUnavailable`` and
        ``ModelDamaged``, and ``Stopped``; what was had so far stays in the part.
        """
        part = target.with_name(f"{target.name}.part")
        what = f"{file.path} of {listing.repo}"
        for again in (True, False):
            self._patiently(
                lambda: self._stream(listing, file, part, tell, cancel),
                cancel,
                what,
                lambda: part.stat().st_size if part.exists() else 0,
            )
            if _is_right(part, file):
                break
            # What an earlier try left may have been the fault; a second wrong file is the server's.
            part.unlink()
            if not again:
                raise self._wrong(what)
        try:
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.rename(target)
        except OSError as error:
            raise disk_problem(error, target.parent) from error

    def _wrong(self, what: str) -> ModelDamaged:
        return ModelDamaged(
            f"what {self.address} sends for {what} is not the file that it announces",
            mend="try again later, or use another mirror (HF_ENDPOINT)",
        )

    def _stream(
        self,
        listing: Listing,
        file: RemoteFile,
        part: Path,
        tell: Callable[[int], None],
        cancel: CancelToken,
    ) -> None:
        from huggingface_hub import constants, get_session, hf_hub_url
        from huggingface_hub.utils import (  # type: ignore[attr-defined]  # public by its pages only
            build_hf_headers,
            hf_raise_for_status,
        )

        have = part.stat().st_size if part.exists() else 0
        if have > file.size:
            part.unlink()
            have = 0
        if have == file.size and part.exists():
            return
        url = hf_hub_url(listing.repo, file.path, revision=listing.commit, endpoint=self._endpoint)
        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
        with get_session().stream("GET", url, headers=headers, timeout=timeout) as answer:
            if answer.status_code >= 400:
                answer.read()
            if answer.status_code == 416:
                # Less than was announced is all it has.
                part.unlink()
                raise self._wrong(f"{file.path} of {listing.repo}")
            hf_raise_for_status(answer)
            if have and answer.status_code != 206:
                have = 0
            try:
                with part.open("r+b" if have else "wb") as written:
                    written.seek(have)
                    written.truncate()
                    tell(have)
                    for block in answer.iter_bytes():
                        written.write(block)
                        have += len(block)
                        tell(min(have, file.size))
                        if cancel.cancelled:
                            raise Stopped
                        if have > file.size:
                            break
            except OSError as error:
                if error.errno is None:
                    raise
                raise disk_problem(error, part.parent) from error
        if have < file.size:
            raise _BrokenOff(f"{self.address} broke off")

    def _patiently(
        self,
        work: Callable[[], Any],
        cancel: CancelToken,
        what: str,
        had: Callable[[], int] = lambda: 0,
    ) -> Any:
        """Do ``work`` again while what is in its way may pass; each byte more renews the patience."""
        tries, most, pause = 0, had(), self._pause
        while True:
            if cancel.cancelled:
                raise Stopped
            try:
                return work()
            except (OcilsError, Stopped):
                raise
            except Exception as error:
                now = had()
                tries = 1 if now > most else tries + 1
                most = max(most, now)
                wait = passing(error) if not isinstance(error, _BrokenOff) else 0.0
                if wait is None or tries >= _TRIES:
                    raise explained(error, what, self.address) from error
            _wait(min(30.0, max(wait, pause) if self._pause else 0.0), cancel)
            pause *= 2


class _BrokenOff(Exception):
    """The stream ended before the file did."""


def _listing(repo: str, info: ModelInfo) -> Listing:
    commit = info.sha or ""
    if not _COMMIT.fullmatch(commit) or info.siblings is None:
        raise ValueError("no commit, or no files")
    files = []
    for each in info.siblings:
        if not isinstance(each.rfilename, str) or not isinstance(each.size, int):
            raise ValueError(f"no size of {each.rfilename!r}")
        sha256 = each.lfs.sha256 if each.lfs is not None else ""
        files.append(RemoteFile(each.rfilename, each.size, sha256, each.blob_id or ""))
    return Listing(repo, commit, tuple(files))


def _is_right(path: Path, file: RemoteFile) -> bool:
    if path.stat().st_size != file.size:
        return False
    if file.sha256:
        total = hashlib.sha256()
        expected = file.sha256
    elif file.blob:
        # Git's own name of a small file: the SHA-1 of its length and its bytes.
        total = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
        expected = file.blob
    else:
        return True
    with path.open("rb") as read:
        while block := read.read(_AT_ONCE):
            total.update(block)
    return total.hexdigest() == expected


def _wait(seconds: float, cancel: CancelToken) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if cancel.cancelled:
            raise Stopped
        time.sleep(min(0.1, left))
