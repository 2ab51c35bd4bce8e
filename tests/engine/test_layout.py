"""Where a model runs, on a table of machines: a pure function, so no such machine is needed."""

from __future__ import annotations

import msgspec
import pytest

from ocils.domain.model import Manifest
from ocils.domain.shape import GIB, Shape
from ocils.engine.machine.hardware import Cpu, Gpu, Hardware
from ocils.engine.machine.layout import (
    Layout,
    after_out_of_memory,
    choose,
    rows_that_fit,
    without_gpu,
)
from ocils.engine.machine.memory import Want

CUBLAS = "/opt/libcublas.so.12"
MIB = 1024 * 1024


def model(shape: Shape) -> Manifest:
    return Manifest("m", "f", "none", 16384, True, ("rewrite",), shape=shape)


HALF = model(Shape(24, 896, 14, 2, 64, 4864, 151936, tied=True, biases="qkv"))
SEVEN = model(Shape(28, 3584, 28, 4, 128, 18944, 152064, biases="qkv"))
THIRTY_TWO = model(Shape(64, 5120, 40, 8, 128, 27648, 152064, biases="qkv"))


def cpu(free: float, cores: int = 8, **more: object) -> Cpu:
    return msgspec.structs.replace(Cpu("GenuineIntel", "AVX2", cores, int(free * GIB)), **more)


def gpu(free: float, capability: tuple[int, int] = (8, 6), index: int = 0, total: float = 0) -> Gpu:
    return Gpu(index, f"card {index}", capability, int(free * GIB), int((total or free) * GIB))


LAPTOP = Hardware(cpu(12))
CARD_8 = Hardware(cpu(24), (gpu(7.3),), CUBLAS)
CARD_24 = Hardware(cpu(48, 16), (gpu(23),), CUBLAS)
H200 = Hardware(cpu(400, 64), (gpu(139, (9, 0)),), CUBLAS)
H100_BUSY = Hardware(cpu(400, 64), (gpu(5, (9, 0), total=80),), CUBLAS)
BLACKWELL = Hardware(cpu(48, 16), (gpu(31, (12, 0)),), CUBLAS)
B200 = Hardware(cpu(400, 64), (gpu(180, (10, 0)),), CUBLAS)
TWO_EQUAL = Hardware(cpu(48, 16), (gpu(23), gpu(22.5, index=1)), CUBLAS)
TWO_UNEQUAL = Hardware(cpu(48, 16), (gpu(7, (7, 5)), gpu(23, index=1)), CUBLAS)
CUDA_13 = Hardware(cpu(48, 16), (gpu(23),), lacking="pip install nvidia-cublas-cu12")
TURING = Hardware(cpu(24), (gpu(15, (7, 5)),), CUBLAS)
PASCAL = Hardware(cpu(24), (gpu(10, (6, 1)),), CUBLAS)
MAXWELL = Hardware(cpu(24), (gpu(11, (5, 2)),), CUBLAS)
AMD = Hardware(cpu(60, 32, maker="AuthenticAMD", isa="AVX-512"))
CONTAINER = Hardware(cpu(3.6, 2, limit=4 * GIB))


