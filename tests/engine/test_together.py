"""Models that no GPU holds alone: which would together, as a table of machines, and what is said."""

from __future__ import annotations

import msgspec
import pytest

from ocils.domain.errors import UsageError
from ocils.domain.model import Manifest, Source
from ocils.domain.shape import Shape
from ocils.engine.machine.hardware import Hardware
from ocils.engine.machine.memory import Want
from ocils.engine.machine.together import Split, advice_for, refuse_mpi, split_over

from .test_layout import CARD_24, CUBLAS, SEVEN, THIRTY_TWO, TWO_EQUAL, TWO_UNEQUAL, cpu, gpu

SEVENTY = msgspec.structs.replace(
    THIRTY_TWO, shape=Shape(80, 8192, 64, 8, 128, 28672, 32016), source=Source("owner/seventy")
)
ODD = msgspec.structs.replace(THIRTY_TWO, shape=Shape(64, 5120, 45, 5, 128, 27648, 152064))


def several(*free: float, capability: tuple[int, int] = (8, 6)) -> Hardware:
    cards = tuple(gpu(each, capability, number) for number, each in enumerate(free))
    return Hardware(cpu(64, 32), cards, CUBLAS)


@pytest.mark.parametrize(
    ("hardware", "manifest", "split"),
    [
        (TWO_EQUAL, THIRTY_TWO, Split((0, 1), "int8_bfloat16")),
        (several(23, 23, 23, 23), THIRTY_TWO, Split((0, 1), "int8_bfloat16")),
        (several(23, 10, 23, 23), THIRTY_TWO, Split((0, 2), "int8_bfloat16")),
        (several(23, 23, 23, 23), SEVENTY, Split((0, 1, 2, 3), "int8_bfloat16")),
        (several(44, 44), SEVENTY, Split((0, 1), "int8_bfloat16")),
        (several(39, 39, capability=(12, 0)), THIRTY_TWO, Split((0, 1), "bfloat16")),
        (
            several(15, 15, 15, 15, capability=(7, 5)),
            THIRTY_TWO,
            Split((0, 1, 2, 3), "int8_float16"),
        ),
        # Three would hold it, but eight heads of keys are not dealt out to three.
        (several(17, 17, 17), THIRTY_TWO, None),
        # 5 heads of keys over 2 or 4 GPUs: CTranslate2 refuses.
        (several(23, 23, 23, 23), ODD, None),
        (several(10, 10), SEVENTY, None),
        (TWO_UNEQUAL, THIRTY_TWO, None),
        (CARD_24, THIRTY_TWO, None),
        # One is enough.
        (TWO_EQUAL, SEVEN, None),
    ],
)
def test_the_fewest_equal_gpus_that_hold_it(
    hardware: Hardware, manifest: Manifest, split: Split | None
) -> None:
    assert split_over(hardware, manifest, Want()) == split


def test_who_wants_the_cpu_is_told_of_no_gpu() -> None:
    assert split_over(TWO_EQUAL, THIRTY_TWO, Want(device="cpu")) is None
    assert advice_for(TWO_EQUAL, THIRTY_TWO, Want(device="cpu")) == ()


def test_what_holds_it_is_named_with_the_command() -> None:
    (said,) = advice_for(several(23, 23, 23, 23), SEVENTY, Want())
    assert "GPUs 0, 1, 2, 3 would hold it together" in said
    assert "vllm serve owner/seventy --tensor-parallel-size 4" in said
    assert "mpirun" in said
    (none,) = advice_for(several(10, 10), SEVENTY, Want())
    assert "no equal ones together" in none
    assert advice_for(TWO_EQUAL, SEVEN, Want()) == ()
    assert advice_for(CARD_24, THIRTY_TWO, Want()) == ()


def test_under_mpirun_nothing_is_started_several_times() -> None:
    for name in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE"):
        with pytest.raises(UsageError, match="mpirun started ocils 4 times"):
            refuse_mpi({name: "4"})
        refuse_mpi({name: "1"})
    refuse_mpi({})
