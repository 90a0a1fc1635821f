from __future__ import annotations

from itertools import combinations
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads import pass_at_k


@given(st.data())
def test_pass_at_k_is_the_mean_over_all_subsets(data: st.DataObject) -> None:
    trials = data.draw(st.lists(st.booleans(), min_size=1, max_size=9))
    k = data.draw(st.integers(1, len(trials)))
    subsets = [any(subset) for subset in combinations(trials, k)]
    literal = sum(subsets) / len(subsets)
    assert pass_at_k(len(trials), sum(trials), k) == pytest.approx(literal, abs=1e-12)


@given(st.data())
def test_pass_at_k_is_the_exact_ratio_of_binomials_for_many_trials(data: st.DataObject) -> None:
    trials = data.draw(st.integers(1, 2000))
    correct, k = data.draw(st.integers(0, trials)), data.draw(st.integers(1, trials))
    exact = 1 - comb(trials - correct, k) / comb(trials, k)
    assert pass_at_k(trials, correct, k) == pytest.approx(exact, abs=1e-12)


def test_one_trial_gives_the_share_of_correct_trials() -> None:
    assert pass_at_k(8, 3, 1) == 3 / 8


@pytest.mark.parametrize(("trials", "correct", "k"), [(4, 1, 5), (4, 1, 0), (0, 0, 1)])
def test_k_outside_the_trials_is_refused(trials: int, correct: int, k: int) -> None:
    with pytest.raises(ValueError, match=f"got k = {k} of {trials} trials"):
        pass_at_k(trials, correct, k)


@pytest.mark.parametrize("correct", [-1, 5])
def test_an_impossible_number_of_correct_trials_is_refused(correct: int) -> None:
    with pytest.raises(ValueError, match=f"{correct} correct of 4 trials"):
        pass_at_k(4, correct, 2)
