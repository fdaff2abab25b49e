"""Every architecture that transformers registers: its family, tasks and classes, by rules over the registries; and the
parts of diffusers' pipelines, from their own table (`diffusion.py`).

The rules are data (`families.json`, which says how they are read): modalities come from the parameters of forward,
families from modalities and from which Auto classes list an architecture, tasks from the family. Nothing is asked of
the hub, and nothing is built but to count parameters (`counting.py`).
"""

import importlib
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import transformers
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from exporters.seam import ExportFailed, ExportUnsupported
from exporters.zoo import diffusion
from exporters.zoo.data import table
from harness.core.nouns import Task

# What is listed here alone is a part that others load, not a model that anybody runs.
_PARTS = "MODEL_FOR_BACKBONE_MAPPING_NAMES"


@dataclass(frozen=True)
class Taken:
    """What the forward of a class takes; `reason` says why the class cannot be looked at here."""

    names: frozenset[str]
    modalities: tuple[str, ...]
    main_input: str | None = None
    generates: bool = False
    reason: str | None = None


def describe(tasks: Iterable[Task]) -> dict[str, Any]:
    """The catalogue, parameters counted: minutes. See `classified` for what it holds."""
    # It forks and limits processes, which not every system that exports has.
    from exporters.zoo.counting import count_all

    catalogue = classified(tasks)
    classes = {name: entry["built_by"] for name, entry in catalogue["architectures"].items()}
    for name, counted in count_all(classes).items():
        entry = catalogue["architectures"][name]
        entry["parameters"] = counted["parameters"]
        if counted["reason"]:
            entry["reason"] = counted["reason"]
    return catalogue


def classified(tasks: Iterable[Task]) -> dict[str, Any]:
    """The catalogue without parameters: seconds, nothing is built.

    `architectures`: name → the fields of `core.plugins.Architecture`; `tasks`: name → every task that fits → its class.
    Raises ExportFailed where no rule gives a family, or no task fits.
    """
    known = tuple(tasks)
    fits = {name: fitting(name, known) for name in registered()}
    parts = diffusion.describe()
    return {
        "transformers": transformers.__version__,
        "diffusers": version("diffusers"),
        "architectures": {name: _entry(name, classes) for name, classes in fits.items()} | parts,
        "tasks": fits | {name: {entry["task"]: entry["built_by"]} for name, entry in parts.items()},
    }


@cache
def registered() -> tuple[str, ...]:
    """The names of all architectures: with a base model, or listed for a task; sorted."""
    names = set(modeling_auto.MODEL_MAPPING_NAMES)
    for attribute in dir(modeling_auto):
        if attribute.startswith("MODEL_FOR_") and attribute.endswith("_MAPPING_NAMES") and attribute != _PARTS:
            names |= getattr(modeling_auto, attribute).keys()
    return tuple(sorted(names))


def auto_class(task: Task, architecture: str) -> Any:
    """The task's first Auto class that lists the architecture; raises ExportUnsupported when none does."""
    for name in task.auto_classes:
        if _listed(name, architecture):
            return getattr(transformers, name)
    wanted = " or ".join(task.auto_classes) or "no Auto class"
    raise ExportUnsupported(f"transformers lists no {architecture} for {task.name} ({wanted})")


def family_of(architecture: str) -> dict[str, Any]:
    """The rule that gives an architecture its family; raises ExportFailed when none does."""
    exception = _exception(architecture)
    if "family" in exception:
        return dict(exception)
    base = taken(base_class(architecture), architecture)
    for rule in table("families")["rules"]:
        if _holds(rule, architecture, base):
            return dict(rule)
    raise ExportFailed("no_family", f"no rule of families.json gives {architecture} a family: it takes {base.names}")


def fitting(architecture: str, tasks: tuple[Task, ...]) -> dict[str, str]:
    """Task → class, the preferred task first; raises ExportFailed when no task fits."""
    family = family_of(architecture)["family"]
    preferred = [_exception(architecture).get("task"), *table("families")["tasks"][family]]
    classes = {}
    for name in dict.fromkeys(filter(None, preferred)):
        task = _task(tasks, name)
        listed = next((found for auto in task.auto_classes if (found := _listed(auto, architecture))), None)
        if listed and _fits(task, taken(listed, architecture), architecture):
            classes[name] = listed
    if not classes:
        raise ExportFailed("no_task", f"no task of families.json fits {architecture} of family {family}")
    return classes


def base_class(architecture: str) -> str:
    """The class without a head, else the first that any task gives."""
    found = (_first(getattr(modeling_auto, name).get(architecture)) for name in _mappings())
    return next(name for name in found if name)


def class_named(name: str, architecture: str) -> Any:
    """The class that a registry names for an architecture; raises AttributeError where transformers has none so named.

    Some are registered though transformers does not offer them by name: those are in the module of the modelling code.
    """
    try:
        return getattr(transformers, name)
    except AttributeError:
        modelling = CONFIG_MAPPING[architecture].__module__.replace(".configuration_", ".modeling_")
        found = getattr(importlib.import_module(modelling), name, None)
        if found is None:
            raise
        return found


