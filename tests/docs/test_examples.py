"""Every example on a page is run as its reader would run it.

The rules for writers are in CONTRIBUTING.md under "Docs".
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
BESIDE = ("scenarios", "hw_profiles", "examples")
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<body>.*?)^(?P=indent)```\s*?$", re.MULTILINE | re.DOTALL
)
OURS = re.compile(r"(kinesim|python -m simulator|python examples/\S+)(\s|$)")
SHOWN = re.compile(r"make demo(\s|$)")  # where a page shows what it prints; .ci/run runs it by itself
EXITS = re.compile(r"#\s*exits (\d+)\s*$")
FILE = re.compile(r"# file: (\S+)\n")
TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: where its text starts, its language and its text."""

    page: str
    line: int
    language: str
    body: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command as a reader types it, and what the page says it prints (None: it does not say)."""

    text: str
    shown: str | None

    @property
    def exit_code(self) -> int:
        found = EXITS.search(self.text)
        return int(found[1]) if found else 0

    @property
    def is_ours(self) -> bool:
        is_shown = self.shown is not None and SHOWN.match(self.text) is not None
        return is_shown or OURS.match(self.text) is not None


def blocks_of(text: str, page: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(text):
        width = len(match["indent"])
        body = "".join(
            line[width:] if line.strip() else line for line in match["body"].splitlines(keepends=True)
        )
        found.append(Block(page, text.count("\n", 0, match.start("body")) + 1, match["language"], body))
    return found


def commands_of(block: Block) -> Iterator[Command]:
    """Yield the commands of a ``bash`` or ``console`` block."""
    body = block.body.replace("\\\n", "")
    if block.language == "bash":
        yield from (Command(plain(line), None) for line in body.splitlines() if line.strip())
        return
    before, *parts = re.split(r"^\$ ", body, flags=re.MULTILINE)
    assert not before, f"{block.where}: a console block starts with '$ ' and a command"
    for part in parts:
        text, _, shown = part.partition("\n")
        yield Command(plain(text), shown)


def plain(line: str) -> str:
    """Return a command without the folder of the environment it is run from."""
    return line.strip().removeprefix(".venv/bin/")


def shell_form(command: Command) -> str:
    """Return what a shell runs; ``make demo`` stands for its recipe, without making an environment."""
    recipe = re.search(
        r"^demo:.*\n\t@?\$\(BIN\)/(.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert recipe, "the Makefile has no demo recipe"
    return re.sub(r"^make demo\b", lambda _: recipe[1], command.text)


def run_command(command: Command, folder: Path, where: str) -> None:
    """Run `command` in `folder`; fail if it exits otherwise, or prints otherwise, than the page says."""
    environment = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES", "FORCE_COLOR"}}
    environment["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), environment["PATH"]))
    environment["PYTHONUNBUFFERED"] = "1"  # the order of the two outputs is that of a terminal
    done = subprocess.run(  # noqa: S603 - the commands of our own pages
        ["/usr/bin/env", "bash", "-c", shell_form(command)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != command.exit_code:
        pytest.fail(f"{where}: `{command.text}` exits {done.returncode}, prints\n{done.stdout}")
    if command.shown is None:
        return
    shown, printed = tidy(command.shown), tidy(done.stdout)
    if not doctest.OutputChecker().check_output(shown, printed, doctest.ELLIPSIS):
        pytest.fail(f"{where}: `{command.text}` is shown to print\n{shown}\nbut prints\n{printed}")


def tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n") + "\n"


def run_python(block: Block, namespace: dict[str, object]) -> None:
    """Run a ``python`` block, as a dialogue if it has prompts, in the page's `namespace`."""
    if not re.search(r"^>>> ", block.body, re.MULTILINE):
        shifted = "\n" * (block.line - 1) + block.body  # a traceback then names the page's own line
        exec(compile(shifted, block.page, "exec"), namespace)  # noqa: S102 - the examples of our own pages
        return
    dialogue = doctest.DocTestParser().get_doctest(
        block.body, namespace, block.where, block.page, block.line - 1
    )
    report: list[str] = []
    failures = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(
        dialogue, out=report.append, clear_globs=False
    )
    namespace.update(dialogue.globs)
    if failures.failed:
        pytest.fail("".join(report))


def run_block(block: Block, folder: Path, namespace: dict[str, object]) -> None:
    named = FILE.match(block.body)
    if named:
        # A comment at the top does no harm to YAML; other formats have none.
        text = block.body if named[1].endswith(".yaml") else block.body.partition("\n")[2]
        (folder / named[1]).write_text(text, encoding="utf-8")
    elif block.language == "python":
        run_python(block, namespace)
    elif block.language in {"bash", "console"}:
        for command in commands_of(block):
            if command.is_ours:
                run_command(command, folder, block.where)


