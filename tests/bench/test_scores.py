"""Shares, intervals, tables, plots and comparisons of measurements."""

from __future__ import annotations

import argparse
import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from ocils.bench import report
from ocils.bench.commands import compare
from ocils.bench.measured import chosen
from ocils.bench.plot import svg
from ocils.bench.pooled import pooled
from ocils.bench.score import counts, difference, share, summary
from ocils.bench.solve import Outcome, Solved
from ocils.bench.task import Unusable
from ocils.domain.errors import UsageError
from ocils.domain.session import Limits


def solved(name: str, outcome: Outcome, at: int = 0, seconds: float = 1.0, turn: int = 1) -> Solved:
    """One outcome, as short as can be."""
    return Solved(
        name, outcome, at, at, max(at, 5), turn, "edit" if at else "", seconds, 2.0, 0.5, tests=6
    )


RESULTS = (
    solved("a", "green", 1, 3.0),
    solved("b", "green", 3, 12.0, 2),
    solved("c", "green", 64, 30.0, 4),
    solved("d", "plausible", 2),
    solved("e", "red"),
    solved("f", "suspicious", 9),
    solved("g", "unjudged"),
    msgspec.structs.replace(solved("h", "green", 5, 70.0, 2), tests=1, same=True),
)
CONDITIONS = report.Conditions(
    "tiny", "tiny@1", "own", "data", "d1", 8, 0, Limits(candidates=64), 1, "script", {"python": "3"}, "m", 2
)  # fmt: skip


def made(results: Sequence[Solved] = RESULTS, arm: str = "tiny") -> report.Report:
    conditions = msgspec.structs.replace(CONDITIONS, arm=arm)
    return report.made("2026-01-02", conditions, results, [Unusable("z", "its solution is red")])


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (20, 40, 0.3520, 0.6480),
        (1, 1, 0.2065, 1.0),
    ],
)
def test_intervals_are_wilson_s(count: int, of: int, low: float, high: float) -> None:
    """The values are those of published tables of the score interval."""
    found = share(count, of)
    assert math.isclose(found.low, low, abs_tol=2e-4)
    assert math.isclose(found.high, high, abs_tol=2e-4)


def test_nothing_says_nothing() -> None:
    assert (share(0, 0).low, share(0, 0).high, share(0, 0).value) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("most", "found"),
    [(1, (1,)), (2, (1, 2)), (64, (1, 2, 4, 8, 16, 32, 64)), (100, (1, 2, 4, 8, 16, 32, 64, 100))],
)
def test_numbers_of_candidates_are_powers_of_two_and_the_limit(
    most: int, found: tuple[int, ...]
) -> None:
    assert counts(most) == found


def test_only_what_all_tests_accept_is_green() -> None:
    counted = summary(RESULTS, 64)
    assert {k: s.count for k, s in counted.within.items()} == {1: 1, 2: 1, 4: 2, 8: 3, 16: 3, 32: 3, 64: 4}  # fmt: skip
    assert (counted.tasks, counted.green.count, counted.pass_at_1.count) == (8, 4, 1)
    assert {n: s.count for n, s in counted.turns.items()} == {1: 1, 2: 3, 4: 4}
    assert {n: s.count for n, s in counted.seconds.items()} == {5: 1, 10: 1, 20: 2, 60: 3}
    assert (counted.visible.count, counted.plausible.count, counted.plausible.of) == (5, 1, 5)
    assert (counted.suspicious, counted.unjudged, counted.one_test, counted.same) == (1, 1, 1, 1)
    assert counted.judging_share == 4.0
    assert counted.median_seconds_to_green == 21.0


def test_a_measurement_without_a_model_has_no_judging_share() -> None:
    counted = summary([msgspec.structs.replace(RESULTS[0], generating=0.0)], 64)
    assert counted.judging_share is None


def test_differences_are_task_by_task() -> None:
    other = [msgspec.structs.replace(each, outcome="red", at=0) for each in RESULTS[:3]]
    found = difference(RESULTS, [*other, RESULTS[7], solved("elsewhere", "green", 1)], 64)
    assert (found.won, found.lost, found.of, found.value) == (3, 0, 4, 0.75)
    assert 0.0 <= found.low < 0.75 < found.high <= 1.0
    assert difference(RESULTS, [*other, RESULTS[7]], 1).won == 1
    assert difference([], other, 64).of == 0
    assert found == difference(RESULTS, [*other, RESULTS[7], solved("elsewhere", "green", 1)], 64)


def test_a_report_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    report.write(made(), tmp_path / "r.json")
    assert report.read(tmp_path / "r.json") == made()
    lines = (tmp_path / "r.json").read_text().splitlines()
    assert sum('"task":' in line and line.startswith('{"type":"Solved"') for line in lines) == 8


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff"])
def test_what_is_no_report_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "r.json").write_bytes(data)
    with pytest.raises(UsageError, match="no measurement"):
        report.read(tmp_path / "r.json")
    with pytest.raises(UsageError, match="cannot be read"):
        report.read(tmp_path / "none.json")


def test_the_order_of_the_outcomes_does_not_depend_on_who_was_first() -> None:
    assert made(RESULTS) == made(tuple(reversed(RESULTS)))


