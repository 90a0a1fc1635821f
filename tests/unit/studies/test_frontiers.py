"""Frontiers against curves whose crossing can be worked out by hand."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from simulator.studies.frontiers import Offer, longest_useful, offer, stretches

# Small: accuracy 0.1 ln(L / 1000) for L seconds.  Large: 0.2 ln(L / 1000) for 4 L seconds.  For c seconds
# they are equally accurate where ln(c / 1000) = 2 ln(c / 4000): at c = 16,000.
CROSSING_S = 16_000.0


@pytest.fixture
def offers() -> dict[str, Offer]:
    tokens = [2000.0, 50_000.0]
    return {
        "small": offer(tokens, tokens, lambda length: 0.1 * log(length / 1000)),
        "large": offer([2000.0, 12_500.0], [8000.0, 50_000.0], lambda length: 0.2 * log(length / 1000)),
    }


def test_the_best_model_changes_where_the_curves_cross(offers: dict[str, Offer]) -> None:
    first, second = stretches(offers)
    assert (first.model, second.model) == ("small", "large")
    assert first.first_tokens == pytest.approx(2000.0)
    assert first.last_gpu_s == pytest.approx(CROSSING_S, rel=0.003)
    assert second.first_gpu_s == pytest.approx(CROSSING_S, rel=0.003)
    assert second.first_tokens == pytest.approx(CROSSING_S / 4, rel=0.003)
    assert second.last_gpu_s == pytest.approx(50_000.0)


def test_below_the_cost_of_its_shortest_output_a_model_is_not_offered(offers: dict[str, Offer]) -> None:
    caps = np.array([7999.0, 8000.0])
    assert offers["large"].accuracy_for(caps).tolist() == [0.0, pytest.approx(0.2 * log(2))]


def test_the_longest_useful_output_ends_at_the_crossing(offers: dict[str, Offer]) -> None:
    # Small minus large is 0.1 ln(16,000 / c), and large is off by 0.03 too much or 0.05 too little.
    shifts = np.array([[0.0, 0.0], [0.0, -0.03], [0.0, 0.05]])
    expected = [CROSSING_S * exp(10 * more) for more in (0.0, 0.03, -0.05)]
    found = longest_useful(offers, shifts)
    assert found[:, 0] == pytest.approx(expected, rel=0.003)
    assert found[:, 1] == pytest.approx([12_500.0] * 3, rel=0.003)
    assert longest_useful(offers)[0] == pytest.approx(found[0])


def test_a_model_that_never_is_the_best_has_no_useful_output(offers: dict[str, Offer]) -> None:
    worse = offer([2000.0, 50_000.0], [3000.0, 75_000.0], lambda length: 0.1 * log(length / 1000))
    both = offers | {"worse": worse}
    # Beyond 50,000 s both others stay as good as there.
    assert longest_useful(both)[0, 2] == 0.0
    assert longest_useful(both, np.array([[0.0, 0.0, 0.2]]))[0, 2] > 0.0


def test_beyond_its_longest_output_a_model_stays_as_good_as_there() -> None:
    short = offer([2000.0, 4000.0], [2000.0, 4000.0], lambda length: length / 5000)
    late = offer([2000.0, 9000.0], [2000.0, 9000.0], lambda length: length / 10_000)
    # Late reaches 0.8, where short ends, at 8,000 s.
    first, second = stretches({"short": short, "late": late})
    assert (first.model, second.model) == ("short", "late")
    assert second.first_gpu_s == pytest.approx(8000.0, rel=0.003)
    assert longest_useful({"short": short, "late": late})[0, 0] == pytest.approx(4000.0, rel=0.003)


def test_between_two_lengths_the_cost_is_a_power_of_the_length() -> None:
    one = offer([1000.0, 16_000.0], [1.0, 256.0], lambda length: length / 1e6)
    middle = one.tokens_for(one.gpu_s[200:201])[0]
    assert one.gpu_s[200] == pytest.approx((middle / 1000.0) ** 2)