def pages() -> dict[str, list[Block]]:
    """Return the blocks of every page that has any."""
    paths = [
        *ROOT.glob("*.md"),
        *(path for name in ("docs", *BESIDE) for path in (ROOT / name).rglob("*.md")),
    ]
    found = {
        name: blocks_of(path.read_text(encoding="utf-8"), name)
        for path in sorted(paths)
        if (name := path.relative_to(ROOT).as_posix())
    }
    return {name: blocks for name, blocks in found.items() if blocks}


PAGES = pages()


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_do_what_it_shows(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in BESIDE:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    module = ModuleType("page")  # classes defined on a page resolve their annotations in its namespace
    monkeypatch.setitem(sys.modules, "page", module)
    monkeypatch.chdir(tmp_path)
    for block in PAGES[page]:
        run_block(block, tmp_path, module.__dict__)


def test_the_readme_has_examples() -> None:
    assert any(command.is_ours for block in PAGES["README.md"] for command in console_commands(block))


def console_commands(block: Block) -> Iterator[Command]:
    return commands_of(block) if block.language == "console" else iter(())


SAMPLE = """\
Text.

```python
x = 1
```

1. A list.

   ```console
   $ kinesim a \\
       --b  # exits 2
   one
     two
   $ git clone x
   ```

```bash
make test
.venv/bin/kinesim c
```
"""


def test_blocks_know_their_line_and_lose_their_indent() -> None:
    first, second, _ = blocks_of(SAMPLE, "p.md")
    assert (first.where, first.language, first.body) == ("p.md:4", "python", "x = 1\n")
    assert second.where == "p.md:10"
    assert second.body.startswith("$ kinesim a")


def test_a_console_block_splits_into_commands_and_what_they_print() -> None:
    ours, other = commands_of(blocks_of(SAMPLE, "p.md")[1])
    assert (ours.shown, ours.exit_code, ours.is_ours) == ("one\n  two\n", 2, True)
    assert (other.text, other.is_ours) == ("git clone x", False)


def test_a_bash_block_runs_our_commands_only() -> None:
    commands = list(commands_of(blocks_of(SAMPLE, "p.md")[2]))
    assert [(command.text, command.is_ours) for command in commands] == [
        ("make test", False),
        ("kinesim c", True),
    ]


def test_make_demo_is_run_where_its_output_is_shown() -> None:
    assert [Command("make demo", shown).is_ours for shown in ("...\n", None)] == [True, False]


def test_make_demo_stands_for_its_recipe() -> None:
    assert shell_form(Command("make demo", None)) == "kinesim run scenarios/quickstart.yaml"


def test_shown_output_may_leave_out_parts(tmp_path: Path) -> None:
    run_command(Command("printf 'a  \\nb\\nc\\n' >&2", "a\n...\nc\n"), tmp_path, "p.md:1")


def test_other_output_than_shown_fails(tmp_path: Path) -> None:
    with pytest.raises(
        pytest.fail.Exception, match=r"p\.md:1: `echo b` is shown to print\na\n\nbut prints\nb"
    ):
        run_command(Command("echo b", "a\n"), tmp_path, "p.md:1")


def test_another_exit_code_than_said_fails(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"p\.md:1: `true # exits 3` exits 0"):
        run_command(Command("true # exits 3", None), tmp_path, "p.md:1")


def test_a_failing_python_block_names_the_line_of_its_page() -> None:
    namespace: dict[str, object] = {}
    with pytest.raises(ZeroDivisionError) as raised:
        run_python(Block("p.md", 7, "python", "x = 1\nx / 0\n"), namespace)
    assert str(raised.traceback[-1].path).endswith("p.md")
    assert raised.traceback[-1].lineno + 1 == 8


def test_a_dialogue_sees_earlier_blocks_and_checks_what_it_shows() -> None:
    namespace: dict[str, object] = {"x": 1}
    run_python(Block("p.md", 1, "python", ">>> y = x + 1\n>>> y\n2\n"), namespace)
    assert namespace["y"] == 2
    with pytest.raises(pytest.fail.Exception, match="Expected"):
        run_python(Block("p.md", 1, "python", ">>> x\n5\n"), namespace)


def test_a_block_that_names_a_file_becomes_that_file(tmp_path: Path) -> None:
    run_block(Block("p.md", 1, "yaml", "# file: a.yaml\nseed: 1\n"), tmp_path, {})
    assert (tmp_path / "a.yaml").read_text(encoding="utf-8") == "# file: a.yaml\nseed: 1\n"
