"""The verifier of finished trials: what a verdict takes in time and money.

A service beside the node: it is asked as soon as a trial ends, judges any number of trials at once and
uses none of the node's GPUs.  Until its verdict is there the strategy knows nothing of the trial and the
task goes on; a trial that the strategy gives up meanwhile is not waited for, but paid.
"""

from __future__ import annotations

from pydantic import Field

from simulator.frozen import Dollars, FrozenModel, SecondsOrZero


class Verifier(FrozenModel):
    """What it takes to judge a finished trial.

    Examples
    --------
    >>> judge = Verifier(seconds_per_trial=1.5, usd_per_million_tokens=2.0)
    >>> judge.verdict_s(8_000), judge.usd(trials=4, tokens=32_000)
    (1.5, 0.064)
    """

    seconds_per_trial: SecondsOrZero = Field(
        default=0.0, description="[s] Time from a trial's end to its verdict, whatever its length."
    )
    seconds_per_token: SecondsOrZero = Field(
        default=0.0, description="[s] Time that each token of prompt and output adds."
    )
    usd_per_trial: Dollars = Field(default=0.0, description="[USD] Price of a verdict.")
    usd_per_million_tokens: Dollars = Field(
        default=0.0, description="[USD] Price of a million tokens of prompts and outputs that are judged."
    )

    def verdict_s(self, tokens: int) -> float:
        """Return the time from the end of a trial of `tokens` tokens, prompt included, to its verdict, s."""
        return self.seconds_per_trial + self.seconds_per_token * tokens

    def usd(self, *, trials: int, tokens: int) -> float:
        """Return the price of judging `trials` with `tokens` tokens in all, prompts included, USD."""
        return self.usd_per_trial * trials + self.usd_per_million_tokens * tokens / 1e6
