"""What ``kinesim calibrate --from-bench`` prints of the runs and of the fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.cli.layout import aligned

if TYPE_CHECKING:
    from simulator.calibrate.bench import BenchFit
    from simulator.calibrate.points import Point

COLUMNS = ("run", "in flight", "prompt", "output", "time per token", "before", "after", "use")


def runs_table(fit: BenchFit) -> str:
    """Return a row for every run: its load, and how far estimates are off before and after the fit."""
    rows = [
        (
            *_shape(point),
            f"{before / point.token.value - 1:+.1%}",
            f"{after / point.token.value - 1:+.1%}",
            use,
        )
        for point, before, after, use in zip(
            fit.points,
            fit.before_s,
            fit.after_s,
            ("held out" if out else "fitted" for out in fit.held_out),
            strict=True,
        )
    ]
    rows += [(*_shape(point), "", "", f"left out: {why}") for point, why in fit.left_out]
    return aligned(rows, columns=COLUMNS)


def account(fit: BenchFit) -> str:
    """Return sentences on what was fitted, what judges it, and what more runs could tell."""
    seen = fit.held_out.count(False)
    lines = [f"Fitted: {fit.rung.what}, to {_runs(seen)}."]
    out = fit.held_out.count(True)
    if out:
        lines.append(f"Held out: {_runs(out)}, which the fit has not seen.")
    else:
        lines.append("Nothing was held out: that takes runs at 3 settings (requests in flight or lengths).")
    if fit.bounded:
        names = ", ".join(fit.bounded)
        lines.append(
            f"Fitted apart, {names} would end at a bound, and the runs would be met worse than by this: is "
            "it this GPU and engine?"
        )
    if fit.missing:
        wanted = "; ".join(fit.missing)
        lines.append(f"For more numbers apart, the runs that are fitted need: {wanted}.")
    return "\n".join(lines)


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"


def _shape(point: Point) -> tuple[str, ...]:
    return (
        f"{point.run.path.name}:{point.run.line}",
        f"{point.in_flight.value:.4g} ({point.in_flight.basis})",
        str(point.prompt_tokens),
        str(point.output_tokens),
        f"{point.token.value * 1e3:.4g} ms ({point.token.basis})",
    )
