"""Taking secrets out of text before it is kept.

It finds what looks like a secret: private keys, tokens with a known prefix, credentials in URLs and
headers, and strings assigned to a name such as ``password``. A text that is changed says so.
What is sent to a model elsewhere goes through a ``Veil``, since its answer is to be code again.

Not covered: secrets that look like ordinary words, or that are split over several strings.
"""

from __future__ import annotations

import re

REDACTED = "[redacted]"
_LONG = 8  # characters; a shorter secret is hidden only where its surroundings give it away

# Names end in one of these words; "tokens = 5" and "tokenizer" are not secrets, "api_token" is.
_NAMES = (
    r"(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|auth[_-]?key|client[_-]?secret|secret[_-]?key|credentials?)"
)

_PATTERNS = tuple(
    re.compile(pattern, flags)
    for pattern, flags in (
        # The block may be cut off at its end: everything behind its head is then taken for it.
        (r"-----BEGIN [A-Z0-9 ]{1,60}-----()[\s\S]*?(?:-----END [A-Z0-9 ]{1,60}-----|\Z)", 0),
        (r"\b()gh[opsur]_[A-Za-z0-9]{30,}", 0),
        (r"\b()github_pat_[A-Za-z0-9_]{30,}", 0),
        (r"\b()glpat-[A-Za-z0-9_-]{16,}", 0),
        (r"\b()sk-[A-Za-z0-9_-]{20,}", 0),
        (r"\b()(?:AKIA|ASIA)[0-9A-Z]{16}\b", 0),
        (r"\b()xox[abeoprs]-[A-Za-z0-9-]{10,}", 0),
        (r"\b()AIza[0-9A-Za-z_-]{35}", 0),
        (r"\b()(?:hf|npm|dop_v1|rk_live|sk_live|sk_test)_[A-Za-z0-9]{20,}", 0),
        (r"\b()pypi-[A-Za-z0-9_-]{40,}", 0),
        (r"\b()eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*", 0),
        (r"(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/-]{12,}=*", re.IGNORECASE),
        (r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"']{0,100}:)[^\s/@\"']{1,200}(?=@)", re.IGNORECASE),
        # A quoted value: name = "…", name: "…", "name": "…".
        (
            rf"({_NAMES}[\"']?(?:\s*:\s*\w{{1,30}})?\s*[:=]\s*[rbuf]{{0,2}}[\"'])[^\"'\s]{{8,}}(?=[\"'])",
            re.IGNORECASE,
        ),
        # An unquoted one, as in an environment file or a log: NAME=….
        (rf"(\b[A-Z0-9_]{{0,40}}{_NAMES.upper()}=)[^\s\"'(){{}},;]{{8,}}", 0),
    )
)


def redact(text: str) -> str:
    """Return ``text`` with everything that looks like a secret replaced by ``REDACTED``."""
    for pattern in _PATTERNS:
        text = pattern.sub(_replace, text)
    return text


class Veil:
    """Hides secrets from a remote model, and puts them back into what it answers. Used by one task.

    The same secret always has the same name. What was hidden once stays hidden wherever it stands,
    also where nothing around it would give it away.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def hide(self, text: str) -> str:
        """Return ``text`` with each secret replaced by a name of its own."""
        for secret, name in self._names.items():
            if len(secret) >= _LONG:
                text = text.replace(secret, name)
        for pattern in _PATTERNS:
            text = pattern.sub(self._named, text)
        return text

    def restore(self, text: str) -> str:
        """Return ``text`` with the secrets back in their places."""
        for secret, name in self._names.items():
            text = text.replace(name, secret)
        return text

    def _named(self, match: re.Match[str]) -> str:
        secret = match[0].removeprefix(match[1])
        if secret in self._names.values():
            return match[0]
        name = self._names.setdefault(secret, f"[redacted-{len(self._names) + 1}]")
        return f"{match[1]}{name}"


def _replace(match: re.Match[str]) -> str:
    return f"{match[1]}{REDACTED}"
