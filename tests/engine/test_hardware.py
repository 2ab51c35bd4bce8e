"""Reading a machine: from files laid out as kernels lay them out, and from a stand-in for the driver."""

from __future__ import annotations

import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from ocils.engine.machine import cuda
from ocils.engine.machine.hardware import Hardware, cpu_free, read_hardware

GIB = 2**30
MEMINFO = "MemTotal:       16000000 kB\nMemFree:  1000 kB\nMemAvailable:   8388608 kB\n"
CPUINFO = (
    "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu sse2 avx avx2 avx512f\n\n"
    "processor\t: 1\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu\n"
)


def machine(root: Path, files: dict[str, str]) -> Path:
    every = {"proc/meminfo": MEMINFO, "proc/cpuinfo": CPUINFO, **files}
    for name, text in every.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_plain_machine(tmp_path: Path) -> None:
    found = read_hardware(machine(tmp_path, {"proc/self/cgroup": "0::/\n"}), {})
    assert (found.cpu.maker, found.cpu.isa) == ("AuthenticAMD", "AVX-512")
    assert (found.cpu.free, found.cpu.limit) == (8 * GIB, 0)
    assert found.cpu.cores >= 1


def test_a_container_of_4_gib(tmp_path: Path) -> None:
    """What the page cache holds can be had; what is used otherwise cannot."""
    group = "sys/fs/cgroup"
    files = {
        "proc/self/cgroup": "0::/\n",
        f"{group}/memory.max": f"{4 * GIB}\n",
        f"{group}/memory.current": f"{3 * GIB}\n",
        f"{group}/memory.stat": f"anon {1 * GIB}\ninactive_file {2 * GIB}\n",
        f"{group}/cpu.max": "100000 100000\n",
    }
    cpu = read_hardware(machine(tmp_path, files), {}).cpu
    assert (cpu.free, cpu.limit, cpu.cores) == (3 * GIB, 4 * GIB, 1)


def test_the_limit_of_a_group_further_up_counts(tmp_path: Path) -> None:
    group = "sys/fs/cgroup"
    files = {
        "proc/self/cgroup": "0::/user.slice/editor.scope\n",
        f"{group}/user.slice/memory.max": f"{2 * GIB}\n",
        f"{group}/user.slice/memory.current": f"{1 * GIB}\n",
        f"{group}/user.slice/editor.scope/memory.max": "max\n",
        f"{group}/user.slice/editor.scope/memory.current": "5\n",
    }
    assert cpu_free(machine(tmp_path, files)) == GIB


def test_control_groups_of_the_first_version(tmp_path: Path) -> None:
    group = "sys/fs/cgroup"
    files = {
        "proc/self/cgroup": "5:memory:/box\n2:cpu,cpuacct:/box\n",
        f"{group}/memory/box/memory.limit_in_bytes": f"{3 * GIB}\n",
        f"{group}/memory/box/memory.usage_in_bytes": f"{2 * GIB}\n",
        f"{group}/memory/box/memory.stat": f"total_inactive_file {GIB}\n",
        f"{group}/memory/memory.limit_in_bytes": "9223372036854771712\n",
    }
    cpu = read_hardware(machine(tmp_path, files), {}).cpu
    assert (cpu.free, cpu.limit) == (2 * GIB, 3 * GIB)


def test_a_path_that_is_the_hosts_is_our_own_group(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/docker/abc\n",
        "sys/fs/cgroup/memory.max": f"{2 * GIB}\n",
        "sys/fs/cgroup/memory.current": "0\n",
    }
    assert cpu_free(machine(tmp_path, files)) == 2 * GIB


def test_files_that_say_nonsense_are_no_disaster(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/\n",
        "proc/meminfo": "\n",
        "proc/cpuinfo": "",
        "sys/fs/cgroup/memory.max": "\n",
    }
    assert read_hardware(machine(tmp_path, files), {}).cpu.free == 0


def test_mkl_on_amd_is_warned_of(tmp_path: Path) -> None:
    root = machine(tmp_path, {"proc/self/cgroup": "0::/\n"})
    assert "CT2_USE_MKL" in read_hardware(root, {"CT2_USE_MKL": "1"}).advice[0]
    assert read_hardware(root, {"CT2_USE_MKL": "0"}).advice == ()


def test_this_machine_can_be_read() -> None:
    found = read_hardware()
    assert isinstance(found, Hardware)
    assert found.cpu.free > 0
    assert found.cpu.cores >= 1


def test_cublas_is_found_in_front_of_what_needs_it(tmp_path: Path) -> None:
    lib = tmp_path / "12"
    lib.mkdir()
    (lib / "libcublas.so.12").touch()
    assert lib not in {path.parent for path in cuda.find_cublas({"LD_LIBRARY_PATH": str(lib)})}
    (lib / "libcublasLt.so.12").touch()
    found = cuda.find_cublas({"LD_LIBRARY_PATH": f"/nowhere:{lib}"})
    assert [path.name for path in found] == ["libcublasLt.so.12", "libcublas.so.12"]
    assert found[0].parent == lib


def test_no_driver_means_no_device() -> None:
    assert cuda.devices("libnosuchdriver.so.1") == ()


DRIVER = """
    #include <string.h>
    #include <stddef.h>
    typedef int device;
    int cuInit(unsigned flags) { return 0; }
    int cuDeviceGetCount(int *n) { *n = 2; return 0; }
    int cuDeviceGet(device *d, int n) { *d = n + 10; return 0; }
    int cuDeviceGetName(char *name, int size, device d) { strcpy(name, d == 10 ? "one" : "two"); return 0; }
    int cuDeviceGetAttribute(int *value, int which, device d) {
        *value = which == 75 ? (d == 10 ? 9 : 12) : 0;
        return 0;
    }
    int cuDeviceTotalMem_v2(size_t *bytes, device d) { *bytes = 80000000000; return 0; }
    int cuDeviceGetPCIBusId(char *id, int size, device d) {
        strcpy(id, d == 10 ? "0000:01:00.0" : "0000:02:00.0");
        return 0;
    }
"""
MANAGEMENT = """
    #include <string.h>
    typedef struct { unsigned long long total, free, used; } memory;
    int nvmlInit_v2(void) { return 0; }
    int nvmlDeviceGetHandleByPciBusId_v2(const char *id, void **handle) {
        if (strcmp(id, "0000:01:00.0")) return 6;
        *handle = (void *) 7;
        return 0;
    }
    int nvmlDeviceGetMemoryInfo(void *handle, memory *m) {
        if (handle != (void *) 7) return 2;
        m->total = 80000000000; m->free = 5000000000; m->used = 75000000000;
        return 0;
    }
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to build the stand-in with")
def test_devices_are_read_from_the_driver(tmp_path: Path) -> None:
    """A stand-in with the driver's own signatures; the second device's free memory is not told."""

    def build(name: str, source: str) -> str:
        (tmp_path / f"{name}.c").write_text(textwrap.dedent(source))
        command = ["cc", "-shared", "-fPIC", "-o", f"{name}.so", f"{name}.c"]
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
        return str(tmp_path / f"{name}.so")

    found = cuda.devices(build("driver", DRIVER), build("management", MANAGEMENT))
    assert found == (
        (0, "one", (9, 0), 5_000_000_000, 80_000_000_000),
        (1, "two", (12, 0), 80_000_000_000, 80_000_000_000),
    )
