"""From a file, a name or a mapping to one frozen `Scenario`, with every fault reported at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from simulator.errors import InfeasiblePlanError, ScenarioError, UnknownNameError
from simulator.frozen import FrozenModel
from simulator.scenario.catalog import SUFFIXES, find, label_of
from simulator.scenario.checks import capacity_of, mistakes_in
from simulator.scenario.components import put_back
from simulator.scenario.document import shown
from simulator.scenario.faults import addressed, faults_of
from simulator.scenario.located import Fault, Keys, Located, Origin, Source, Unreadable, locate, ordered
from simulator.scenario.manifest import Own, components_in, scenario_in, warn_if_changed
from simulator.scenario.overrides import Overrides, Setting, merge, parse_overrides
from simulator.scenario.references import References
from simulator.scenario.schema import Scenario
from simulator.scenario.variants import Bases, variant_documents

Part = TypeVar("Part", bound=FrozenModel)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A scenario and the document it was made from.

    Parameters
    ----------
    scenario : the frozen scenario, variants included.
    document : the document without its variants.
    variants : the complete document of each variant.
    """

    scenario: Scenario
    document: Located
    variants: Mapping[str, Located]


def load_scenario(
    source: str | Path | Mapping[str, object],
    *,
    overrides: Overrides = (),
    components: Sequence[type[FrozenModel]] = (),
) -> Scenario:
    """Return the scenario that `source` describes, complete and checked.

    Parameters
    ----------
    source : the path of a YAML file or of a run's ``manifest.json``, the name of a shipped scenario, or
        a mapping as such a file would hold.
    overrides : ``path.to.key=value`` texts with values in YAML, or a mapping from dotted paths to values;
        None and empty ones change nothing.
    components : classes of the strategies, schedulers and routers that `with_components` had put into the
        run of a manifest.

    Returns
    -------
    Scenario
        Frozen; its variants are complete scenarios.

    Raises
    ------
    ScenarioError
        With every fault found, one line each: ``file:line: path: message``; or if `source` is none of these.
    UnknownNameError
        If `source` is a name of no shipped scenario.
    InfeasiblePlanError
        If a valid plan cannot fit its hardware; shows the sum.

    Examples
    --------
    >>> scenario = load_scenario({
    ...     "schema": 1,
    ...     "hardware": "b200-sxm-8",
    ...     "model": {"preset": "qwen3-8b", "attention": "dense"},
    ...     "workload": {
    ...         "tasks": {"kind": "synthetic", "count": 4, "prompt_tokens": 128},
    ...         "arrivals": "all_at_once",
    ...         "lengths": {"kind": "constant", "tokens": 256},
    ...         "outcomes": {"kind": "fixed", "solve_probability": 0.5},
    ...         "strategy": {"kind": "best_of_n", "trials": 2},
    ...     },
    ... }, overrides=["parallelism.dp=8"])
    >>> scenario.parallelism.dp, scenario.hardware.gpu.name
    (8, 'b200-sxm')
    """
    return resolve(source, overrides=overrides, components=components).scenario


def resolve(
    source: str | Path | Mapping[str, object],
    *,
    overrides: Overrides = (),
    must_fit: bool = True,
    components: Sequence[type[FrozenModel]] = (),
) -> Resolved:
    """Return the scenario that `source` describes and where each of its values was written.

    Parameters and errors are those of `load_scenario`; a plan that does not fit its hardware is refused if
    `must_fit`.
    """
    if isinstance(source, Mapping):
        root = locate(source, Origin(Source("<mapping>", Path())))
        return _load(root, _Loader(References(), None, must_fit=must_fit), overrides, components)
    if not isinstance(source, str | Path):
        message = (
            "the source of a scenario: expected the path of a file, the name of a shipped scenario "
            f"or a mapping, got {shown(source)}"
        )
        raise ScenarioError(message)
    path = path_of(source)
    label = str(source) if path == Path(source) else label_of(path)
    try:
        loader = _Loader(References(exact=False), path, must_fit=must_fit)
        return _load(loader.references.document(path, label), loader, overrides, components)
    except ScenarioError as error:
        if not any(fault.partition(": ")[0].endswith(".json") for fault in error.faults):
            raise
        # The same faults, with lines.
        loader = _Loader(References(exact=True), path, must_fit=must_fit)
        return _load(loader.references.document(path, label), loader, overrides, components)


