"""Coverage, pass@k: the share of tasks that at least one of k trials solves."""

from __future__ import annotations


def pass_at_k(trials: int, correct: int, k: int) -> float:
    """Return the unbiased estimate of pass@k of one task.

    ``1 - C(n - c, k) / C(n, k)``, the share of the k-subsets of n trials that hold a correct one
    (Chen et al., arXiv 2107.03374, Eq. 1; Brown et al., arXiv 2407.21787), as a product that
    neither overflows nor cancels.

    Parameters
    ----------
    trials : trials made of the task (n), at least `k`.
    correct : how many of them were correct (c).
    k : trials that are spent, at least 1.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If not ``1 <= k <= trials`` or not ``0 <= correct <= trials``.

    Examples
    --------
    >>> pass_at_k(4, 1, 2)
    0.5
    """
    if not 1 <= k <= trials:
        msg = f"pass@k needs 1 <= k <= trials, got k = {k} of {trials} trials"
        raise ValueError(msg)
    if not 0 <= correct <= trials:
        msg = f"{correct} correct of {trials} trials"
        raise ValueError(msg)
    missed = 1.0
    for drawn in range(k):
        missed *= max(0, trials - correct - drawn) / (trials - drawn)
    return 1.0 - missed
