"""What an engine is asked for, engine by engine; no engine needed."""

from __future__ import annotations

import json
from pathlib import Path

from ocils.sandbox.container import create_options
from ocils.sandbox.engine import EngineInfo
from ocils.sandbox.host import host_runtime
from ocils.sandbox.runtime import HostRuntime, ImageRuntime

from .test_runtime_environments import venv

DOCKER = EngineInfo("docker", "28", "2")


def host(tmp_path: Path) -> HostRuntime:
    python = venv(tmp_path / "home/work/.venv")
    return host_runtime(str(tmp_path / "home/work"), str(python), {"HOME": str(tmp_path / "home")})


IMAGE = ImageRuntime(
    "/w", "/home/ocils", "mine", "sha256:1", "/bin/python3", "3.12", (), ("/data",)
)


def test_nothing_is_open_that_need_not_be(tmp_path: Path) -> None:
    for runtime in (host(tmp_path), IMAGE):
        options = create_options(runtime, DOCKER, 512, 1 << 20, "/nonce-file")
        assert options["network_mode"] == "none"
        assert options["read_only"] is True
        assert options["cap_drop"] == ["ALL"]
        assert options["cap_add"] == ["SETUID", "SETGID"]
        assert options["security_opt"] == ["no-new-privileges"]
        assert options["mem_limit"] == options["memswap_limit"] == "513m"
        assert options["user"] == "0:0"
        assert options["healthcheck"] == {"test": ["NONE"]}
        assert options["entrypoint"] == [runtime.starter]
        assert all(mount["ReadOnly"] for mount in options["mounts"])
        assert all("size=" in each for each in options["tmpfs"].values())


def test_an_image_gets_no_mount_and_its_volumes_are_bounded(tmp_path: Path) -> None:
    options = create_options(IMAGE, DOCKER, 512, 0, "/nonce-file")
    assert options["mounts"] == []
    assert "size=32m" in options["tmpfs"]["/data"]
    assert "/data" in json.loads(options["command"][-1])["scratch"]
    assert "/w" not in json.loads(options["command"][-1])["scratch"]


def test_selinux_goes_without_a_label_and_nothing_is_relabelled(tmp_path: Path) -> None:
    """Relabelling (``z``) writes to the system's own folders on disk, and breaks the system."""
    info = EngineInfo("docker", "28", "2", selinux=True)
    options = create_options(host(tmp_path), info, 512, 0, "/nonce-file")
    assert options["security_opt"] == ["no-new-privileges", "label=disable"]
    for mount in options["mounts"]:
        assert set(mount) == {"Target", "Source", "Type", "ReadOnly"}


def test_podman_is_asked_in_its_own_way(tmp_path: Path) -> None:
    info = EngineInfo("podman", "4", "2")
    runtime = host(tmp_path)
    options = create_options(runtime, info, 512, 0, "/nonce-file")
    assert "uid=" not in options["tmpfs"][runtime.root]
    assert "mode=777" in options["tmpfs"][runtime.root]
    assert "nproc" in {each["Name"] for each in options["ulimits"]}
    plain = create_options(runtime, DOCKER, 512, 0, "/nonce-file")
    assert "uid=" in plain["tmpfs"][runtime.root]
    assert "nproc" not in {each["Name"] for each in plain["ulimits"]}
