"""Sessions on disk: one JSON-lines file each, for the user alone.

The first line is the session without its turns, every further line one turn. Texts are redacted
before they are written, so a recorded candidate that held a secret cannot be replayed as it was.

Not covered: several processes recording the *same* session; the last one wins.
"""

from __future__ import annotations

import logging
import os
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import platformdirs

from ocils.domain.errors import UsageError
from ocils.domain.session import Session, Turn
from ocils.record.redact import redact

_KEPT = 200
_STALE_SECONDS = 3600
_DATE = len("2026-01-31-")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")

_log = logging.getLogger(__name__)


class SessionFiles:
    """The ``Recorder`` port over a folder (the user's state folder when none is given).

    Keeps the ``kept`` newest sessions.
    """

    def __init__(self, folder: Path | None = None, kept: int = _KEPT) -> None:
        self._folder = folder or platformdirs.user_state_path("ocils") / "sessions"
        self._kept = kept
        self._said = False
        self._encoded: tuple[str, list[tuple[Turn, bytes]]] = ("", [])

    @property
    def folder(self) -> Path:
        """Where the files are; it need not exist yet."""
        return self._folder

    def record(self, session: Session) -> None:
        """Store ``session``, replacing an earlier state of the same id.

        Never raises: what cannot be written is logged, once.
        """
        try:
            self._write(session)
        except Exception as error:
            if not self._said:
                self._said = True
                _log.warning("sessions cannot be recorded in %s: %s", self._folder, error)

    def load(self, session_id: str) -> Session:
        """Return the session recorded under ``session_id``.

        Raises ``UsageError`` when there is none, or its file cannot be read.
        """
        path = self._find(session_id)
        if path is None:
            raise UsageError(
                f"no session {session_id!r} is recorded", mend=f"look in {self._folder}"
            )
        try:
            return _read(path)
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise UsageError(
                f"the recorded session {path} cannot be read: {error}", mend="remove it"
            ) from error

    def recent(self, count: int) -> tuple[Session, ...]:
        """Return up to ``count`` sessions, the newest first; unreadable files are passed over."""
        return tuple(session for session, _ in self.dated(count))

    def dated(self, count: int) -> tuple[tuple[Session, float], ...]:
        """Return the same with the time that each was last written (seconds since 1970)."""
        sessions: list[tuple[Session, float]] = []
        for path in self._newest_first():
            if len(sessions) == count:
                break
            with suppress(OSError, ValueError, msgspec.MsgspecError):
                sessions.append((_read(path), path.stat().st_mtime))
        return tuple(sessions)

    def _write(self, session: Session) -> None:
        folder = self._folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
        target = self._find(session.id)
        if target is None:
            today = datetime.now(UTC).strftime("%Y-%m-%d")
            target = folder / f"{today}-{_safe(session.id)}.jsonl"
        draft = target.with_suffix(f".{os.getpid()}.tmp")
        try:
            with open(draft, "wb", opener=_private) as file:
                file.write(b"".join(self._lines(session)))
            draft.replace(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        self._prune()

    def _lines(self, session: Session) -> list[bytes]:
        """Encode; turns that were encoded for the same session before are not encoded again."""
        known_id, known = self._encoded
        if known_id != session.id:
            known = []
        lines = []
        for n, turn in enumerate(session.turns):
            same = n < len(known) and known[n][0] is turn
            lines.append(known[n] if same else (turn, _line(turn)))
        self._encoded = (session.id, lines)
        head = _line(msgspec.structs.replace(session, turns=()))
        return [head, *(line for _, line in lines)]

    def _find(self, session_id: str) -> Path | None:
        name = f"{_safe(session_id)}.jsonl"
        for path in self._folder.glob("*.jsonl"):
            if path.name[_DATE:] == name:
                return path
        return None

    def _newest_first(self) -> list[Path]:
        dated = []
        for path in self._folder.glob("*.jsonl"):
            with suppress(OSError):
                dated.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(dated, reverse=True)]

    def _prune(self) -> None:
        for path in self._newest_first()[self._kept :]:
            path.unlink(missing_ok=True)
        for path in self._folder.glob("*.tmp"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()


def _line(value: Session | Turn) -> bytes:
    return msgspec.json.encode(_redacted(msgspec.to_builtins(value))) + b"\n"


def _redacted(value: object) -> object:
    match value:
        case str():
            # File names and captured output can hold what UTF-8 cannot.
            return redact(value.encode("utf-8", "backslashreplace").decode())
        case dict():
            return {key: _redacted(each) for key, each in value.items()}
        case list() | tuple():
            return [_redacted(each) for each in value]
        case _:
            return value


def _read(path: Path) -> Session:
    head, *turns = path.read_bytes().splitlines()
    session = msgspec.json.decode(head, type=Session)
    read = tuple(msgspec.json.decode(line, type=Turn) for line in turns)
    return msgspec.structs.replace(session, turns=read)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _safe(session_id: str) -> str:
    return _UNSAFE.sub("_", session_id)[:120]