def made_from(auto: Any, config: Any, **options: Any) -> Any:
    """The model that an Auto class makes of a config, or the class that it lists for it where it does not find that.

    It looks classes up by the config's class, which some architectures share, and only among the names on offer.
    """
    name = _listed(auto.__name__, config.model_type)
    if name is None or hasattr(config, "auto_map"):
        return auto.from_config(config, **options)
    found = auto._model_mapping._reverse_config_mapping.get(type(config).__name__)
    if found in auto._model_mapping._model_mapping and hasattr(transformers, name):
        return auto.from_config(config, **options)
    return class_named(name, config.model_type)._from_config(config, **options)


@cache
def taken(name: str, architecture: str) -> Taken:
    """What the class of that name takes, for this architecture's config."""
    told = _exception(architecture).get("modalities")
    try:
        cls = class_named(name, architecture)
        names = frozenset(inspect.signature(cls.forward).parameters)
    # An absent package: transformers puts a class there that raises ImportError at any touch; or there is no class.
    except (ImportError, AttributeError) as error:
        return Taken(frozenset(), tuple(told or ()), reason=" ".join(str(error).split())[:200])
    main = cls.main_input_name if isinstance(cls.main_input_name, str) else cls.main_input_name[0]
    return Taken(names, tuple(told or _modalities(cls, names, architecture)), main, bool(cls.can_generate()))


def _modalities(cls: Any, names: frozenset[str], architecture: str) -> list[str]:
    """In the order of `inputs` in families.json."""
    rules = table("families")
    own = cls.input_modalities
    own = [own] if isinstance(own, str) else list(own)
    found = list(dict.fromkeys(kind for name, kind in rules["inputs"].items() if name in names))
    if not found:
        return own
    frames = "video" in own and "image" not in own
    if "image" in found and "video" not in found and (frames or _counts_frames(architecture)):
        found = ["video" if kind == "image" else kind for kind in found]
    return found


@cache
def _counts_frames(architecture: str) -> bool:
    config = CONFIG_MAPPING[architecture]
    parts = [config, *(part for part in config.sub_configs.values() if isinstance(part, type))]
    return any(
        name in getattr(part, "__dataclass_fields__", {}) or name in inspect.signature(part.__init__).parameters
        for part in parts
        for name in table("families")["frames"]
    )


def _holds(rule: dict[str, Any], architecture: str, base: Taken) -> bool:
    kinds = set(base.modalities)
    return (
        kinds.issuperset(rule.get("all_of", ()))
        and ("any_of" not in rule or not kinds.isdisjoint(rule["any_of"]))
        and kinds.isdisjoint(rule.get("none_of", ()))
        and ("in" not in rule or any(_listed(auto, architecture) for auto in rule["in"]))
        and ("takes" not in rule or not base.names.isdisjoint(rule["takes"]))
    )


def _fits(task: Task, takes: Taken, architecture: str) -> bool:
    rules = table("families")
    if not set(rules["needs"].get(task.name, ())) <= set(takes.modalities):
        return False
    if task.inputs == ("forward",):
        return True
    roles = [rules["roles"][role] for role in task.inputs]
    given = {kind for role in roles for kind in role.get("modalities", ())}
    names = {name for role in roles for name in role["takes"]}
    wanted = [choice for role in roles for choice in role.get("config", ())]
    return given == set(takes.modalities) and names <= takes.names and _config_has(architecture, wanted)


def _config_has(architecture: str, wanted: list[list[str]]) -> bool:
    if not wanted:
        return True
    config = CONFIG_MAPPING[architecture]()
    return all(any(hasattr(config, name) for name in choice) for choice in wanted)


def _entry(architecture: str, classes: dict[str, str]) -> dict[str, Any]:
    task, built_by = next(iter(classes.items()))
    base, chosen = taken(base_class(architecture), architecture), taken(built_by, architecture)
    entry = {
        "family": family_of(architecture)["family"],
        "task": task,
        "title": CONFIG_MAPPING[architecture].__name__.removesuffix("Config"),
        "built_by": built_by,
        "parameters": None,
        "main_input": chosen.main_input,
        "modalities": list(base.modalities),
        "generates": chosen.generates,
    }
    return entry if chosen.reason is None else {**entry, "reason": chosen.reason}


def _mappings() -> Iterator[str]:
    yield "MODEL_MAPPING_NAMES"
    for name in dir(modeling_auto):
        if name.startswith("MODEL_FOR_") and name.endswith("_MAPPING_NAMES") and name != _PARTS:
            yield name


def _task(tasks: tuple[Task, ...], name: str) -> Task:
    return next(task for task in tasks if task.name == name)


def _exception(architecture: str) -> dict[str, Any]:
    return dict(table("families")["exceptions"].get(architecture, {}))


def _first(names: Any) -> str | None:
    """Some are listed with several classes, the first being the default."""
    return names if isinstance(names, str) or names is None else str(names[0])


def _listed(auto: str, architecture: str) -> str | None:
    # The Auto classes' tables are public by name only for some of them; this attribute all of them have.
    return _first(getattr(transformers, auto)._model_mapping._model_mapping.get(architecture))
