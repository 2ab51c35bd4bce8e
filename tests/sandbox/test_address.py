"""Where the engine is: variables, contexts, sockets, SSH and TLS."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import Passed
from ocils.sandbox.address import Address, find_address
from ocils.sandbox.engine import Engine
from ocils.sandbox.pool import DockerSandbox
from ocils.workspace.disk import DiskWorkspace

from .conftest import SHOP
from .foreign import behind_tcp
from .yard import GOOD, Yard, lay_out


def context(home: Path, name: str, url: str, *, verify: bool = True) -> Path:
    """Write a context as ``docker context create`` does; returns where its certificates go."""
    key = hashlib.sha256(name.encode()).hexdigest()
    folder = home / ".docker/contexts/meta" / key
    folder.mkdir(parents=True)
    about = {"Host": url, "SkipTLSVerify": not verify}
    table = {"Name": name, "Metadata": {}, "Endpoints": {"docker": about}}
    (folder / "meta.json").write_text(json.dumps(table))
    return home / ".docker/contexts/tls" / key / "docker"


def test_the_variable_goes_before_the_contexts(tmp_path: Path) -> None:
    context(tmp_path, "far", "tcp://far:1")
    (tmp_path / ".docker/config.json").write_text('{"currentContext": "far"}')
    environ = {"HOME": str(tmp_path)}
    chosen = find_address(environ)
    assert (chosen.url, chosen.why) == ("tcp://far:1", "docker context 'far' (docker context use)")
    assert not chosen.local
    context(tmp_path, "near", "unix:///near")
    named = find_address({**environ, "DOCKER_CONTEXT": "near"})
    assert (named.url, named.why) == ("unix:///near", "docker context 'near' (DOCKER_CONTEXT)")
    both = {**environ, "DOCKER_CONTEXT": "near", "DOCKER_HOST": "tcp://x:2"}
    assert find_address(both) == Address("tcp://x:2", "DOCKER_HOST", verify=False)
    # "default" is the name of having no context.
    assert find_address({**environ, "DOCKER_CONTEXT": "default"}).url.startswith("unix://")


def test_the_configuration_may_be_elsewhere(tmp_path: Path) -> None:
    context(tmp_path, "far", "ssh://me@far")
    environ = {"HOME": "/nowhere", "DOCKER_CONFIG": f"{tmp_path}/.docker", "DOCKER_CONTEXT": "far"}
    assert find_address(environ).url == "ssh://me@far"


def test_a_context_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="no docker context 'gone'") as caught:
        find_address({"HOME": str(tmp_path), "DOCKER_CONTEXT": "gone"})
    assert "docker context ls" in caught.value.mend
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text("no json")
    assert find_address({"HOME": str(tmp_path)}).url.startswith("unix://")


def test_certificates_are_found(tmp_path: Path) -> None:
    folder = context(tmp_path, "far", "tcp://far:1", verify=False)
    folder.mkdir(parents=True)
    environ = {"HOME": str(tmp_path), "DOCKER_CONTEXT": "far"}
    found = find_address(environ)
    assert (found.certificates, found.verify) == (str(folder), False)
    secure = {"HOME": str(tmp_path), "DOCKER_HOST": "tcp://x:2", "DOCKER_TLS_VERIFY": "1"}
    assert find_address(secure).certificates == f"{tmp_path}/.docker"
    named = find_address({**secure, "DOCKER_CERT_PATH": "/c"})
    assert (named.certificates, named.verify) == ("/c", True)


def test_podmans_socket_is_found_where_docker_has_none(tmp_path: Path) -> None:
    if Path("/var/run/docker.sock").exists():
        environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
        assert find_address(environ).why == "the default"
        return
    (tmp_path / "podman").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "podman/podman.sock"))
        found = find_address({"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)})
    assert found.why == "your Podman's socket"


SSH = """
import os, socket, sys, threading

arguments = sys.argv[1:]
with open(os.environ["SEEN"], "w") as file:
    file.write(repr(arguments))
if arguments[-1] == "refuses":
    sys.exit("Permission denied (publickey).")
near, _, far = arguments[arguments.index("-L") + 1].partition(":")
server = socket.socket(socket.AF_UNIX)
server.bind(near)
server.listen()

def copy(source, sink):
    while data := source.recv(65536):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)

while True:
    line, _ = server.accept()
    other = socket.socket(socket.AF_UNIX)
    other.connect(far)
    for pair in ((line, other), (other, line)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"""


@pytest.fixture
def with_ssh(tmp_path: Path) -> dict[str, str]:
    """Put a program on the path that forwards a socket as ``ssh -L`` does, on this machine."""
    program = tmp_path / "bin/ssh"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{SSH}")
    program.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
        "SEEN": f"{tmp_path}/seen",
    }


@pytest.mark.docker
def test_an_engine_behind_ssh_answers(with_ssh: dict[str, str], tmp_path: Path) -> None:
    engine = Engine({**with_ssh, "DOCKER_HOST": "ssh://me@there:2222"})
    try:
        assert engine.info.version
    finally:
        engine.close()
    seen = (tmp_path / "seen").read_text()
    for each in ("BatchMode=yes", "-lme", "-p2222", "'--', 'there'"):
        assert each in seen


def test_what_ssh_says_is_passed_on(with_ssh: dict[str, str]) -> None:
    with pytest.raises(SandboxUnavailable, match="Permission denied") as caught:
        Engine({**with_ssh, "DOCKER_HOST": "ssh://refuses"})
    assert caught.value.mend == "try it by hand: ssh refuses true"
    with pytest.raises(SandboxUnavailable, match="names no machine"):
        Engine({**with_ssh, "DOCKER_HOST": "ssh://-oProxyCommand=x"})
    with pytest.raises(SandboxUnavailable, match="no ssh command"):
        Engine({"PATH": "", "DOCKER_HOST": "ssh://there"})


def test_an_engine_that_is_not_there_names_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SandboxUnavailable, match=f"tcp://127.0.0.1:{port} .DOCKER_HOST."):
        Engine({"DOCKER_HOST": f"tcp://127.0.0.1:{port}"})


def certify(folder: Path) -> None:
    """Make a certificate that signs itself."""
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-days", "2", "-keyout", "key.pem", "-out", "cert.pem"]
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip("needs the openssl command to make a certificate")


@pytest.mark.docker
async def test_an_engine_behind_tls_judges(tmp_path: Path, environment: str) -> None:
    """TLS hands out what it has decrypted at its own pace; nothing of a report may be left in it."""
    certify(tmp_path)
    (tmp_path / "ca.pem").write_bytes((tmp_path / "cert.pem").read_bytes())
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "ca.pem"))
    served.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    served.verify_mode = ssl.CERT_REQUIRED
    lay_out(tmp_path / "work", SHOP)
    snapshot = await DiskWorkspace(str(tmp_path / "work")).snapshot()
    with behind_tcp("/var/run/docker.sock", served) as url:
        environ = {**os.environ, "DOCKER_HOST": url}
        environ |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
        sandbox = DockerSandbox(
            str(tmp_path / "work"), python=environment, width=1, memory_mib=512, environ=environ
        )
        yard = Yard(tmp_path / "work", sandbox, snapshot)
        try:
            for _ in range(3):
                assert isinstance(await yard.judge(), Passed)
                assert isinstance(await yard.try_text("shop.py", GOOD), Passed)
        finally:
            await sandbox.close()
