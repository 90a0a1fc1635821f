"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40

# Put together from halves, or this file would break the rule it checks.
REGISTRY_HOSTS = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "deb.deb" + "ian.org",
    "crates" + ".io",
    "proxy.go" + "lang.org",
)
PRIVATE_PATH = re.compile(r"(?<![\w.)}*-])/wo" + r"rk(?![\w-])")
BARE_EXCEPTION = re.compile(r"# (noqa|type: ignore|pragma: no cover)(?P<tail>[^\n]*)")
REASON = re.compile(r"(\[[\w, -]+\]|: [A-Z]+\d+(, ?[A-Z]+\d+)*)?\s*(#|-|:)\s*\w.{8,}")


@pytest.fixture(scope="module")
def texts(root: Path) -> dict[str, str]:
    """Return the text of every file that is tracked or about to be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if not (root / ".git").exists():
        pytest.skip("not a git checkout, so there is no list of tracked files")
    listed = subprocess.run(  # noqa: S603 - fixed words
        command, cwd=root, capture_output=True, text=True, check=True
    )
    paths = [root / name for name in listed.stdout.split("\0") if name]
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8", errors="replace")
        for path in paths
        if path.is_file()
    }


@pytest.fixture(scope="module")
def shipped(root: Path) -> dict[str, str]:
    """Return the source of every shipped module."""
    modules = [
        path for package in ("simulator", "workloads") for path in sorted((root / package).rglob("*.py"))
    ]
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in modules}


def hits(texts: dict[str, str], pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_file_names_a_registry_host(texts: dict[str, str]) -> None:
    assert hits(texts, re.compile("|".join(map(re.escape, REGISTRY_HOSTS)))) == []


def test_no_file_names_a_path_of_one_machine(texts: dict[str, str]) -> None:
    assert hits(texts, PRIVATE_PATH) == []


@pytest.mark.parametrize("line", ["cd /wo" + "rk/x", 'open("/wo' + 'rk")'])
def test_the_path_pattern_finds_a_path_of_one_machine(line: str) -> None:
    assert PRIVATE_PATH.search(line)


@pytest.mark.parametrize(
    "line", ["a/work", "/wo" + "rkloads", "frame/wo" + "rk/x", "work/x", "/wo" + "rk-queue"]
)
def test_the_path_pattern_leaves_other_words_alone(line: str) -> None:
    assert not PRIVATE_PATH.search(line)


def test_every_exception_to_a_rule_has_a_reason(texts: dict[str, str]) -> None:
    python = {name: text for name, text in texts.items() if name.endswith(".py")}
    bare = [
        f"{name}:{number}: {line.strip()}"
        for name, text in python.items()
        if name != "tests/packaging/test_house_rules.py"
        for number, line in enumerate(text.splitlines(), start=1)
        if (found := BARE_EXCEPTION.search(line)) and not REASON.fullmatch(found["tail"].rstrip())
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("tail", "is_reasoned"),
    [
        (": S603 - our own interpreter", True),
        (": N818, S101 - the field's word", True),
        ("[attr-defined]  # the stubs lack it", True),
        (" - only reached on Windows", True),
        (": S603", False),
        ("[attr-defined]", False),
        ("", False),
    ],
)
def test_the_reason_pattern_tells_a_reason_from_none(tail: str, *, is_reasoned: bool) -> None:
    assert bool(REASON.fullmatch(tail)) is is_reasoned


def test_every_ignored_lint_rule_has_a_reason(root: Path) -> None:
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    lint = text.partition("[tool.ruff.lint]")[2].partition("[tool.ruff.lint.mccabe]")[0]
    ignored = re.findall(r'^ +"([A-Z]+\d*)",(.*)$', lint, flags=re.MULTILINE)
    assert len(ignored) > 5
    assert [rule for rule, tail in ignored if not re.fullmatch(r" +# \w.{6,}", tail)] == []


def test_no_module_is_longer_than_the_limit(shipped: dict[str, str]) -> None:
    lengths = {name: len(text.splitlines()) for name, text in shipped.items()}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Yield the name of each function and its lines without its docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            is_documented = ast.get_docstring(node) is not None
            docstring = (first.end_lineno or 0) - first.lineno + 1 if is_documented else 0
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - docstring


def test_function_lengths_leave_the_docstring_out() -> None:
    assert list(functions('def f():\n    """Say.\n\n    More.\n    """\n    return 1\n')) == [("f", 2)]


def test_no_function_is_longer_than_the_limit(shipped: dict[str, str]) -> None:
    long = [
        f"{name}: {function} has {lines} lines"
        for name, source in shipped.items()
        for function, lines in functions(source)
        if lines > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_shipped_code_has_no_assert(shipped: dict[str, str]) -> None:
    asserts = [
        f"{name}:{node.lineno}"
        for name, source in shipped.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assert)
    ]
    assert asserts == []


def test_every_module_says_what_it_is_for(shipped: dict[str, str]) -> None:
    assert [name for name, source in shipped.items() if not ast.get_docstring(ast.parse(source))] == []


def test_no_module_has_a_name_that_says_nothing(shipped: dict[str, str]) -> None:
    empty = {"utils", "common", "helpers", "types", "managers", "misc"}
    words = {name: set(re.split(r"[/.]", name)) for name in shipped}
    assert [name for name, parts in words.items() if parts & empty or "/base_" in name] == []