@pytest.mark.parametrize(
    ("hardware", "manifest", "device", "index", "kind", "rows"),
    [
        (LAPTOP, HALF, "cpu", (0,), "int8", 8),
        (LAPTOP, SEVEN, "cpu", (0,), "int8", 2),
        (CARD_8, HALF, "cuda", (0,), "int8_bfloat16", 8),
        (CARD_8, SEVEN, "cpu", (0,), "int8", 8),
        (CARD_24, SEVEN, "cuda", (0,), "int8_bfloat16", 8),
        (CARD_24, THIRTY_TWO, "cpu", (0,), "int8", 3),
        (H200, SEVEN, "cuda", (0,), "int8_bfloat16", 8),
        (H200, THIRTY_TWO, "cuda", (0,), "int8_bfloat16", 8),
        (H100_BUSY, SEVEN, "cpu", (0,), "int8", 8),
        (H100_BUSY, HALF, "cuda", (0,), "int8_bfloat16", 8),
        (BLACKWELL, SEVEN, "cuda", (0,), "bfloat16", 8),
        (BLACKWELL, HALF, "cuda", (0,), "bfloat16", 8),
        (B200, SEVEN, "cuda", (0,), "int8_bfloat16", 8),
        (TWO_EQUAL, SEVEN, "cuda", (0, 1), "int8_bfloat16", 8),
        (TWO_UNEQUAL, SEVEN, "cuda", (1,), "int8_bfloat16", 8),
        (TWO_UNEQUAL, HALF, "cuda", (1,), "int8_bfloat16", 8),
        (CUDA_13, SEVEN, "cpu", (0,), "int8", 8),
        (TURING, SEVEN, "cuda", (0,), "int8_float16", 8),
        (PASCAL, HALF, "cuda", (0,), "int8", 8),
        (MAXWELL, HALF, "cuda", (0,), "float32", 8),
        (AMD, SEVEN, "cpu", (0,), "int8", 8),
        (CONTAINER, HALF, "cpu", (0,), "int8", 8),
        (CONTAINER, SEVEN, "cpu", (0,), "int8", 0),
    ],
)
def test_the_machine_and_the_model_decide(
    hardware: Hardware,
    manifest: Manifest,
    device: str,
    index: tuple[int, ...],
    kind: str,
    rows: int,
) -> None:
    layout = choose(hardware, manifest, Want())
    assert (layout.device, layout.index, layout.compute_type, layout.rows) == (
        device,
        index,
        kind,
        rows,
    )
    assert layout.replicas == len(index)
    assert layout.threads == hardware.cpu.cores
    assert layout.why


@pytest.mark.parametrize(
    ("hardware", "manifest", "said"),
    [
        (
            CARD_8,
            SEVEN,
            "no GPU has room: the model needs 8.1 GiB in int8_bfloat16, 7.3 GiB are free",
        ),
        (CUDA_13, HALF, "the GPU lacks cuBLAS 12: pip install nvidia-cublas-cu12"),
        (BLACKWELL, HALF, "int8 does not work on this GPU"),
        (CONTAINER, SEVEN, "the model's weights take 7.1 GiB, and 3.6 GiB of memory are free"),
        (H200, HALF, "GPU 0 (card 0, 139.0 GiB free), int8_bfloat16, 8 candidates at once"),
    ],
)
def test_the_choice_is_explained(hardware: Hardware, manifest: Manifest, said: str) -> None:
    assert said in "\n".join(choose(hardware, manifest, Want()).why)


def test_a_longer_context_leaves_room_for_fewer_candidates() -> None:
    rows = [choose(CARD_24, SEVEN, Want(tokens=n)).rows for n in (1024, 4096, 8192, 16384)]
    assert rows == sorted(rows, reverse=True)
    assert rows[0] == 8
    assert 1 <= rows[-1] < 8


def test_the_users_word_is_obeyed_where_it_can_be() -> None:
    assert choose(CARD_24, HALF, Want(device="cpu")).device == "cpu"
    assert choose(CARD_24, HALF, Want(compute_type="float16")).compute_type == "float16"
    assert choose(LAPTOP, HALF, Want(compute_type="float32")).compute_type == "float32"
    assert choose(AMD, HALF, Want(threads=4)).threads == 4
    assert choose(AMD, HALF, Want(threads=400)).threads == 32


def test_a_wish_that_cannot_be_met_is_named() -> None:
    layout = choose(LAPTOP, HALF, Want(device="cuda"))
    assert layout.device == "cpu"
    assert "there is no GPU that CTranslate2 can use" in layout.why
    layout = choose(BLACKWELL, HALF, Want(compute_type="int8"))
    assert layout.compute_type == "bfloat16"
    assert "int8 cannot be had on this GPU" in layout.why
    layout = choose(LAPTOP, HALF, Want(compute_type="float16"))
    assert (layout.compute_type, layout.why[-1]) == ("int8", "float16 cannot be had on a CPU")


