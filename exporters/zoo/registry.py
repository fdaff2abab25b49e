"""Family, task and class of an architecture, by rules over transformers' registries.

The rules (`families.json`) are tried in order: an architecture belongs to the first family whose Auto class lists
it. A task fits when it wants the family's inputs and one of its Auto classes lists the architecture; the family's
own tasks are preferred, in their order, then the others in the order given. `exceptions.json` wins, with a reason.
"""

from collections.abc import Iterable
from typing import Any

import transformers

from exporters.seam import ExportFailed, ExportUnsupported
from exporters.zoo.build import default_config
from exporters.zoo.data import table
from harness.core.nouns import Task


def describe(tasks: Iterable[Task]) -> dict[str, Any]:
    """The catalogue of the architectures in `architectures.json`.

    `architectures`: name → the fields of `core.nouns.Architecture`; `tasks`: name → every task that fits → its class.
    """
    known = tuple(tasks)
    fits = {name: _fitting(name, known) for name in table("architectures")}
    return {
        "transformers": transformers.__version__,
        "architectures": {name: _entry(name, known, fits[name]) for name in fits},
        "tasks": fits,
    }


def auto_class(task: Task, architecture: str) -> Any:
    """The task's first Auto class that lists the architecture; raises ExportUnsupported when none does."""
    for name in task.auto_classes:
        if _listed(name, architecture):
            return getattr(transformers, name)
    wanted = " or ".join(task.auto_classes) or "no Auto class"
    raise ExportUnsupported(f"transformers lists no {architecture} for {task.name} ({wanted})")


def _listed(auto: str, architecture: str) -> str | None:
    # The Auto classes' tables are public by name only for some of them; this attribute all of them have.
    names = getattr(transformers, auto)._model_mapping._model_mapping.get(architecture)
    return names if isinstance(names, str) or names is None else str(names[0])


def family_of(architecture: str) -> dict[str, Any]:
    """The rule that gives an architecture its family; raises ExportFailed when none does."""
    wanted = table("exceptions").get(architecture, {}).get("family")
    for rule in table("families"):
        if rule["family"] == wanted or (wanted is None and _listed(rule["in"], architecture)):
            return dict(rule)
    raise ExportFailed("no_family", f"no rule gives {architecture} a family")


def _fitting(architecture: str, tasks: tuple[Task, ...]) -> dict[str, str]:
    """Task → class, the preferred task first; raises ExportFailed when no task fits."""
    family = family_of(architecture)
    preferred = list(family["tasks"])
    classes = {}
    for task in sorted(tasks, key=lambda task: [*preferred, task.name].index(task.name)):
        listed = next((name for auto in task.auto_classes if (name := _listed(auto, architecture))), None)
        if list(task.inputs) == family["inputs"] and listed:
            classes[task.name] = listed
    if not classes:
        raise ExportFailed("no_task", f"no task fits {architecture} of family {family['family']}")
    return classes


def _entry(architecture: str, tasks: tuple[Task, ...], classes: dict[str, str]) -> dict[str, Any]:
    name = next(iter(classes))
    task = next(task for task in tasks if task.name == name)
    config = default_config(architecture)
    return {
        "family": family_of(architecture)["family"],
        "task": name,
        "title": type(config).__name__.removesuffix("Config"),
        "built_by": classes[name],
        "parameters": _parameters(auto_class(task, architecture), config),
    }


def _parameters(auto: Any, config: Any) -> int:
    import torch

    with torch.device("meta"):
        model = auto.from_config(config)
    return sum(parameter.numel() for parameter in model.parameters())
