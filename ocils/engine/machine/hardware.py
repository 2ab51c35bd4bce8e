"""What the machine offers for inference, as one value, and reading it.

Nothing here loads a model, needs torch, or calls a program: the GPU's driver is asked through
``ctypes``, the rest is in files.

Not covered: choosing from it (``layout.py``, pure); GPUs of other makers than NVIDIA, which
CTranslate2's wheels do not run on.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from ocils.domain.base import Value
from ocils.engine.machine import cuda

KIB = 1024


class Gpu(Value, frozen=True):
    """One CUDA device: its number as CTranslate2 counts, memory in bytes, and its capability (8, 6).

    ``types`` are the compute types that CTranslate2 says it can do there; () where it was not
    asked, and then the capability decides.
    """

    index: int
    name: str
    capability: tuple[int, int]
    free: int
    total: int
    types: tuple[str, ...] = ()


class Cpu(Value, frozen=True):
    """The processor: how wide its vectors are, cores that may be used, memory in bytes.

    ``free`` is what can be taken now; ``limit`` is what the container or service that we run in may
    take in all, 0 without one, and ``free`` never exceeds what is left of it.
    """

    maker: str
    isa: str
    cores: int
    free: int
    limit: int = 0


class Hardware(Value, frozen=True):
    """A machine, as far as inference is concerned.

    ``cublas`` is where version 12 of the library was found, or empty: then ``lacking`` says what to
    install, if there is a GPU to install it for. ``advice`` are further sentences for the user.
    """

    cpu: Cpu
    gpus: tuple[Gpu, ...] = ()
    cublas: str = ""
    lacking: str = ""
    advice: tuple[str, ...] = ()


def read_hardware(root: Path = Path("/"), environment: Mapping[str, str] | None = None) -> Hardware:
    """Look at this machine; takes milliseconds without a GPU. Never raises.

    ``root`` is where ``proc`` and ``sys`` lie.
    """
    environment = os.environ if environment is None else environment
    cpu = _read_cpu(root)
    cards = cuda.devices()
    gpus = tuple(Gpu(*card, cuda.compute_types(card[0])) for card in cards)
    found = cuda.find_cublas(environment) if gpus else ()
    lacking = ""
    if gpus and not found:
        lacking = f"{sys.executable} -m pip install nvidia-cublas-cu12"
    return Hardware(
        cpu,
        gpus,
        cublas=str(found[-1]) if found else "",
        lacking=lacking,
        advice=_advice(cpu, gpus, environment),
    )


def cpu_free(root: Path = Path("/")) -> int:
    """Return how many bytes of memory can be taken now, whatever limits us; 0 when nobody says."""
    free = _available(root)
    left = [limit - used for limit, used in _limits(root)]
    return max(0, min([free, *left] if free else left, default=0))


def _read_cpu(root: Path) -> Cpu:
    text = _text(root / "proc/cpuinfo")
    fields = {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    }
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    isa = next((name for flag, name in _ISA if flag in flags), platform.machine())
    limits = [limit for limit, _ in _limits(root)]
    return Cpu(
        fields.get("vendor_id", platform.machine()),
        isa,
        _cores(root),
        cpu_free(root),
        min(limits, default=0),
    )


_ISA = (
    ("avx512_vnni", "AVX-512 VNNI"),
    ("avx512f", "AVX-512"),
    ("avx_vnni", "AVX VNNI"),
    ("avx2", "AVX2"),
    ("avx", "AVX"),
    ("asimddp", "NEON with dot product"),
    ("asimd", "NEON"),
)


def _cores(root: Path) -> int:
    """Return how many cores may be used: a container's share of time counts, not what it can see."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        cores = os.cpu_count() or 1
    for folder in _groups(root, "cpu"):
        quota, period = -1, 0
        words = _text(folder / "cpu.max").split()
        if len(words) == 2 and words[0].isdigit():
            quota, period = int(words[0]), int(words[1])
        elif one := _text(folder / "cpu.cfs_quota_us").strip():
            quota, period = int(one), int(_text(folder / "cpu.cfs_period_us").strip() or 0)
        if quota > 0 and period > 0:
            cores = min(cores, max(1, round(quota / period)))
    return cores


def _available(root: Path) -> int:
    """Return the memory that the kernel says can be had without swapping."""
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * KIB
    try:
        pages = os.sysconf("SC_AVPHYS_PAGES") if root == Path("/") else 0
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 0


def _limits(root: Path) -> list[tuple[int, int]]:
    """Return each memory limit on us, of either version of control groups, and what is used of it.

    What is used without the page cache: the kernel gives that back before it refuses anything.
    """
    found = []
    for folder in _groups(root, "memory"):
        for limit, used, cache in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            most = _text(folder / limit).strip()
            # Version 1 writes an absurd number for "no limit", version 2 a word.
            if not most.isdigit() or int(most) >= 1 << 60:
                continue
            statistics = dict(
                line.split(" ", 1) for line in _text(folder / "memory.stat").splitlines() if line
            )
            taken = int(_text(folder / used).strip() or 0) - int(statistics.get(cache, 0))
            found.append((int(most), max(0, taken)))
    return found


def _groups(root: Path, controller: str) -> list[Path]:
    """Return the folders of our control groups and all above them, for one controller."""
    folders = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        top = root / "sys/fs/cgroup"
        if names and controller not in names.split(","):
            continue
        top = top / controller if names else top
        inside = path.strip("/")
        # In a container the path may be the host's; then our own group is what is mounted.
        parts = Path(inside).parts if (top / inside).is_dir() else ()
        folders += [top.joinpath(*parts[:count]) for count in range(len(parts), -1, -1)]
    return list(dict.fromkeys(folders))


def _advice(cpu: Cpu, gpus: tuple[Gpu, ...], environment: Mapping[str, str]) -> tuple[str, ...]:
    said = []
    if cpu.maker == "AuthenticAMD" and environment.get("CT2_USE_MKL", "") not in ("", "0"):
        said.append("CT2_USE_MKL is set: on an AMD processor that is ten times slower; unset it")
    if any(gpu.capability > (8, 6) for gpu in gpus):
        said.append("the first start on this GPU takes minutes: its code is compiled, then kept")
    if len({gpu.capability for gpu in gpus}) > 1:
        said.append("the GPUs differ, so one of them is used alone")
    return tuple(said)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
