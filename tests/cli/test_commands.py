"""The command line as its users meet it: real processes, a real model, a real container."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

BUG = "cents > FREE_DELIVERY_FROM"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Folders of its own, so that no developer's settings or sessions get in or out."""
    home = {
        f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("CONFIG", "STATE", "DATA")
    }
    return {**os.environ, **home, "COLUMNS": "120"}


@pytest.fixture
def ocils(environment: dict[str, str]) -> Run:
    def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ocils", *arguments],
            env={**environment, **extra},
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )

    return run


@pytest.fixture
def basket(workspace: Callable[[str], Path]) -> Path:
    return workspace("basket")


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Everything a run printed; never a traceback."""
    text = done.stdout + done.stderr
    assert "Traceback" not in text
    return text


@pytest.mark.docker
@pytest.mark.model
def test_refine_apply_writes_one_small_confirmed_edit(ocils: Run, basket: Path) -> None:
    pricing = basket / "shop" / "pricing.py"
    before = pricing.read_text()
    files = set(basket.rglob("*"))
    done = ocils("refine", f"{pricing}::delivery", "--apply")
    text = said(done)
    assert done.returncode == 0, text
    assert "confirmed" in text
    after = pricing.read_text()
    changed = [a for a, b in zip(before.splitlines(), after.splitlines(), strict=False) if a != b]
    assert len(changed) == 1, "one slip, one line"
    assert set(basket.rglob("*")) == files, "nothing else is left behind"
    again = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(basket)],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert again.returncode == 0


@pytest.mark.docker
@pytest.mark.model
def test_refine_diff_prints_a_patch_and_nothing_else(ocils: Run, basket: Path) -> None:
    done = ocils("refine", f"{basket}/shop/pricing.py::delivery", "--diff")
    assert done.returncode == 0, said(done)
    assert done.stdout.startswith("--- a/shop/pricing.py\n+++ b/shop/pricing.py\n@@")
    patched = subprocess.run(
        ["patch", "-p1", "-d", str(basket)], input=done.stdout, text=True, check=False,
        capture_output=True, timeout=30,
    ) if _has("patch") else subprocess.run(
        ["git", "apply", "--unsafe-paths", f"--directory={basket}"], input=done.stdout, text=True,
        check=False, capture_output=True, timeout=30, cwd="/",
    )  # fmt: skip
    assert patched.returncode == 0, patched.stderr
    assert BUG not in (basket / "shop" / "pricing.py").read_text()


@pytest.mark.docker
def test_run_tells_red_from_green_and_who_reaches_what(ocils: Run, basket: Path) -> None:
    red = ocils("run", f"{basket}/shop/pricing.py::delivery", "--json")
    assert red.returncode == 1, said(red)
    events = [json.loads(line) for line in red.stdout.splitlines()]
    assert events[-1]["type"] == "Finished"
    assert events[-1]["message"] == "1 of 9 tests fail; 4 run `delivery`"
    pricing = basket / "shop" / "pricing.py"
    pricing.write_text(pricing.read_text().replace(BUG, "cents >= FREE_DELIVERY_FROM"))
    green = ocils("run", str(pricing))
    assert green.returncode == 0, said(green)
    assert "all 9 tests pass" in said(green)


@pytest.mark.docker
@pytest.mark.model
def test_a_green_function_needs_nothing(ocils: Run, basket: Path) -> None:
    done = ocils("refine", f"{basket}/shop/pricing.py::subtotal")
    assert done.returncode == 0
    assert "pass already" in said(done)
    assert "test_delivery_is_free_at_the_limit" in said(done), "who is red is said all the same"


@pytest.mark.docker
@pytest.mark.model
@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (("tests/test_pricing.py", "import nope_nope"), 1, "nope_nope"),
        (("tests/test_pricing.py", "def broken(:"), 1, "cannot be collected"),
        (("pyproject.toml", "[tool.ocils]\nruntime = 'none'"), 2, "runtime"),
        (("pyproject.toml", "[tool.ocils]\nsandbox = {}"), 2, "only you may set"),
    ],
)
def test_bad_workspaces_get_one_clear_message(
    ocils: Run, basket: Path, change: tuple[str, str], code: int, told: str
) -> None:
    file = basket / change[0]
    old = file.read_text() if change[0].endswith(".py") and "test" in change[0] else ""
    file.write_text(change[1] + "\n" + old)
    done = ocils("refine", f"{basket}/shop/pricing.py::delivery")
    assert told in said(done)
    assert done.returncode == code


@pytest.mark.docker
@pytest.mark.model
def test_a_suite_that_hangs_is_named(ocils: Run, basket: Path) -> None:
    tests = basket / "tests" / "test_pricing.py"
    tests.write_text("import time\ntime.sleep(10**6)\n" + tests.read_text())
    config = basket / "pyproject.toml"
    done = ocils("run", str(config.parent))
    assert done.returncode == 1
    assert "did not end" in said(done)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("shop/nothing.py::f", "there is no file"),
        ("shop/pricing.py", "no function is named"),
        ("shop/pricing.py::deliverry", "delivery"),
        ("tests::x", "is not a file"),
    ],
)
def test_a_wrong_target_is_a_usage_error(ocils: Run, basket: Path, target: str, told: str) -> None:
    done = ocils("refine", f"{basket}/{target}")
    assert done.returncode == 2
    assert told in said(done)


def test_a_line_names_a_function_too(ocils: Run, basket: Path) -> None:
    done = ocils("refine", f"{basket}/shop/pricing.py", "--line", "3")
    assert done.returncode == 2
    assert "subtotal" in said(done)


def test_no_engine_is_an_environment_error_with_a_mend(ocils: Run, basket: Path) -> None:
    gone = {"DOCKER_HOST": f"unix://{basket}/no.sock"}
    done = ocils("refine", f"{basket}/shop/pricing.py::delivery", **gone)
    assert done.returncode == 3
    assert "docker" in said(done).lower()
    doctor = ocils("doctor", str(basket), **gone)
    assert doctor.returncode == 3
    assert "→" in doctor.stdout


@pytest.mark.docker
def test_an_unknown_model_is_an_environment_error(
    ocils: Run, basket: Path, environment: dict[str, str]
) -> None:
    settings = Path(environment["XDG_CONFIG_HOME"]) / "ocils" / "settings.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[model]\nname = "nobody"\n')
    done = ocils("refine", f"{basket}/shop/pricing.py::delivery")
    assert done.returncode == 3
    assert "nobody" in said(done)
    settings.write_text('[model]\nnamee = "x"\n')
    done = ocils("refine", f"{basket}/shop/pricing.py::delivery")
    assert done.returncode == 2
    assert "namee" in said(done)


@pytest.mark.docker
@pytest.mark.model
def test_doctor_is_content_here(ocils: Run, basket: Path) -> None:
    done = ocils("doctor", str(basket))
    assert done.returncode == 0, said(done)
    for name in ("ocils", "sandbox", "workspace", "hardware", "model"):
        assert f"✓ {name}" in done.stdout


@pytest.mark.docker
def test_the_doctor_judges_one_candidate(ocils: Run, basket: Path) -> None:
    done = ocils("doctor", "--json", f"{basket}/shop/pricing.py::delivery")
    assert done.returncode == 0, said(done)
    found = {each["name"]: each for each in json.loads(done.stdout)}
    assert "sandbox" in found
    assert "a candidate for delivery is judged at L" in found["judging"]["detail"]
    assert " ms (3 tests)" in found["judging"]["detail"]


def test_a_function_that_is_not_there_is_said(ocils: Run, basket: Path) -> None:
    done = ocils("doctor", f"{basket}/shop/pricing.py::nothing_such")
    assert done.returncode == 2
    assert "nothing_such" in said(done)


@pytest.mark.docker
@pytest.mark.model
def test_an_interrupt_ends_it_soon_and_changes_nothing(
    environment: dict[str, str], basket: Path
) -> None:
    pricing = basket / "shop" / "pricing.py"
    before = pricing.read_bytes()
    process = subprocess.Popen(
        [sys.executable, "-m", "ocils", "refine", f"{pricing}::delivery", "--json", "--apply"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if '"TurnStarted"' in line:
            process.send_signal(signal.SIGINT)
            break
    started = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - started < 20
    assert process.returncode == 1, err
    assert '"Cancelled"' in out
    assert "Traceback" not in err
    assert pricing.read_bytes() == before


def _has(command: str) -> bool:
    from shutil import which

    return which(command) is not None
