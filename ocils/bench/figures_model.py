"""What the engine costs over CTranslate2, and what its promises to an editor are worth.

On random weights of true shapes, made on the spot: speed does not depend on values. Arms take turns,
medians of each.

Not covered: other programs on the same weights (``figures_rivals``); how good replies are.
"""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Literal

import msgspec

from ocils.bench.arms import Arm, arm, ours, random_model
from ocils.bench.figure import Bench, Figure
from ocils.domain.errors import EnvironmentProblem

MODEL = "0.5B"
PROMPT = 128
NEW = 64
_FILE = 1200  # tokens of a prompt that shows a file, its tests and what failed
_ANSWER = 120  # tokens that a turn adds: a reply, and as many of feedback
_LATE = 0.99
_ROWS, _FEW = 8, 32  # candidates, and their tokens, where only decoding is looked at


async def tokens_over_raw_b1(_: Bench, rounds: int = 5, model: str = MODEL) -> Figure:
    """One candidate through ocils over CTranslate2's own call."""
    return await _over_raw("tokens_over_raw_b1", 1, rounds, model)


async def tokens_over_raw_b8(_: Bench, rounds: int = 5, model: str = MODEL) -> Figure:
    """Eight candidates through ocils over CTranslate2's own call."""
    return await _over_raw("tokens_over_raw_b8", 8, rounds, model)


async def _over_raw(name: str, rows: int, rounds: int, model: str) -> Figure:
    folder = await random_model(model)
    async with arm("ocils", ours(folder)) as own:
        speeds = await in_turn(
            rounds,
            lambda: own.speed("ocils", prompt=PROMPT, rows=rows, new=NEW),
            lambda: own.speed("raw", prompt=PROMPT, rows=rows, new=NEW),
        )
    return ratio(name, speeds[0], speeds[1], model=model, prompt=PROMPT, rows=rows, new=NEW)


async def allocator_gain(
    _: Bench, rounds: int = 9, prompt: int = 1024, model: str = "125M"
) -> Figure:
    """Eight candidates at a context of 1,024 with our settings of the allocator, over without.

    Beside it: where the time goes, and the same at twice the context.
    """
    folder = await random_model(model)
    async with AsyncExitStack() as arms:
        tuned = await arms.enter_async_context(arm("ocils", ours(folder)))
        bare = await arms.enter_async_context(arm("bare", ours(folder, "--bare")))
        spent: dict[str, object] = {}
        speeds = await in_turn(
            rounds,
            lambda: _decode(tuned, prompt, spent, "ours"),
            lambda: _decode(bare, prompt, spent, "theirs"),
        )
        twice = await in_turn(
            1, lambda: _decode(tuned, 2 * prompt), lambda: _decode(bare, 2 * prompt)
        )
    spent[f"at_{2 * prompt}"] = round(twice[0][0] / twice[1][0], 2)
    found = ratio(
        "allocator_gain",
        speeds[0],
        speeds[1],
        model=model,
        prompt=prompt,
        rows=_ROWS,
        new=_FEW,
    )
    return msgspec.structs.replace(found, conditions={**found.conditions, **spent})


async def _decode(
    one: Arm, prompt: int, spent: dict[str, object] | None = None, name: str = ""
) -> float:
    """Return the tokens a second behind the prompt: one run, less one that ends after a token.

    A run before them is not counted: while the other arm runs, an engine gives its free memory back,
    and takes it again in the first run after that, once and not a step. ``spent`` is told the
    kernel's share of the processor's time, and how many pages a step took.
    """
    await one.ask("raw", prompt=prompt, rows=_ROWS, new=1)
    long = await one.ask("raw", prompt=prompt, rows=_ROWS, new=_FEW)
    short = await one.ask("raw", prompt=prompt, rows=_ROWS, new=1)
    used = {key: float(str(long[key])) - float(str(short[key])) for key in long}
    if used["seconds"] <= 0:
        raise EnvironmentProblem("this machine is too busy to be measured")
    if spent is not None:
        share = used["kernel"] / max(0.001, used["kernel"] + used["user"])
        spent[f"kernel_share_{name}"] = round(share, 2)
        spent[f"pages_a_step_{name}"] = round(used["faults"] / (_FEW - 1))
    return _ROWS * (_FEW - 1) / used["seconds"]


