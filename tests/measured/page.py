"""Figures of docs/measured-servers.md, so that the tests hold the page to what they compute."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "measured-servers.md"
NUMBER = re.compile(r"[+-]?\d+(?:,\d{3})*(?:\.\d+)?")


def text() -> str:
    """Return the page on one line, with single blanks."""
    return " ".join(PAGE.read_text(encoding="utf-8").split())


def cells(title: str, *, under: str) -> list[list[float]]:
    """Return the numbers in each cell of the row of a table that begins with `title`, `under` a heading."""
    _, part = PAGE.read_text(encoding="utf-8").split(f"## {under}\n")
    lines = part.split("\n## ")[0].splitlines()
    (row,) = [line for line in lines if line.startswith(f"| {title} |")]
    return [numbers(cell) for cell in row.split("|")[2:-1]]


def figures(pattern: str) -> list[float]:
    """Return the numbers in the groups of the one place of the page that matches `pattern`."""
    (found,) = re.finditer(pattern, text())
    return [number for group in found.groups() for number in numbers(group)]


def numbers(words: str) -> list[float]:
    """Return the numbers in some words."""
    return [float(number.replace(",", "")) for number in NUMBER.findall(words)]


def to_the_digit(told: float, unit: float) -> object:
    """Return what equals `told` when rounded to `unit`, and what lies a little beyond, over other machines.

    Parameters
    ----------
    told : a figure of the page.
    unit : of its last digit.
    """
    return pytest.approx(told, abs=0.6 * unit)
