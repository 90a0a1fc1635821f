"""The wheel holds the code, the catalogs and the licence, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest

PACKAGES = ("simulator", "workloads")
CATALOGS = ("hw_profiles", "scenarios")


def build(target: str, *, source: Path, into: Path) -> Path:
    """Build `target` (wheel or sdist) of the project in `source` and return the file made."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(into)]
    done = subprocess.run(  # noqa: S603 - our own interpreter and fixed words
        command, cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (made,) = into.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the members of a wheel built from the tree."""
    return members(build("wheel", source=root, into=tmp_path_factory.mktemp("wheel")))


def members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_of_a_package_is_in_the_wheel(wheel: dict[str, bytes], root: Path, package: str) -> None:
    expected = {path.relative_to(root).as_posix(): path.read_bytes() for path in files(root / package)}
    assert f"{package}/py.typed" in expected
    assert {name: wheel.get(name) for name in expected} == expected


@pytest.mark.parametrize("catalog", CATALOGS)
def test_every_catalog_file_is_in_the_wheel_as_data(
    wheel: dict[str, bytes], root: Path, catalog: str
) -> None:
    sources = [path for path in files(root / catalog) if path.suffix == ".yaml"]
    assert sources, f"{catalog}/ holds no YAML file"
    expected = {f"simulator/data/{path.relative_to(root).as_posix()}": path.read_bytes() for path in sources}
    assert {name: wheel.get(name) for name in expected} == expected


def test_every_model_preset_is_in_the_wheel(wheel: dict[str, bytes], root: Path) -> None:
    presets = files(root / "simulator" / "model" / "presets")
    assert presets
    assert {path.relative_to(root).as_posix() for path in presets} <= set(wheel)


def test_the_wheel_holds_the_two_packages_and_its_metadata_only(wheel: dict[str, bytes]) -> None:
    tops = {PurePosixPath(name).parts[0] for name in wheel}
    (metadata,) = {top for top in tops if top.endswith(".dist-info")}
    assert tops == {*PACKAGES, metadata}


def test_the_wheel_carries_licence_and_command(wheel: dict[str, bytes], root: Path) -> None:
    (licence,) = (name for name in wheel if name.endswith("dist-info/licenses/LICENSE"))
    (entry_points,) = (name for name in wheel if name.endswith("entry_points.txt"))
    assert wheel[licence] == (root / "LICENSE").read_bytes()
    assert "kinesim = simulator.cli:main" in wheel[entry_points].decode()


def test_the_wheel_requires_what_the_project_declares(wheel: dict[str, bytes], root: Path) -> None:
    declared = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (metadata,) = (name for name in wheel if name.endswith("dist-info/METADATA"))
    lines = wheel[metadata].decode().splitlines()
    required = [line for line in lines if line.startswith("Requires-Dist: ") and "extra ==" not in line]
    assert len(required) == len(declared["dependencies"])
    assert f"Version: {declared['version']}" in lines


def test_a_wheel_built_from_the_source_archive_holds_the_same_files(
    wheel: dict[str, bytes], root: Path, tmp_path: Path
) -> None:
    sdist = build("sdist", source=root, into=tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "tree", filter="data")
    (tree,) = (tmp_path / "tree").iterdir()
    rebuilt = members(build("wheel", source=tree, into=tmp_path / "wheel"))
    assert sorted(rebuilt) == sorted(wheel)
