"""``make bench-gpu``: how fast models of true shapes are here, by compute type and candidates.

Weights are random and made on the spot. What was measured stands in a journal, one JSON object a
line: a later call goes on where the time of this one ran out. On a machine without a GPU the same is
measured on the CPU, which is how it is tried out.

Not covered: which layout ocils itself would choose (``ocils doctor`` says that).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from ocils.bench.arms import Arm, arm, ours, random_model
from ocils.bench.figures_rivals import PROGRAM
from ocils.domain.base import Value
from ocils.domain.errors import OcilsError

MODELS = ("0.5B", "1.5B", "7B")
ROWS = (1, 2, 4, 8, 16, 32)
TYPES = {
    "cuda": ("int8_bfloat16", "int8_float16", "bfloat16", "float16"),
    "cpu": ("int8", "float32"),
}
RIVAL_TYPES = {"cuda": ("bfloat16", "float16"), "cpu": ("bfloat16", "float32")}


class Plan(Value, frozen=True):
    """What is to be measured: each model in each type with each number of candidates.

    ``rival`` is the interpreter that has torch and transformers, empty for none; on a GPU its torch
    has to be one for CUDA. No new measure is begun after ``seconds``.
    """

    device: str = "cuda"
    models: tuple[str, ...] = MODELS
    rows: tuple[int, ...] = ROWS
    prompt: int = 512
    new: int = 128
    rounds: int = 3
    seconds: float = 540.0
    rival: str = ""


class Speed(Value, frozen=True, omit_defaults=False):
    """One measure: tokens a second, the median of some rounds; or ``problem``, why there is none.

    ``bound`` is what reading the weights once a step would allow, 0 where nobody says how fast the
    memory is. ``place`` names the device.
    """

    model: str
    program: str
    type: str
    rows: int
    prompt: int
    new: int
    place: str
    tokens_s: float = 0.0
    bound: float = 0.0
    problem: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """What is measured only once."""
        return (self.model, self.program, self.type, self.rows, self.prompt, self.new)


class Unfinished(Value, frozen=True):
    """The time ran out; ``left`` measures are still to be made."""

    left: int


async def speeds(
    plan: Plan, journal: Path, checkout: Path
) -> AsyncGenerator[Speed | Unfinished, None]:
    """Yield every measure, those of ``journal`` first; new ones are added to it at once."""
    known = read_journal(journal)
    wanted = _wanted(plan)
    for key, speed in known.items():
        if key in wanted:
            yield speed
    left = [key for key in wanted if key not in known]
    end = time.monotonic() + plan.seconds
    while left and time.monotonic() < end:
        model, program, kind = map(str, left[0][:3])
        group = [key for key in left if key[:3] == left[0][:3]]
        async with AsyncExitStack() as arms:
            try:
                folder = await random_model(model)
                command = _command(plan, checkout, folder, program, kind)
                one = await arms.enter_async_context(arm(program, command))
                place = await one.ask("hardware") if program == "ocils" else {}
            except (OcilsError, OSError) as problem:
                one, place = None, {"problem": str(problem)}
            for key in group:
                if time.monotonic() >= end:
                    break
                speed = await _measured(one, plan, place, key)
                with journal.open("ab") as file:
                    file.write(msgspec.json.encode(speed) + b"\n")
                left.remove(key)
                yield speed
    if left:
        yield Unfinished(len(left))


def read_journal(journal: Path) -> dict[tuple[object, ...], Speed]:
    """Return what was measured, by what it is.

    A line that was cut short is measured again, and so is what could not be measured.
    """
    found = {}
    for line in journal.read_bytes().splitlines() if journal.exists() else ():
        try:
            speed = msgspec.json.decode(line, type=Speed)
        except msgspec.MsgspecError:
            continue
        if not speed.problem:
            found[speed.key] = speed
    return found


def _wanted(plan: Plan) -> list[tuple[object, ...]]:
    programs = [("ocils", TYPES)] + ([("transformers", RIVAL_TYPES)] if plan.rival else [])
    return [
        (model, program, kind, rows, plan.prompt, plan.new)
        for model in plan.models
        for program, types in programs
        for kind in types[plan.device]
        for rows in plan.rows
    ]


def _command(plan: Plan, checkout: Path, folder: Path, program: str, kind: str) -> Sequence[str]:
    if program == "ocils":
        return ours(folder, "--device", plan.device, "--compute-type", kind)
    return (plan.rival, str(checkout / PROGRAM), str(folder), "--device", plan.device)


async def _measured(
    one: Arm | None, plan: Plan, place: dict[str, object], key: tuple[object, ...]
) -> Speed:
    model, program, kind, rows = map(str, key[:4])
    why = place.get("why")
    told = str(why[0]) if isinstance(why, list) else plan.device
    made = Speed(model, program, kind, int(rows), plan.prompt, plan.new, told)
    problem = str(place.get("problem", ""))
    if program == "ocils" and not problem and place.get("compute_type") != kind:
        problem = f"cannot be had here: {'; '.join(map(str, why if isinstance(why, list) else ()))}"
    if one is None or problem:
        return msgspec.structs.replace(made, problem=problem)
    do = "ocils" if program == "ocils" else kind
    numbers = {"prompt": plan.prompt, "rows": made.rows, "new": plan.new}
    try:
        await one.ask(do, **{**numbers, "new": 4})
        found = [await one.speed(do, **numbers) for _ in range(plan.rounds)]
    except OcilsError as failed:
        return msgspec.structs.replace(made, problem=failed.message)
    bound = 0.0
    if place.get("bytes_per_second"):
        bound = float(str(place["bytes_per_second"])) / float(str(place["weights"])) * made.rows
    return msgspec.structs.replace(
        made, tokens_s=round(statistics.median(found), 1), bound=round(bound, 1)
    )