def vary(document: Located, overrides: Overrides, *, must_fit: bool = True) -> Resolved:
    """Return what a document becomes under changes; as `resolve`, quickly for many changes of one document.

    Parameters
    ----------
    document : what `resolve` has made of a scenario, with all its variants: no name or path in it is left to
        be replaced, so only those of the changes are.
    overrides, must_fit : as for `resolve`, whose errors are raised.
    """
    return _Loader(References(), None, must_fit=must_fit, settled=True).load(document, overrides)


def load_part(path: Path, model: type[Part]) -> Part:
    """Return the `model` (a node, GPU, architecture or another part) that the file `path` describes.

    Raises
    ------
    ScenarioError
        With every fault found.
    """
    references = References()
    found = references.document(path, label_of(path))
    node = references.resolve_root(found, model, path=path)
    faults = list(references.faults)
    if not faults:
        try:
            return model.model_validate(node.plain())
        except ValidationError as error:
            faults = faults_of(error, node, model)
    raise ScenarioError([str(fault) for fault in ordered(faults)])


def _load(
    root: Located, loader: _Loader, overrides: Overrides, components: Sequence[type[FrozenModel]]
) -> Resolved:
    """Return the scenario that `root`, a scenario or the manifest of a run, describes."""
    scenario, faults = scenario_in(root)
    scenario, own, missing = components_in(root, scenario, components)
    loader.references.faults += [*faults, *missing, *_changed_components(own, overrides)]
    resolved = loader.load(scenario, overrides)
    warn_if_changed(root)
    return replace(resolved, scenario=put_back(resolved.scenario, own)) if own else resolved


def _changed_components(own: Own, overrides: Overrides) -> list[Fault]:
    """Return overrides that would change a component of the user's own: nothing is known of its fields."""
    if not own:
        return []
    faults = []
    for setting in parse_overrides(overrides)[0]:
        for keys in own:
            shared = keys[2:] if keys[0] == "variants" else keys
            both = zip(setting.keys, keys, strict=False), zip(setting.keys, shared, strict=False)
            if setting.keys != ("variants",) and any(all(a == b for a, b in pairs) for pairs in both):
                message = "is of your own class; change it in Python, by with_components"
                faults.append(Fault(setting.node.origin, setting.keys, message))
                break
    return faults


def path_of(source: str | Path) -> Path:
    """Return the file that a path, or the name of a shipped scenario, means.

    Raises
    ------
    UnknownNameError
        If `source` is a name of no shipped scenario; says the nearest, or a file that it may be short for.
    """
    path = Path(source)
    text = str(source)
    if path.is_file() or not isinstance(source, str) or text.endswith(SUFFIXES):
        return path
    try:
        return find("scenario", text)
    except UnknownNameError as error:
        what = "a directory" if text and path.is_dir() else "no such file"
        likely = _file_like(text) if text else None
        choices = f"did you mean {likely}?" if likely else str(error).partition("; ")[2]
        message = f"{text or '(empty name)'}: {what} and no shipped scenario; {choices}"
        raise UnknownNameError(message) from error


def _file_like(name: str) -> str | None:
    """Return the file that `name` lacks only the end of: ``mine.yaml``, or a run's ``out/manifest.json``."""
    likely = [*(f"{name}{suffix}" for suffix in SUFFIXES), f"{name.removesuffix('/')}/manifest.json"]
    return next((file for file in likely if Path(file).is_file()), None)


