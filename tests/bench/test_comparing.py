"""Verdicts on reports that are made up: of the same thing, of a slower one, of a noisy machine."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from restore_rt.bench import compare
from restore_rt.bench.comparing import Difference
from restore_rt.bench.report import Report
from restore_rt.bench.tables import report_markdown
from restore_rt.errors import InputError
from tests.bench.made import MACHINE, measured, other_case, reported


def drawn(seed: int, *, slower: float = 1.0, spread: float = 0.012, machine: float = 1.0) -> Report:
    """Return a report of five rounds, whose medians vary as much as on a shared machine."""
    random = np.random.default_rng(seed)
    medians = 20 * slower * machine * np.exp(random.normal(0, spread, 5))
    controls = 5 * machine * np.exp(random.normal(0, spread / 2, 5))
    return reported(measured(medians.tolist(), controls.tolist()))


def only(before: Report, after: Report) -> Difference:
    (found,) = compare(before, after).differences
    return found


def verdicts(**changes: float) -> list[str]:
    pairs = ((drawn(2 * seed), drawn(2 * seed + 1, **changes)) for seed in range(200))
    return [only(before, after).verdict for before, after in pairs]


def test_the_same_thing_does_not_differ() -> None:
    assert verdicts().count("no difference") >= 190


def test_a_tenth_is_found() -> None:
    assert verdicts(slower=1.1).count("slower") >= 190
    assert verdicts(slower=1 / 1.1).count("faster") >= 190


def test_half_a_tenth_is_not_called_the_same() -> None:
    found = verdicts(slower=1.05)
    assert found.count("no difference") <= 20
    assert "faster" not in found


def test_a_slower_frame_is_not_hidden_by_a_faster_machine() -> None:
    before, after = drawn(0), drawn(1, slower=1.25, machine=0.8)
    assert only(before, after).ratio.value == pytest.approx(1, abs=0.03)
    assert only(before, after).verdict == "undecided"


def test_a_machine_that_is_slower_as_a_whole_is_no_difference() -> None:
    found = verdicts(machine=1.2)
    assert found.count("no difference") >= 190
    assert "slower" not in found


def test_a_noisy_machine_is_undecided_rather_than_wrong() -> None:
    same = verdicts(spread=0.15)
    assert same.count("undecided") >= 150
    assert same.count("slower") + same.count("faster") <= 10
    assert "faster" not in verdicts(spread=0.15, slower=1.1)


def test_rounds_in_which_the_machine_was_busy_do_not_count() -> None:
    quiet = [18.0, 18.1, 17.9, 18.05, 17.95]
    busy = measured([*quiet, 35.0, 26.0], [5.0, 5.1, 5.0, 5.2, 5.0, 9.1, 7.0])
    assert busy.p50_ms == measured(quiet).p50_ms
    assert [each.control_ms for each in busy.quiet_rounds] == [5.0, 5.1, 5.0, 5.2, 5.0]
    (found,) = compare(reported(measured(quiet)), reported(busy)).differences
    assert found.verdict == "no difference"


def test_a_slow_down_in_some_processes_is_not_left_out() -> None:
    """Frame times are under test, so they must not decide which rounds count."""
    quiet = [18.0, 18.1, 17.9, 18.05, 17.95]
    bimodal = measured([*quiet[:3], 27.0, 27.1])
    assert bimodal.quiet_rounds == bimodal.rounds
    assert bimodal.p50_ms.value > 21
    assert only(reported(measured(quiet)), reported(bimodal)).verdict == "undecided"
    # With enough rounds, it is found.
    often = reported(measured(4 * [*quiet[:3], 27.0, 27.1]))
    assert only(reported(measured(4 * quiet)), often).verdict == "slower"
    uneven = "**Warning: Uneven rounds**: medians of 20 rounds range from 17.9 to 27.1 ms"
    assert uneven in report_markdown(often)
    assert "Uneven rounds" not in report_markdown(reported(measured(quiet)))


def test_where_hardly_a_round_was_quiet_all_count() -> None:
    made = measured([18.0, 18.1, 25.0, 30.0], [5.0, 5.1, 7.0, 9.0])
    assert made.quiet_rounds == made.rounds


def test_one_round_decides_nothing() -> None:
    found = only(reported(measured([10.0])), reported(measured([20.0])))
    assert found.verdict == "undecided"
    assert found.ratio.value == pytest.approx(2)


def test_another_machine_is_refused() -> None:
    before = drawn(0)
    after = dataclasses.replace(drawn(1, slower=1.5), machine={**MACHINE, "processor": "Another"})
    with pytest.raises(
        InputError, match=r"processor: A processor and Another\); measure both on one"
    ):
        compare(before, after)


def test_what_only_one_description_has_makes_no_other_machine() -> None:
    after = dataclasses.replace(drawn(1), machine={**MACHINE, "hostname": "b"})
    assert compare(drawn(0), after).notes == ()


def test_cases_are_matched_and_the_others_named() -> None:
    fast, slow = other_case(threads=2), other_case(threads=1)
    before = reported(measured([10.0, 10.1], case=fast), measured([20.0, 20.1], case=slow))
    after = reported(measured([10.0, 10.1], case=slow), measured([5.0, 5.1], case=other_case()))
    found = compare(before, after)
    assert [each.case for each in found.differences] == [slow]
    assert found.differences[0].ratio.value == pytest.approx(0.5, rel=0.01)
    assert found.notes == (f"only before: {fast}", f"only after: {other_case()}")


def test_where_files_lie_makes_no_other_case() -> None:
    here = other_case(model="./video-x2.onnx", clip="/here/clip.mp4")
    there = other_case(model="/there/video-x2.onnx", clip="clip.mp4")
    model = {"name": "video-x2", "version": "1.2", "sha256": "ab"}
    found = compare(
        reported(measured([10.0, 10.1], case=here, model=model)),
        reported(measured([10.0, 10.1], case=there, model=model)),
    )
    assert len(found.differences) == 1


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(
        InputError, match="no case in common: video-x2, 640x360, threads 1, and video-x2, 640x360"
    ):
        compare(reported(measured([1.0], case=other_case(threads=1))), reported(measured([1.0])))


def test_the_worst_verdict_is_that_of_all() -> None:
    one, two = other_case(threads=1), other_case(threads=2)
    before = reported(measured([10.0, 10.1], case=one), measured([10.0, 10.1], case=two))
    after = reported(measured([8.0, 8.1], case=one), measured([12.0, 12.1], case=two))
    found = compare(before, after)
    assert [each.verdict for each in found.differences] == ["faster", "slower"]
    assert found.verdict == "slower"
    assert found.as_dict()["verdict"] == "slower"


def test_what_else_differs_is_noted() -> None:
    after = measured(
        [10.0, 10.1],
        model={"name": "video-x2", "version": "2.0", "sha256": "cd"},
        description="video-x2 on ONNX Runtime",
    )
    found = compare(
        reported(measured([10.0, 10.1])), reported(after, software={"restore_rt": "0.2.0"})
    )
    assert found.differences[0].notes == (
        "other weights: version 1.2 and 2.0",
        "video-x2 on native backend, fp32, avx512, 2 threads became video-x2 on ONNX Runtime",
    )
    assert found.notes == ("numpy 2.0 became missing", "restore_rt 0.1.0 became 0.2.0")
