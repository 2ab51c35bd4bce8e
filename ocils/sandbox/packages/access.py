"""How this user reaches their package index: pip's settings, proxies, certificates.

Only what says where packages come from is taken over; what would change what an install does
(a target, constraints, a log) is not. An environment's own ``pip.conf`` is left aside: a repository
can bring an environment, and must not choose an index.

Not covered: keyrings, and credentials helpers of other tools.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from ocils.domain.base import Value
from ocils.domain.errors import SandboxUnavailable

_OPTIONS = ("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert", "client-cert", "proxy", "timeout", "default-timeout", "retries", "pre")  # fmt: skip
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")  # fmt: skip
_BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_HERE = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|::1|0\.0\.0\.0)")

_ADDRESS = re.compile(r"\w+://\S+")

HOME = "/ocils-home"
BUNDLE = "/ocils-ca.pem"
CLIENT = "/ocils-client.pem"


class Access(Value, frozen=True):
    """What the installing container gets: variables, and places of this machine, read-only.

    ``nearby``: the index or a proxy listens on this machine alone, so that only its own network
    reaches it.
    """

    environ: tuple[tuple[str, str], ...]
    mounts: tuple[tuple[str, str], ...]
    nearby: bool = False


def read_access(environ: Mapping[str, str], home: str) -> Access:
    """Find out how packages are reached; reads files and starts nothing.

    Raises ``SandboxUnavailable`` where a certificate is named that is not there.
    """
    options = _options(environ, home)
    proxies = {name: environ[name] for name in _PROXIES if environ.get(name)}
    given: dict[str, str] = {"HOME": HOME, "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "2"}
    given |= proxies
    mounts: dict[str, str] = {}
    for name, value in options.items():
        if name not in ("cert", "client-cert"):
            given[f"PIP_{name.upper().replace('-', '_')}"] = value
    bundle = options.get("cert") or next((environ[n] for n in _BUNDLES if environ.get(n)), "")
    if bundle:
        mounts[BUNDLE] = _file(bundle, "certificates")
        given |= dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), BUNDLE)
    if client := options.get("client-cert"):
        mounts[CLIENT] = _file(client, "a client's certificate")
        given["PIP_CLIENT_CERT"] = CLIENT
    netrc = environ.get("NETRC") or f"{home}/.netrc"
    if os.path.isfile(netrc):
        mounts[f"{HOME}/.netrc"] = os.path.realpath(netrc)
    for place in _places(options):
        if not f"{os.path.realpath(home)}/".startswith(os.path.realpath(place).rstrip("/") + "/"):
            mounts[place] = os.path.realpath(place)
    addresses = [*proxies.values(), options.get("proxy", ""), *_indexes(options)]
    nearby = any(_HERE.fullmatch(_host(each)) for each in addresses)
    return Access(tuple(sorted(given.items())), tuple(sorted(mounts.items())), nearby)


def _options(environ: Mapping[str, str], home: str) -> dict[str, str]:
    """Return pip's options as pip itself would put them together; later ones win."""
    found: dict[str, str] = {}
    for path in _config_files(environ, home):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                found |= {k: " ".join(v.split()) for k, v in parser.items(section) if v.strip()}
    for name in _OPTIONS:
        if value := environ.get(f"PIP_{name.upper().replace('-', '_')}", "").strip():
            found[name] = value
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        # uv writes an index as its address, or as name=address.
        if "index-url" not in found and (index := _ADDRESS.search(environ.get(name, ""))):
            found["index-url"] = index[0]
    return {name: found[name] for name in _OPTIONS if found.get(name)}


def _config_files(environ: Mapping[str, str], home: str) -> Iterator[str]:
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return
    for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"):
        yield f"{folder}/pip/pip.conf"
    yield "/etc/pip.conf"
    yield f"{home}/.pip/pip.conf"
    yield f"{environ.get('XDG_CONFIG_HOME') or f'{home}/.config'}/pip/pip.conf"
    if named:
        yield named


def _indexes(options: Mapping[str, str]) -> Iterator[str]:
    for name in ("index-url", "extra-index-url", "find-links"):
        yield from options.get(name, "").split()


def _places(options: Mapping[str, str]) -> Iterator[str]:
    """Yield the folders of this machine that hold packages."""
    for each in _indexes(options):
        path = unquote(urlsplit(each).path) if each.startswith("file:") else each
        if path.startswith("/") and os.path.exists(path):
            yield os.path.normpath(path)


def _host(address: str) -> str:
    try:
        return urlsplit(address if "://" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""


def _file(path: str, what: str) -> str:
    found = os.path.realpath(os.path.expanduser(path))
    if not os.path.exists(found):
        raise SandboxUnavailable(
            f"{path}, which pip is told to take {what} from, is not there",
            mend="mend PIP_CERT, REQUESTS_CA_BUNDLE or pip's settings",
        )
    return found