def test_the_table_says_what_was_measured_and_with_what() -> None:
    text = report.markdown([made(), made(RESULTS[:4], "none")])
    assert "| | tiny | none |" in text
    assert "| green within 64 | 4 of 8, 50% (22%–78%) | 3 of 4, 75% (30%–95%) |" in text
    assert "| of these, rejected by all tests | 1 of 5, 20%" in text
    assert "tiny@1; own data (d1), 8 tasks, seed 0, 64 candidates" in text
    assert "tiny against none within 64" in text
    assert "1 tasks have one test only" in text
    assert "not counted: z (its solution is red)" in text


@pytest.mark.parametrize("arms", [1, 3])
def test_the_plot_is_a_picture_with_a_line_an_arm(arms: int) -> None:
    reports = [made(arm=f"<arm & {n}>") for n in range(arms)]
    tree = ET.fromstring(svg(reports))
    paths = [p for p in tree.iter("{http://www.w3.org/2000/svg}path") if p.get("fill") == "none"]
    assert len(paths) == 2 * arms
    texts = [t.text for t in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert f"<arm & {arms - 1}> (4 of 8)" in texts
    assert {"candidates judged", "seconds", "100%", "64"} <= set(texts)
    # The curve over candidates ends at half of the height: four of eight are green.
    ends = paths[0].get("d", "").rpartition(" ")[2]
    top, bottom = 54.0, 400.0 - 84.0
    assert float(ends) == pytest.approx((top + bottom) / 2)


def test_a_plot_of_nothing_green_is_a_picture_too() -> None:
    ET.fromstring(svg([made((solved("a", "red"),))]))
    ET.fromstring(svg([made(())]))


def test_measurements_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        report.write(made(arm=name), tmp_path / f"{name}.json")
    given = argparse.Namespace(reports=[tmp_path / "one.json", tmp_path / "two.json"], out=tmp_path / "both")  # fmt: skip
    assert compare(given) == 0
    assert "| | one | two |" in capsys.readouterr().out
    assert (tmp_path / "both.md").read_text().startswith("| | one | two |")
    ET.parse(tmp_path / "both.svg")


def test_several_sets_are_taken_together_arm_by_arm(tmp_path: Path) -> None:
    reports = [on(data, made(arm=arm)) for arm in ("one", "two") for data in ("d1", "d2")]
    whole = pooled(reports)
    assert [each.conditions.arm for each in whole] == ["one", "two"]
    assert [each.summary.tasks for each in whole] == [16, 16]
    assert whole[0].conditions.count == 16
    assert len({each.task for each in whole[0].results}) == 16
    assert whole[0].summary.within[64].count == 8
    assert difference(whole[0].results, whole[1].results, 64).of == 16
    older = msgspec.structs.replace(reports[1].conditions, versions={"code": "older"})
    mixed = pooled([reports[0], msgspec.structs.replace(reports[1], conditions=older)])
    assert mixed[0].conditions.versions["code"].endswith(" and older")
    backwards = pooled([*reports[2:], reports[1], reports[0]])
    assert backwards[0].conditions.comparable == whole[0].conditions.comparable


def test_one_set_alone_is_left_as_it_is() -> None:
    same = [made(), made(RESULTS[:4])]
    assert pooled(same) == same


def test_measurements_of_other_things_are_not_compared(tmp_path: Path) -> None:
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    report.write(made(), paths[0])
    report.write(on("d1", made(arm="two"), seed=1), paths[1])
    with pytest.raises(UsageError, match="measured something else"):
        compare(argparse.Namespace(reports=paths, out=None))
    with pytest.raises(UsageError, match="same limits and seed"):
        pooled([made(), on("d2", made(), seed=1)])
    with pytest.raises(UsageError, match="tiny is named twice"):
        pooled([made(), made(), on("d2", made())])


def on(data: str, one: report.Report, seed: int = 0) -> report.Report:
    """Return ``one`` as measured on other data."""
    conditions = msgspec.structs.replace(one.conditions, format=data, digest=data, seed=seed)
    return msgspec.structs.replace(one, conditions=conditions)


def test_tasks_are_chosen_by_name_or_evenly() -> None:
    ids = tuple("abcdefghij")
    assert chosen(ids, "", 0) == ids
    assert chosen(ids, "j,b", 0) == ("b", "j")
    assert chosen(ids, "", 3) == ("a", "d", "g")
    assert chosen(ids, "", 99) == ids
    with pytest.raises(UsageError, match="no task x"):
        chosen(ids, "x", 0)


def test_a_report_says_which_versions_it_was_made_with() -> None:
    assert {"python", "ocils", "code", "ctranslate2", "pytest"} <= set(report.versions())
    name, cores = report.machine()
    assert cores >= 1
    assert name


def test_another_search_is_another_measurement(tmp_path: Path) -> None:
    (tmp_path / "refine").mkdir()
    (tmp_path / "refine" / "a.py").write_text("x = 1\n")
    before = report.code(tmp_path)
    (tmp_path / "refine" / "a.py").write_text("x = 2\n")
    assert report.code(tmp_path) != before
    assert report.code(tmp_path) == report.code(tmp_path)
