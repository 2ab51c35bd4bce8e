"""Sessions on disk: for the user alone, whole or not at all, without secrets."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import msgspec
import pytest

from ocils.domain.errors import UsageError
from ocils.domain.judging import CaseResult, Failed, TestId, TimedOut
from ocils.domain.model import Chat, Infill, Message
from ocils.domain.session import Candidate, Feedback, Judged, Limits, Session, Turn
from ocils.domain.target import EditTarget
from ocils.domain.text import Edit, Span
from ocils.ports import Recorder
from ocils.record.sessions import SessionFiles

TARGET = EditTarget("/w/a.py", "f", "function", Span(0, 9), Span(5, 9), "", 1, 2, hash="fe" * 32)


def session(name: str = "s1", turns: tuple[Turn, ...] = ()) -> Session:
    return Session(name, "repair", TARGET, "ab" * 32, "tiny@1", Limits(turns=3), 5, turns)


def turn(number: int, text: str = "x = 1") -> Turn:
    candidate = Candidate(f"c{number}", (Edit("/w/a.py", Span(1, 2), text),), -1.5, "infill")
    case = CaseResult(TestId("t.py::test"), "failed", 0.1, text, report=text)
    return Turn(
        number,
        "infill",
        Infill(text, "\nend", text),
        (Judged(candidate, Failed((case,), 0.2)), Judged(candidate, TimedOut(1.0))),
        Feedback(text),
    )


def test_a_session_comes_back_as_it_was(tmp_path: Path) -> None:
    recorder: Recorder = SessionFiles(tmp_path)
    whole = session(turns=(turn(1), turn(2, "é\u2028\n\t\\"), Turn(3, "edit", None)))
    recorder.record(whole)
    assert SessionFiles(tmp_path).load("s1") == whole
    (file,) = tmp_path.iterdir()
    assert file.name.endswith("-s1.jsonl")
    assert len(file.read_bytes().splitlines()) == 4


def test_a_later_state_replaces_the_earlier(tmp_path: Path) -> None:
    files = SessionFiles(tmp_path)
    first, second = turn(1), turn(2)
    files.record(session())
    files.record(session(turns=(first,)))
    files.record(session("other", turns=(first,)))
    files.record(session(turns=(first, second)))
    files.record(session(turns=(turn(1, "changed"), second)))
    assert files.load("s1") == session(turns=(turn(1, "changed"), second))
    assert len(list(tmp_path.iterdir())) == 2


def test_only_the_user_can_read_them(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        folder = tmp_path / "state" / "sessions"
        SessionFiles(folder).record(session())
        (file,) = folder.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        folder.chmod(0o755)
        SessionFiles(folder).record(session())
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    finally:
        os.umask(old)


SECRETS = [
    "ghp_" + "a1B2" * 9,
    "github_pat_" + "a1B2" * 10,
    "glpat-" + "abcd1234" * 3,
    "sk-" + "proj_Ab12" * 4,
    "AKIA" + "ABCD1234" * 2,
    "xoxb-" + "1234567890-abc",
    "AIza" + "Sy0_-" * 7,
    "hf_" + "AbCd" * 8,
    "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_known_tokens_are_taken_out(tmp_path: Path, secret: str) -> None:
    kept = written(tmp_path, f"client = Client('{secret}')\nx = 1")
    assert secret not in kept
    assert "client = Client('[redacted]')" in kept


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password = 'correct horse'\nDB_PASSWORD = 'hunter2hunter2'", "hunter2hunter2"),
        ('{"api_key": "0123456789abcdef"}', "0123456789abcdef"),
        ("self.token: str = 'abcdefgh1234'", "abcdefgh1234"),
        ("export AWS_SECRET=abcdEFGH1234/+", "abcdEFGH1234/+"),
        ("Authorization: Bearer abcdef0123456789ab==", "abcdef0123456789ab"),
        ("postgres://me:s3cr3tpw@host/db", "s3cr3tpw"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nAAAA\n-----END RSA PRIVATE KEY-----\n", "MIIE"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz cut off", "b3BlbnNz"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(tmp_path: Path, text: str, secret: str) -> None:
    kept = written(tmp_path, text)
    assert secret not in kept
    assert "[redacted]" in kept


@pytest.mark.parametrize(
    "text",
    [
        "tokens = tokenize(source)\ntoken = tokens[0]\n",
        "def check_password(password: str, token=None) -> bool:\n    return password == secret()\n",
        "url = 'https://example.org:8080/a@b'\nhash = '" + "0123456789abcdef" * 4 + "'",
        "assert pwd() == '/x'\nskip = 'sk-1'\nsecret_word = ''",
    ],
)
def test_ordinary_code_is_left_alone(tmp_path: Path, text: str) -> None:
    SessionFiles(tmp_path).record(session(turns=(turn(1, text),)))
    assert SessionFiles(tmp_path).load("s1") == session(turns=(turn(1, text),))


def written(folder: Path, text: str) -> str:
    """Record a session that holds ``text`` in every kind of place; return the decoded strings."""
    chat = Turn(2, "rewrite", Chat((Message("user", text),), opening=text))
    SessionFiles(folder).record(session(turns=(turn(1, text), chat)))
    (file,) = folder.iterdir()
    strings: list[str] = []

    def collect(value: object) -> None:
        match value:
            case str():
                strings.append(value)
            case dict():
                for each in value.values():
                    collect(each)
            case list():
                for each in value:
                    collect(each)

    for line in file.read_bytes().splitlines():
        collect(msgspec.json.decode(line))
    return "\n".join(strings)


def test_texts_that_are_not_unicode_are_kept_readable(tmp_path: Path) -> None:
    assert "\\udcff" in written(tmp_path, "bad \udcff byte")


def test_recording_never_raises_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    files = SessionFiles(tmp_path / "file" / "sessions")
    with caplog.at_level(logging.WARNING):
        files.record(session())
        files.record(session())
    assert len(caplog.records) == 1
    assert "cannot be recorded" in caplog.text
    assert files.recent(5) == ()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_failed_write_leaves_the_earlier_state(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = SessionFiles(tmp_path)
    files.record(session())
    (path,) = tmp_path.iterdir()
    # The draft's name, taken by a link to a device that is always full; links are not followed.
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.symlink_to("/dev/full")
    files.record(session(turns=(turn(1),)))
    assert files.load("s1") == session()
    assert "cannot be recorded" in caplog.text


def test_an_unknown_or_broken_session_is_said(tmp_path: Path) -> None:
    files = SessionFiles(tmp_path)
    with pytest.raises(UsageError, match="no session 'nope'"):
        files.load("nope")
    files.record(session("good"))
    for name, data in (("bad", b"{"), ("empty", b""), ("latin", b'"\xff"')):
        (tmp_path / f"2026-01-01-{name}.jsonl").write_bytes(data)
        with pytest.raises(UsageError, match="cannot be read"):
            files.load(name)
    assert files.recent(10) == (session("good"),)


def test_an_id_cannot_leave_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    odd = session("../../etc/passwd\n")
    SessionFiles(folder).record(odd)
    assert [p.parent for p in tmp_path.rglob("*.jsonl")] == [folder]
    assert SessionFiles(folder).load(odd.id) == odd


def test_an_id_that_ends_like_another_is_another(tmp_path: Path) -> None:
    files = SessionFiles(tmp_path)
    files.record(session("a-b"))
    files.record(session("b"))
    assert {each.id for each in files.recent(5)} == {"a-b", "b"}


def test_the_newest_are_kept(tmp_path: Path) -> None:
    files = SessionFiles(tmp_path, kept=3)
    for n in range(5):
        files.record(session(f"s{n}"))
        for path in tmp_path.glob(f"*-s{n}.jsonl"):
            os.utime(path, (n, n))
    files.record(session("last"))
    assert [each.id for each in files.recent(9)] == ["last", "s4", "s3"]
    assert [each.id for each in files.recent(1)] == ["last"]
    stale = tmp_path / "2026-01-01-x.1.tmp"
    stale.write_text("left by a crash")
    os.utime(stale, (1, 1))
    files.record(session("last"))
    assert not stale.exists()