async def turn2_first_token(_: Bench, rounds: int = 5, model: str = MODEL) -> Figure:
    """The time to the first token of a second turn over a first one's, about the same file."""
    folder = await random_model(model)
    first, second = [], []
    async with arm("ocils", ours(folder)) as own:
        await own.ask("ocils", prompt=PROMPT, rows=8, new=2)
        for _round in range(rounds):
            answer = await own.ask("turns", prompt=_FILE, rows=8, new=_ANSWER)
            first.append(float(str(answer["first"])))
            second.append(float(str(answer["second"])))
    return ratio(
        "turn2_first_token",
        second,
        first,
        better="lower",
        unit="s",
        model=model,
        prompt=_FILE,
        added=2 * _ANSWER,
        rows=8,
    )


async def loop_delay_p99_ms(_: Bench, new: int = 256, model: str = MODEL) -> Figure:
    """How late the event loop is while eight candidates are drawn, looked at every millisecond."""
    folder = await random_model(model)
    async with arm("ocils", ours(folder)) as own:
        await own.ask("ocils", prompt=PROMPT, rows=8, new=2)
        answer = await own.ask("loop", prompt=1024, rows=8, new=new)
    late = sorted(msgspec.convert(answer["late"], list[float]))
    value = round(late[int(len(late) * _LATE)] * 1000, 2)
    conditions: dict[str, object] = {
        "model": model,
        "prompt": 1024,
        "rows": 8,
        "looks": len(late),
        "worst_ms": round(late[-1] * 1000, 2),
    }
    return Figure("loop_delay_p99_ms", value, "ms", "lower", conditions)


async def cancel_silence_ms(_: Bench, rounds: int = 7, model: str = MODEL) -> Figure:
    """From cancel until the model's thread has nothing to do, less the time that a token takes."""
    folder = await random_model(model)
    silences, tokens = [], []
    async with arm("ocils", ours(folder)) as own:
        await own.ask("ocils", prompt=PROMPT, rows=8, new=2)
        for _round in range(rounds):
            answer = await own.ask("cancel", prompt=PROMPT, rows=8, new=24)
            silences.append(float(str(answer["silence"])))
            tokens.append(float(str(answer["token"])))
    silence, token = statistics.median(silences), statistics.median(tokens)
    conditions: dict[str, object] = {
        "model": model,
        "rows": 8,
        "rounds": rounds,
        "a_token_ms": round(token * 1000, 1),
        "worst_ms": round(max(silences) * 1000, 1),
        "at_most_ms": round(token * 1000 + 50, 1),
    }
    return Figure("cancel_silence_ms", round(silence * 1000, 1), "ms", "lower", conditions)


async def gpu_roofline_b1(_: Bench, rounds: int = 5, model: str = "1.5B") -> Figure:
    """Tokens a second of one candidate on a GPU over what reading the weights once each would allow."""
    folder = await random_model(model)
    async with arm("ocils", ours(folder)) as own:
        place = await own.ask("hardware")
        if place["device"] != "cuda" or not place["bytes_per_second"]:
            raise EnvironmentProblem("there is no GPU here that CTranslate2 can use")
        speeds = [
            await own.speed("ocils", prompt=PROMPT, rows=1, new=256) for _round in range(rounds)
        ]
    bound = float(str(place["bytes_per_second"])) / float(str(place["weights"]))
    conditions: dict[str, object] = {**place, "tokens_s": round(statistics.median(speeds), 1)}
    value = round(statistics.median(speeds) / bound, 3)
    return Figure("gpu_roofline_b1", value, "ratio", "higher", conditions)


async def in_turn(rounds: int, *arms: Callable[[], Awaitable[float]]) -> list[list[float]]:
    """Run each arm once to warm up, then ``rounds`` times in turn; return each arm's numbers."""
    found: list[list[float]] = [[] for _ in arms]
    for number in range(rounds + 1):
        for place, each in enumerate(arms):
            value = await each()
            if number:
                found[place].append(value)
    return found


def ratio(
    name: str,
    ours_: Sequence[float],
    theirs: Sequence[float],
    better: Literal["lower", "higher"] = "higher",
    unit: str = "tokens/s",
    **conditions: object,
) -> Figure:
    """Return the ratio of two arms' medians, with both beside it."""
    one, other = statistics.median(ours_), statistics.median(theirs)
    told = {"ours": round(one, 3), "theirs": round(other, 3), "in": unit, "rounds": len(ours_)}
    return Figure(
        name,
        round(one / other, 3),
        "ratio",
        better,
        {**conditions, **told},
    )