def _origin_of_plan(document: Located, keys: Keys) -> Origin:
    """Return what to name when a plan does not fit: its variant, its last change, or its own line."""
    if keys and document.changed is not None:
        return document.changed
    parts = [node for key in ("parallelism", "model", "hardware") if (node := document.get(key))]
    return next((node.changed for node in parts if node.changed), parts[0].origin)


class _Loader:
    """One document on its way to a scenario; collects faults until all of them are known.

    Parameters
    ----------
    references : what replaces names and paths.
    path : the file of the document, if it has one.
    must_fit : refuse a plan that does not fit its hardware.
    settled : the document has no names and paths left, only changes may.
    """

    def __init__(
        self, references: References, path: Path | None, *, must_fit: bool, settled: bool = False
    ) -> None:
        self.references = references
        self._path = path
        self._must_fit = must_fit
        self._settled = settled
        self._faults: list[Fault] = []
        self._infeasible: list[Fault] = []

    def load(self, root: Located, overrides: Overrides) -> Resolved:
        """Return the scenario that `root` describes; raises as `load_scenario`."""
        if isinstance(root.value, Unreadable):
            self._raise()
        settings, self._faults = parse_overrides(overrides)
        bases = self._bases(root, [setting for setting in settings if setting.keys[0] != "variants"])
        below = [setting for setting in settings if setting.keys[0] == "variants"]
        documents, faults = variant_documents(root.get("variants"), below, bases, self._resolve)
        self._faults += faults
        base = self.references.with_trace(bases.changed, ())
        documents = {
            name: self.references.with_trace(node, ("variants", name)) for name, node in documents.items()
        }
        scenario = self._validated(base, ())
        variants = {name: self._validated(node, ("variants", name)) for name, node in documents.items()}
        if not documents:
            self._check(scenario, base, ())
        for name, variant in variants.items():
            self._check(variant, documents[name], ("variants", name))
        self._raise()
        if scenario is None:
            message = "the scenario is refused, but no fault can be named: please report this file"
            raise ScenarioError(message)
        return Resolved(scenario.model_copy(update={"variants": variants}), base, documents)

    def _bases(self, root: Located, settings: list[Setting]) -> Bases:
        """Return the base, its names and paths replaced, before and after the overrides."""
        table = {key: node for key, node in root.table.items() if key != "variants"}
        written = changed = self._resolve(root.with_table(table), (), None)
        for setting in settings:
            changed = merge(changed, self._resolve(setting.change(), (), changed))
        return Bases(written, settings, changed)

    def _resolve(self, table: Located, keys: Keys, base: Located | None) -> Located:
        if self._settled and base is None:
            return table
        return self.references.resolve_root(table, Scenario, path=self._path, at=keys, base=base)

    def _validated(self, document: Located, keys: Keys) -> Scenario | None:
        try:
            return Scenario.model_validate(document.plain())
        except ValidationError as error:
            self._add(faults_of(error, document, Scenario), keys)
        return None

    def _check(self, scenario: Scenario | None, document: Located, keys: Keys) -> None:
        """Note what cannot be across the parts, and a plan that does not fit."""
        if scenario is None:
            return
        mistakes = mistakes_in(scenario)
        self._add([addressed(text, document, Scenario) for text in mistakes], keys)
        if mistakes or not self._must_fit:
            return
        try:
            capacity_of(scenario)
        except InfeasiblePlanError as error:
            self._infeasible.append(Fault(_origin_of_plan(document, keys), keys, str(error)))

    def _add(self, faults: list[Fault], keys: Keys) -> None:
        """Keep the `faults` of the base, or of the variant that `keys` lead to."""
        self._faults += [replace(fault, path=(*keys, *fault.path)) for fault in faults]

    def _raise(self) -> None:
        """Raise what has been found, if anything."""
        faults = ordered([*self.references.faults, *self._faults])
        infeasible = ordered(self._infeasible)
        if faults:
            raise ScenarioError([str(fault) for fault in [*faults, *infeasible]])
        if infeasible:
            raise InfeasiblePlanError("\n".join(map(str, infeasible)))
