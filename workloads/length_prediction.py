"""An outside predictor of output lengths, as schedulers of long-tailed batches use one.

The prediction is the true length times a lognormal error, drawn per node; schedulers see the
prediction, never the length.  Ignored: predictors that are biased, or that learn while a trial runs.
"""

from __future__ import annotations

from math import exp

from pydantic import Field

from simulator.frozen import FrozenModel
from simulator.rng import Streams
from workloads.lengths.lognormal import normal_quantile
from workloads.lengths.protocol import SMALLEST_U
from workloads.task import Task


class LengthPrediction(FrozenModel):
    """Predict a node's output as ``length * exp(log_error * z)``; an error of 0 is an oracle.

    Examples
    --------
    >>> LengthPrediction(log_error=0.0).predicted_tokens(Streams(0), Task(0, 10, 0.5), 3, 700)
    700
    """

    log_error: float = Field(ge=0.0, le=4.0, description="[-] Standard deviation of the logarithmic error.")

    def predicted_tokens(self, streams: Streams, task: Task, node: int, output_tokens: int) -> int:
        """Return the prediction for node number `node` of `task`, whole tokens, at least 1."""
        z = normal_quantile(max(SMALLEST_U, streams.uniform("prediction", task=task.index, draw=node)))
        return round(output_tokens * exp(self.log_error * z)) or 1
