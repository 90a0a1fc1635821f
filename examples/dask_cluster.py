"""How is a sweep run on a Dask cluster?  Without an address, on one of two workers on this machine.

    python examples/dask_cluster.py                        # a scheduler and two workers on 127.0.0.1
    python examples/dask_cluster.py tcp://SCHEDULER:8786   # a cluster that runs already (docs/clusters.md)

The table must be the one that this process gets alone.  Needs the extra `dask` (pip install "kinesim[dask]").
Prints:

    6 runs on 2 workers
    the table of one process: equal
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from importlib.util import find_spec

from simulator import sweep

AXES = {"workload.strategy.trials": [1, 2, 4], "engine.max_sequences": [16, 256]}
SMALL = {"variants": None, "workload.tasks.repeats": 1, "report.seeds": 1}


def main(address: str | None) -> None:
    """Run the sweep on the cluster and here."""
    if find_spec("distributed") is None:
        print('skipped: Dask is not installed; pip install "kinesim[dask]"')
        return
    from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra

    with ExitStack() as stack:
        target = address or stack.enter_context(
            LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0")
        )
        client = stack.enter_context(Client(target))
        there = sweep("quickstart", AXES, overrides=SMALL, executor=client.get_executor())
        print(f"{there.computed} runs on {len(client.scheduler_info()['workers'])} workers")
    here = sweep("quickstart", AXES, overrides=SMALL)
    print("the table of one process:", "equal" if there.runs.equals(here.runs) else "different")


if __name__ == "__main__":  # the workers are processes that import this file
    main(sys.argv[1] if len(sys.argv) > 1 else None)
