"""What is it worth to spend trials by what has come out so far?  The study `adaptive`, as pandas frames.

Each family of settings (fixed numbers of trials, adaptive ones, an oracle as the bound) is asked for its
cheapest setting that solves at least 60 % of the tasks, by the assumed loss of small KV budgets.  A quick
budget with one seed: 85 runs, half a minute on one core, to show the frames; its numbers are not to be
quoted.  `run_study("adaptive", seeds=3, workers=8)` is the study of docs/kinetics.md.
In GPU-s per task.  Prints:

    loss                                   none  0.005   0.02
    family
    fixed trials and budget               12.22  13.00  13.18
    adaptive trials                        5.77   5.97   6.40
    fixed trials, length capped            5.76      -      -
    adaptive trials, stopped as they run   5.75      -      -
    bound: knows outcomes                  0.73   0.76   0.80
    bound: skips failures too              0.43   0.43   0.43
    adaptive trials and budgets               -   5.97   6.34
"""

from __future__ import annotations

from simulator.studies import run_study

LEAST_RATE = 0.60


def main() -> None:
    """Run the study and print the cheapest setting of each family."""
    table = run_study("adaptive", seeds=1, quick=True).table
    solving = table[(table["rate"] >= LEAST_RATE) & ~table["fresh"]]
    cheapest = solving.loc[solving.groupby(["loss", "family"], sort=False)["gpu_s_per_task"].idxmin()]
    wide = cheapest.pivot_table(index="family", columns="loss", values="gpu_s_per_task", sort=False)
    print(wide[["none", "0.005", "0.02"]].round(2).to_string(na_rep="-"))


if __name__ == "__main__":
    main()
