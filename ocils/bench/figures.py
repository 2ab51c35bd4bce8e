"""``make bench``: the figures that say whether ocils keeps its promises.

Not covered: printing them (``cli``: one JSON object a line), comparing with earlier days, whatever
else this machine does meanwhile (which is why times are medians and ratios taken arm by turn).
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from ocils.bench.figure import Bench, Figure, House
from ocils.bench.figures_editor import (
    code_action_p99_ms,
    keystroke_parse_p99_ms,
    server_start_s,
)
from ocils.bench.figures_loop import mended_share, score_64_s
from ocils.bench.figures_model import (
    allocator_gain,
    cancel_silence_ms,
    gpu_roofline_b1,
    loop_delay_p99_ms,
    tokens_over_raw_b1,
    tokens_over_raw_b8,
    turn2_first_token,
)
from ocils.bench.figures_real import verdict_real_geomean
from ocils.bench.figures_rivals import tokens_over_transformers_b1, tokens_over_transformers_b8
from ocils.bench.figures_sandbox import (
    verdict_l1_heavy,
    verdict_l1_small,
    verdict_l2_heavy,
    verdict_l2_small,
    verdicts_64_over_host,
    warm_memory_mib,
    warmup_host_runs,
)
from ocils.bench.figures_share import judging_share
from ocils.domain.base import Value
from ocils.domain.errors import OcilsError, UsageError

Measure: TypeAlias = Callable[[Bench], Awaitable[Figure]]

FIGURES: Mapping[str, Measure] = {
    "keystroke_parse_p99_ms": keystroke_parse_p99_ms,
    "server_start_s": server_start_s,
    "code_action_p99_ms": code_action_p99_ms,
    "score_64_s": score_64_s,
    "verdict_l2_small": verdict_l2_small,
    "verdict_l2_heavy": verdict_l2_heavy,
    "verdict_l1_small": verdict_l1_small,
    "verdict_l1_heavy": verdict_l1_heavy,
    "verdict_real_geomean": verdict_real_geomean,
    "verdicts_64_over_host": verdicts_64_over_host,
    "warmup_host_runs": warmup_host_runs,
    "warm_memory_mib": warm_memory_mib,
    "tokens_over_raw_b1": tokens_over_raw_b1,
    "tokens_over_raw_b8": tokens_over_raw_b8,
    "tokens_over_transformers_b1": tokens_over_transformers_b1,
    "tokens_over_transformers_b8": tokens_over_transformers_b8,
    "allocator_gain": allocator_gain,
    "turn2_first_token": turn2_first_token,
    "loop_delay_p99_ms": loop_delay_p99_ms,
    "cancel_silence_ms": cancel_silence_ms,
    "gpu_roofline_b1": gpu_roofline_b1,
    "judging_share": judging_share,
    "mended_share": mended_share,
}


class Unmeasured(Value, frozen=True):
    """A figure that cannot be measured here, and why."""

    name: str
    why: str


async def figures(
    house: House,
    checkout: Path,
    only: str = "",
    measures: Mapping[str, Measure] = FIGURES,
) -> AsyncGenerator[Figure | Unmeasured, None]:
    """Measure each figure, or only one, in order.

    Raises ``UsageError`` for a name that is none, and outside of a checkout.
    """
    if only and only not in measures:
        raise UsageError(f"there is no figure {only}", mend=f"say one of {', '.join(measures)}")
    if not (checkout / "tests" / "workspaces" / "basket").is_dir():
        raise UsageError(
            f"{checkout} is not a checkout of ocils", mend="the figures need its test workspaces"
        )
    with tempfile.TemporaryDirectory(prefix="ocils-bench-") as scratch:
        bench = Bench(house, checkout, Path(scratch))
        for name, measure in measures.items():
            if only and name != only:
                continue
            try:
                yield await measure(bench)
            except OcilsError as problem:
                yield Unmeasured(name, str(problem))
