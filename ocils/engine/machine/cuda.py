"""NVIDIA's libraries: which devices the driver knows, and where cuBLAS 12 is.

CTranslate2 opens ``libcublas.so.12`` by its bare name when a GPU first computes. Where the package
``nvidia-cublas-cu12`` brought it, no loader would find it there: it has to be in memory before.

Tried against a stand-in for the driver only: no machine with a GPU could be had.

Not covered: Windows, where CTranslate2 looks elsewhere.
"""

from __future__ import annotations

import ctypes
import site
import sys
from collections.abc import Mapping
from pathlib import Path

Card = tuple[int, str, tuple[int, int], int, int]
"""Number, name, compute capability, free and total bytes."""

_MAJOR, _MINOR = 75, 76  # attributes of a device, as the driver numbers them
_MEMORY_CLOCK, _MEMORY_WIDTH = 36, 37  # in kHz, in bits
_NEEDED = ("libcublasLt.so.12", "libcublas.so.12")  # the second needs the first


def devices(
    driver: str = "libcuda.so.1", management: str = "libnvidia-ml.so.1"
) -> tuple[Card, ...]:
    """Return the devices in the order in which CTranslate2 counts them; () without a driver.

    The driver is asked rather than ``nvidia-smi``, because it obeys ``CUDA_VISIBLE_DEVICES`` and
    counts as CTranslate2 does. ``driver`` and ``management`` are names or paths of the libraries.
    """
    if sys.platform != "linux":
        return ()
    try:
        cuda = ctypes.CDLL(driver)
    except OSError:
        return ()
    count = ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)):
        return ()
    memory = _Memory(management)
    return tuple(
        card for number in range(count.value) if (card := _card(cuda, number, memory)) is not None
    )


def bandwidth(index: int, driver: str = "libcuda.so.1") -> int:
    """Return how many bytes a second a device's memory can move at best; 0 when nobody says."""
    try:
        cuda = ctypes.CDLL(driver)
    except OSError:
        return 0
    device, kilohertz, bits = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    failed = (
        cuda.cuInit(0)
        or cuda.cuDeviceGet(ctypes.byref(device), index)
        or cuda.cuDeviceGetAttribute(ctypes.byref(kilohertz), _MEMORY_CLOCK, device)
        or cuda.cuDeviceGetAttribute(ctypes.byref(bits), _MEMORY_WIDTH, device)
    )
    # Memory moves twice a beat.
    return 0 if failed else 2 * kilohertz.value * 1000 * bits.value // 8


def compute_types(index: int) -> tuple[str, ...]:
    """Return what CTranslate2 says it computes on a device; () when it cannot say."""
    import ctranslate2  # type: ignore[import-untyped]  # it ships no types

    try:
        return tuple(sorted(ctranslate2.get_supported_compute_types("cuda", index)))
    except (RuntimeError, ValueError):
        return ()


def find_cublas(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the paths of cuBLAS 12's two libraries, the one that is needed first in front, or ()."""
    for folder in _folders(environment):
        found = tuple(folder / name for name in _NEEDED)
        if all(path.is_file() for path in found):
            return found
    try:
        ctypes.CDLL(_NEEDED[-1])  # the loader may know a place that we do not
    except OSError:
        return ()
    return (Path(_NEEDED[-1]),)


def preload(libraries: tuple[Path, ...]) -> None:
    """Bring cuBLAS into memory, so that its bare name is found. Raises ``OSError``."""
    for path in libraries:
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


def _folders(environment: Mapping[str, str]) -> list[Path]:
    """List where cuBLAS may be: the loader's path, this Python's packages, the usual toolkits."""
    folders = [Path(part) for part in environment.get("LD_LIBRARY_PATH", "").split(":") if part]
    packages = [*site.getsitepackages(), site.getusersitepackages()]
    folders += [Path(each) / "nvidia" / "cublas" / "lib" for each in packages]
    for name in ("CONDA_PREFIX", "CUDA_HOME", "CUDA_PATH"):
        if environment.get(name):
            folders += [Path(environment[name]) / "lib", Path(environment[name]) / "lib64"]
    # The newest toolkit of version 12 first; one of version 13 holds other names.
    folders += sorted(Path("/usr/local").glob("cuda*/lib64"), reverse=True)
    machine = "aarch64" if "aarch64" in sys.implementation._multiarch else "x86_64"
    return [*folders, Path(f"/usr/lib/{machine}-linux-gnu"), Path("/usr/lib64"), Path("/usr/lib")]


def _card(cuda: ctypes.CDLL, number: int, memory: _Memory) -> Card | None:
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    total = ctypes.c_size_t()
    name, bus = ctypes.create_string_buffer(256), ctypes.create_string_buffer(64)
    failed = (
        cuda.cuDeviceGet(ctypes.byref(device), number)
        or cuda.cuDeviceGetName(name, len(name), device)
        or cuda.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device)
        or cuda.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device)
        or cuda.cuDeviceTotalMem_v2(ctypes.byref(total), device)
    )
    if failed:
        return None
    known = cuda.cuDeviceGetPCIBusId(bus, len(bus), device) == 0
    free = memory.free(bus.value) if known else None
    return (
        number,
        name.value.decode(errors="replace"),
        (major.value, minor.value),
        total.value if free is None else min(free, total.value),
        total.value,
    )


class _MemoryInfo(ctypes.Structure):
    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class _Memory:
    """The free memory of devices, by the management library: the driver says it only to contexts."""

    def __init__(self, library: str) -> None:
        self._nvml: ctypes.CDLL | None = None
        try:
            nvml = ctypes.CDLL(library)
            if nvml.nvmlInit_v2() == 0:
                self._nvml = nvml
        except (OSError, AttributeError):
            pass

    def free(self, bus: bytes) -> int | None:
        """Return the free bytes of the device on that bus, None when nobody says."""
        if self._nvml is None:
            return None
        handle, info = ctypes.c_void_p(), _MemoryInfo()
        if self._nvml.nvmlDeviceGetHandleByPciBusId_v2(bus, ctypes.byref(handle)):
            return None
        if self._nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(info)):
            return None
        return int(info.free)
