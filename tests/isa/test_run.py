"""What `make test-isa` says of that which it cannot run."""

from __future__ import annotations

from pathlib import Path

import pytest

from restore_rt import _ext
from tests.isa import run


def test_a_set_or_a_mask_that_is_missing_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(_ext, "isas", lambda: ["portable", "avx2-only", "avx2"])
    monkeypatch.setattr(run, "why_no_mask", lambda *_: "CPUID does not fault")

    def passes(arguments: list[str], environment: dict[str, str]) -> bool:
        ran.append(arguments)
        return True

    monkeypatch.setattr(run, "passes", passes)
    assert run.main() == 0
    printed = capfd.readouterr().out
    assert "not run here: avx512-only: this CPU has portable, avx2-only, avx2\n" in printed
    assert "not run here: avx2" not in printed
    assert "the mask did not take effect: CPUID does not fault\n" in printed
    # Without a mask int8 is still compared with the oracle.
    assert ran == [[*run.PARALLEL, *run.ALL]] * 2 + [["tests/isa"]]


def test_a_failure_under_the_mask_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "why_no_mask", lambda *_: "")
    monkeypatch.setattr(run, "passes", lambda arguments, _: "tests/isa/masked.py" not in arguments)
    assert run.main() == 1
    assert capfd.readouterr().out.endswith("failed: CPUID masked\n")


def test_a_mask_that_hides_nothing_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = tmp_path / "mask.so"
    environment = {"LD_PRELOAD": str(mask), "RESTORE_RT_MASK": str(mask)}
    looks = [f"int {name}(void) {{ return 1; }}\n" for name in run.LOOKS]
    (tmp_path / "mask_cpuid.c").write_text("".join(looks), encoding="utf-8")
    monkeypatch.setattr(run, "HERE", tmp_path)
    assert run.why_no_mask(mask, environment) == "CPUID still shows it (rrt_sees_vnni)"
    (tmp_path / "mask_cpuid.c").write_text("not C", encoding="utf-8")
    assert "does not compile here" in run.why_no_mask(mask, environment)
