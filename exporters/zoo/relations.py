"""Relations between the sizes of a config, as data: `set` an attribute `to` an expression of others.

An expression has names of attributes, whole numbers, `+ - * //`, `gcd(a, b)` and `min(a, b)`. A relation whose names
the config lacks, or has something other than whole numbers for, says nothing.
"""

import ast
import operator
from collections.abc import Mapping
from math import gcd
from typing import Any

from exporters.zoo.data import table

_OPERATORS: dict[type, Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}
_FUNCTIONS: dict[str, Any] = {"gcd": gcd, "min": min, "max": max}


class _Unknown(Exception):
    """A name that the config has no whole number for."""


def related(values: Mapping[str, Any], names: Mapping[str, str], skip: set[str]) -> dict[str, Any]:
    """What the relations of `tiny.json` change of these values, in order; those of `skip` are set already.

    `names` are a config's other names for its attributes (`attribute_map`).
    """
    changed: dict[str, Any] = {}
    for rule in table("tiny")["relations"]:
        name = names.get(rule["set"], rule["set"])
        now = {**values, **changed}
        if name in skip or (now.get(name) is None) != rule.get("unset", False) or name not in now:
            continue
        try:
            value = evaluate(rule["to"], {key: now.get(names.get(key, key)) for key in names_in(rule["to"])})
        except (_Unknown, ZeroDivisionError):
            continue
        if value != now[name]:
            changed[name] = value
    return changed


def evaluate(expression: str, values: Mapping[str, Any]) -> int:
    """The expression's value; raises `_Unknown` for a name without a whole number."""
    return int(_value(ast.parse(expression, mode="eval").body, values))


def names_in(expression: str) -> set[str]:
    """The names that an expression has."""
    return {node.id for node in ast.walk(ast.parse(expression)) if isinstance(node, ast.Name)}


def _value(node: ast.expr, values: Mapping[str, Any]) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        value = values.get(node.id)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _Unknown(node.id)
        return value
    if isinstance(node, ast.BinOp):
        return int(_OPERATORS[type(node.op)](_value(node.left, values), _value(node.right, values)))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return int(_FUNCTIONS[node.func.id](*(_value(part, values) for part in node.args)))
    raise ValueError(f"no relation: {ast.unparse(node)}")