def test_what_the_library_says_of_a_gpu_has_the_last_word() -> None:
    told = msgspec.structs.replace(gpu(23), types=("float16", "float32"))
    machine = Hardware(cpu(48), (told,), CUBLAS)
    assert choose(machine, HALF, Want()).compute_type == "float16"


@pytest.mark.parametrize("hardware", [LAPTOP, CARD_24, H200])
def test_a_small_model_stays_on_the_cpu(hardware: Hardware) -> None:
    """Each core has a replica of its own: its matrices are too small to be shared out."""
    tiny = Manifest("tiny", "f", "none", 512, False, ("edit",))
    layout = choose(hardware, tiny, Want(weights=10 * MIB, threads=2))
    assert (layout.device, layout.replicas, layout.threads) == ("cpu", 2, 1)


def chain(hardware: Hardware, manifest: Manifest, want: Want) -> list[tuple[str, str, int]]:
    layout: Layout | None = choose(hardware, manifest, want)
    steps: list[tuple[str, str, int]] = []
    while layout is not None:
        steps.append((layout.device, layout.compute_type, layout.rows))
        layout = after_out_of_memory(layout, hardware, manifest, want)
        assert len(steps) < 20
    return steps


def test_out_of_memory_means_fewer_candidates_then_a_smaller_type_then_the_cpu() -> None:
    assert chain(CARD_24, SEVEN, Want(compute_type="float16", tokens=1024, rows=4)) == [
        ("cuda", "float16", 4),
        ("cuda", "float16", 2),
        ("cuda", "float16", 1),
        ("cuda", "int8_float16", 4),
        ("cuda", "int8_float16", 2),
        ("cuda", "int8_float16", 1),
        ("cpu", "int8", 4),
        ("cpu", "int8", 2),
        ("cpu", "int8", 1),
    ]


def test_on_blackwell_there_is_no_smaller_type() -> None:
    kinds = {(device, kind) for device, kind, _ in chain(BLACKWELL, SEVEN, Want())}
    assert kinds == {("cuda", "bfloat16"), ("cpu", "int8")}


def test_each_step_down_says_what_changed() -> None:
    first = choose(CARD_24, SEVEN, Want())
    second = after_out_of_memory(first, CARD_24, SEVEN, Want())
    assert second is not None
    assert second.news == "out of memory: 4 candidates at once instead of 8"
    assert "CPU" in "".join(without_gpu(CARD_24, SEVEN, Want(), "the GPU does not work").why)


def test_candidates_follow_from_free_memory() -> None:
    layout = choose(LAPTOP, SEVEN, Want())
    want = Want(tokens=2000)
    assert rows_that_fit(16 * GIB, SEVEN, want, layout) == 10
    assert rows_that_fit(1 * GIB, SEVEN, want, layout) == 1
    assert rows_that_fit(16 * GIB, SEVEN, Want(tokens=500), layout) > 30


def test_a_large_gpu_has_room_for_more_than_was_asked() -> None:
    """Where 8 of 2,048 tokens were planned, 32 short ones are one batch as well."""
    layout = choose(H200, SEVEN, Want())
    assert layout.rows == 8
    assert layout.room > 32 * 1000
    assert choose(CARD_8, HALF, Want()).room < layout.room


def test_a_model_that_says_nothing_is_estimated_by_its_size() -> None:
    silent = Manifest("m", "f", "none", 4096, True, ("rewrite",))
    layout = choose(CARD_8, silent, Want(weights=7 * GIB))
    assert layout.device == "cpu"
    assert choose(CARD_8, silent, Want(weights=GIB)).device == "cuda"
    stated = msgspec.structs.replace(
        silent, memory={"int8": 7.0, "int8_bfloat16": 7.0}, cache_bytes_per_token=800_000
    )
    assert choose(CARD_8, stated, Want(weights=GIB)).device == "cpu"
