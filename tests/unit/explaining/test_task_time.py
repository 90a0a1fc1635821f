"""A task's time, link by link, by hand."""

from __future__ import annotations

from simulator.explaining.task_time import PARTS, _parts, _Trial


def trial(*times: int, verdict: int = 0) -> _Trial:
    return _Trial(*times, judged_ns=times[-1] + verdict)


def divided(trials: list[_Trial], arrival: int, ended: int) -> dict[str, float]:
    totals = dict.fromkeys(PARTS, 0.0)
    for name, spent in _parts(trials, arrival, ended):
        totals[name] += spent
    return totals


def test_one_trial_is_queueing_prefill_and_decode() -> None:
    assert divided([trial(0, -1, 10, 13, 20, 50)], 10, 50) == {
        "queueing": 3,
        "prefill": 7,
        "decode": 30,
        "stragglers": 0,
        "verdicts": 0,
        "tools": 0,
    }


def test_the_last_trial_beyond_the_mean_end_is_a_straggler() -> None:
    trials = [trial(0, -1, 0, 0, 10, 40), trial(1, -1, 0, 0, 10, 100)]
    found = divided(trials, 0, 100)
    assert (found["decode"], found["stragglers"]) == (60, 30)  # the mean trial ends at 70


def test_a_straggler_that_was_queued_for_long_waits_in_the_queue() -> None:
    trials = [trial(0, -1, 0, 0, 10, 40), trial(1, -1, 0, 80, 90, 100)]
    found = divided(trials, 0, 100)
    assert (found["queueing"], found["decode"], found["stragglers"]) == (80, 0, 10)


def test_a_second_turn_follows_its_parent_after_the_tools_time() -> None:
    trials = [trial(0, -1, 0, 0, 10, 30), trial(1, 0, 45, 46, 50, 90)]
    found = divided(trials, 0, 90)
    assert found == {"queueing": 1, "prefill": 14, "decode": 60, "stragglers": 0, "verdicts": 0, "tools": 15}


def test_a_wave_follows_the_trial_whose_end_brought_it() -> None:
    first = [trial(0, -1, 0, 0, 10, 30), trial(1, -1, 0, 0, 10, 50)]
    found = divided([*first, trial(2, -1, 50, 55, 60, 80)], 0, 80)
    assert found["tools"] == 0
    assert found["queueing"] == 5
    assert found["stragglers"] == 10  # of the first wave, whose mean end is 40
    assert sum(found.values()) == 80


def test_a_trial_that_ends_with_its_successors_start_is_no_cause_of_itself() -> None:
    # Two trials of one moment: the way back must end.
    trials = [trial(0, -1, 5, 5, 5, 5), trial(1, 0, 5, 5, 5, 5)]
    assert sum(divided(trials, 0, 5).values()) == 5


def test_a_task_waits_for_the_verdict_on_the_trial_that_ends_it() -> None:
    trials = [trial(0, -1, 0, 0, 10, 40, verdict=7), trial(1, -1, 0, 0, 10, 60, verdict=7)]
    assert divided(trials, 0, 67)["verdicts"] == 7


def test_a_verdict_that_came_too_late_is_no_part_of_the_task() -> None:
    trials = [trial(0, -1, 0, 0, 10, 40, verdict=7), trial(1, -1, 0, 0, 10, 45, verdict=30)]
    found = divided(trials, 0, 47)  # solved by the first
    assert (found["verdicts"], found["decode"] + found["stragglers"]) == (7, 30)


def test_a_wave_follows_the_verdict_that_brought_it() -> None:
    found = divided([trial(0, -1, 0, 0, 10, 30, verdict=20), trial(1, -1, 50, 55, 60, 80, verdict=5)], 0, 85)
    assert (found["verdicts"], found["queueing"], found["tools"]) == (25, 5, 0)
    assert sum(found.values()) == 85
