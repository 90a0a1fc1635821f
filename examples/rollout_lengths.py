"""What do unequal lengths of rollouts cost, what does an early stop save?  The study `lengths`, as a frame.

`idle_share` is the part of the places that waits for longer siblings of trials that have ended.  A quick
budget with one seed, to show the frame; its numbers are not to be quoted.  Prints for dense attention:

                   solved_over_one_length  idle_share  tokens_per_task  task_p95_s
    case
    one length                       1.00        0.00        113999.60      232.48
    AIME24                           0.75        0.33        117474.42      457.55
    lognormal                        0.65        0.54        115664.20      425.30
    refilled                         0.85        0.33        117956.62      636.57
    first success                    1.42           -         78997.88      581.12
    waves of 2                       1.67           -         49239.76     2313.87
"""

from __future__ import annotations

from simulator.studies import mean_over_seeds, run_study


def main() -> None:
    """Run the study and print throughput and empty places by case."""
    table = run_study("lengths", seeds=1, quick=True).table
    dense = table[(table["attention"] == "dense") & (table["setting"] == "steady")]
    rates = mean_over_seeds(dense, ["case"], "solved_per_s").set_index("case")["estimate"]
    shown = dense.groupby("case", sort=False)[["idle_share", "tokens_per_task", "task_p95_s"]].mean()
    shown.insert(0, "solved_over_one_length", rates / rates["one length"])
    print(shown.round(2).to_string(na_rep="-"))


if __name__ == "__main__":
    main()
