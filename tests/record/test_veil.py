"""What a remote model never sees, and what comes back from it as it was."""

from __future__ import annotations

import pytest

from ocils.record.redact import Veil

KEY = "ghp_" + "a1B2" * 10


@pytest.mark.parametrize(
    "text",
    [
        f'token = "{KEY}"',
        'password = "hunter2hunter2"',
        "postgres://me:geheim@host/db",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\ndef\n-----END RSA PRIVATE KEY-----",
        "API_TOKEN=abcdefgh12345678",
        f"{KEY} and again {KEY}, and sk-{'x' * 30}",
    ],
)
def test_what_is_hidden_comes_back(text: str) -> None:
    veil = Veil()
    hidden = veil.hide(text)
    assert hidden != text
    assert "[redacted-1]" in hidden
    assert veil.restore(hidden) == text
    assert veil.hide(hidden) == hidden, "hiding twice is hiding once"


def test_a_secret_stays_hidden_where_nothing_gives_it_away() -> None:
    veil = Veil()
    veil.hide('password = "hunter2hunter2"')
    assert veil.hide('login("hunter2hunter2")') == 'login("[redacted-1]")'


def test_a_short_secret_does_not_take_the_alphabet_with_it() -> None:
    veil = Veil()
    assert veil.hide("http://me:a@host/") == "http://me:[redacted-1]@host/"
    assert veil.hide("a banana") == "a banana"


def test_two_secrets_have_two_names_and_ten_do_not_mix() -> None:
    veil = Veil()
    keys = [f"ghp_{n:036d}" for n in range(12)]
    hidden = veil.hide(" ".join(keys))
    assert hidden == " ".join(f"[redacted-{n}]" for n in range(1, 13))
    assert veil.restore(hidden) == " ".join(keys)


def test_ordinary_code_is_left_alone() -> None:
    code = 'def tokens(text):\n    token = text.split()\n    return {"tokens": len(token)}\n'
    assert Veil().hide(code) == code
