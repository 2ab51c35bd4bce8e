"""Taking secrets out of text before it is kept.

It finds what looks like a secret: private keys, tokens with a known prefix, credentials in URLs and
headers, and strings assigned to a name such as ``password``. A text that is changed says so.

Not covered: secrets that look like ordinary words, or that are split over several strings.
"""

from __future__ import annotations

import re

REDACTED = "[redacted]"

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


def _replace(match: re.Match[str]) -> str:
    return f"{match[1]}{REDACTED}"
