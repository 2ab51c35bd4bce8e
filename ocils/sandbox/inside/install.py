"""The installing step: pip, run once, in a container of its own that has a network.

Started with ``-I -S`` on the interpreter that the workspace's environment stands on, so that nothing
of the environment runs: it may be a repository's. Of the environment only the metadata is shown to
pip, so that what is installed already is neither fetched again nor contradicted. Only wheels are
taken: a source distribution would run its ``setup.py``.

Not covered: judging; the layer is looked at outside, before anything uses it.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from typing import Any, Dict, List, Tuple

KNOWN = "/ocils-known"
TARGET = "/ocils-layer/site"
WORK = "/ocils-work"
MARK = "ocils-result "
NETWORK = re.compile(
    r"(NewConnectionError|NameResolutionError|name resolution|Connection refused|ConnectTimeout"
    r"|Network is unreachable|Failed to establish|ReadTimeout|ProxyError|Tunnel connection failed"
    r"|CERTIFICATE_VERIFY_FAILED|SSLError|Connection reset|Connection aborted|Could not fetch URL"
    r"|HTTP error 5\d\d|No route to host)"
)


class Problem(Exception):
    """The install cannot be had: a kind for our program, and what pip said."""

    def __init__(self, kind: str, said: str) -> None:
        super().__init__(said)
        self.kind = kind
        self.said = said


def main() -> None:
    """Install what ``argv`` asks for, and say last what came of it."""
    order: Dict[str, Any] = json.loads(sys.argv[1])
    try:
        result: Dict[str, Any] = {"installed": install(order)}
    except Problem as problem:
        result = {"problem": problem.kind, "said": problem.said}
    sys.stdout.write(f"{MARK}{json.dumps(result)}\n")
    sys.stdout.flush()


def install(order: Dict[str, Any]) -> List[Dict[str, str]]:
    """Resolve, compare the digests with the lock file's, install. Raises ``Problem``."""
    for folder in (KNOWN, TARGET, WORK, os.environ["HOME"]):
        os.makedirs(folder, exist_ok=True)
    there = show_installed(order["sites"])
    sys.path.insert(0, order["pip"])
    sys.path.append(KNOWN)
    locked = {name: spec for name, spec in order["locked"].items() if name not in there}
    write(f"{WORK}/constraints", [*there.values(), *locked.values()])
    write(f"{WORK}/wanted", order["requirements"])
    report = f"{WORK}/report.json"
    options = ["--dry-run", "--report", report, "-c", f"{WORK}/constraints"]
    pip([*options, "-r", f"{WORK}/wanted"])
    with open(report) as file:
        found = [read_item(each) for each in json.load(file)["install"]]
    if not found:
        raise Problem("there", "it is installed in the environment already")
    for each in found:
        allowed = order["hashes"].get(normalised(each["name"]), [])
        if allowed and f"sha256:{each['sha256']}" not in allowed:
            raise Problem("digest", f"{each['name']} {each['version']} from {each['url']}")
    lines = ["{name}=={version} --hash=sha256:{sha256}".format(**each) for each in found]
    write(f"{WORK}/pinned", lines)
    pip(["--no-deps", "--require-hashes", "--target", TARGET, "-r", f"{WORK}/pinned"])
    return found


def read_item(item: Dict[str, Any]) -> Dict[str, str]:
    """Return name, version, digest and origin of one distribution of pip's report."""
    download = item["download_info"]
    archive = download.get("archive_info", {})
    digest = archive.get("hashes", {}).get("sha256", "")
    digest = digest or str(archive.get("hash", "")).rpartition("=")[2]
    meta = item["metadata"]
    name, version = meta["name"], meta["version"]
    if not digest:
        raise Problem("digest", f"{name} {version} has no digest")
    return {"name": name, "version": version, "sha256": digest, "url": plain(download["url"])}


def plain(url: str) -> str:
    """Leave out a name and password."""
    return re.sub(r"//[^/@]*@", "//", url)


def show_installed(sites: List[str]) -> Dict[str, str]:
    """Link the environment's metadata, and no code, into one folder; returns pins by name."""
    pins = {}
    for site in sites:
        if not os.path.isdir(site):
            continue
        for name in sorted(os.listdir(site)):
            if name.endswith((".dist-info", ".egg-info")) and not os.path.lexists(
                f"{KNOWN}/{name}"
            ):
                about = read_metadata(f"{site}/{name}")
                if about is not None and normalised(about[0]) not in pins:
                    os.symlink(f"{site}/{name}", f"{KNOWN}/{name}")
                    pins[normalised(about[0])] = f"{about[0]}=={about[1]}"
    return pins


def read_metadata(folder: str) -> Any:
    """Return name and version out of a distribution's metadata, None where pip could not use them."""
    for name in ("METADATA", "PKG-INFO"):
        path = f"{folder}/{name}" if os.path.isdir(folder) else folder
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                head = file.read(20000).split("\n\n", 1)[0]
        except OSError:
            continue
        fields = dict(re.findall(r"^(Name|Version): *(\S+)", head, re.MULTILINE))
        if re.fullmatch(r"[0-9][0-9A-Za-z.!+]*", fields.get("Version", "")) and "Name" in fields:
            return fields["Name"], fields["Version"]
    return None


def normalised(name: str) -> str:
    """Return a distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def write(path: str, lines: List[str]) -> None:
    """Write a file for pip."""
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))


def pip(arguments: List[str]) -> None:
    """Run ``pip install``; its lines go to our output. Raises ``Problem``.

    In this very process: out of its wheel pip takes a second to start.
    """
    main = importlib.import_module("pip._internal.cli.main").main
    log = f"{WORK}/log"
    command = ["install", "--only-binary", ":all:", "--no-input", "--log", log]
    command += [
        "--disable-pip-version-check",
        "--progress-bar",
        "off",
        "--cache-dir",
        f"{WORK}/cache",
    ]
    if main([*command, *arguments]):
        with open(log, encoding="utf-8", errors="replace") as file:
            raise Problem(*explain(file.read()))


def explain(log: str) -> Tuple[str, str]:
    """Say what kind of problem pip's log tells of, and its own words for it."""
    lines = [line.partition(" ")[2].strip() for line in log.splitlines()]
    errors = [plain(line) for line in lines if line.startswith("ERROR:")]
    said = "; ".join(line[len("ERROR:") :].strip() for line in errors[:3])
    if said == "Exception:":  # pip itself failed; the last line is the exception's
        said = f"pip failed: {next((line for line in reversed(lines) if line), '')}"
    if "DO NOT MATCH THE HASHES" in log:
        return "digest", said
    # The log's tracebacks name that exception for a version that does not exist, too.
    if "ResolutionImpossible" in said or "conflicting dependencies" in said:
        causes = [line for line in lines if " depends on " in line or "requested" in line]
        return "conflict", "; ".join(dict.fromkeys(causes[-4:])) or said
    if "No sources permitted for" in log and "No matching distribution" in log:
        return "sources", said
    network = [plain(line) for line in lines if NETWORK.search(line)]
    if network:
        return "network", network[-1][-400:]
    if "No matching distribution" in log:
        return "nothing", said
    return "other", said or "; ".join(lines[-3:])
