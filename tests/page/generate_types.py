"""`browser_assets/protocol.d.ts`: the page's types, made from the one declaration of the messages.

Refresh it with `python -m tests.page.generate_types --write`.
"""

import sys
from pathlib import Path
from typing import Any, Union

from pydantic import TypeAdapter

from harness.core.events import Ack, CaseMessage, Event, Probe, Stop
from harness.core.plugins import Backend
from harness.core.visits import LobbyDown, Visitor

TARGET = Path(__file__).parents[2] / "browser_assets" / "protocol.d.ts"
_HEADING = """\
// Made by `python -m tests.page.generate_types --write` from harness/core. Do not edit.
// Every field is required: a receiver always gets it, and a sender must say it.
"""
_PLAIN = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"}


def generate() -> str:
    """The whole file, without writing it."""
    roots: dict[str, Any] = {
        "Up": Event, "Down": Union[CaseMessage, Probe, Ack, Stop], "Backend": Backend,
        "Visitor": Visitor, "LobbyDown": LobbyDown,
    }  # fmt: skip
    definitions: dict[str, dict[str, Any]] = {}
    aliases = []
    for name, root in roots.items():
        adapter: TypeAdapter[Any] = TypeAdapter(root)
        schema = adapter.json_schema(mode="serialization")
        definitions |= schema.pop("$defs", {})
        if "properties" in schema:
            definitions[name] = schema
        else:
            aliases.append(f"export type {name} = {_type(schema)};")
    interfaces = [_interface(name, definitions[name]) for name in sorted(definitions)]
    return "\n".join([_HEADING, *interfaces, *aliases, ""])


def _interface(name: str, schema: dict[str, Any]) -> str:
    lines = [f"export interface {name} {{"]
    for field, declared in schema["properties"].items():
        if "description" in declared:
            lines.append(f"  /** {declared['description']} */")
        lines.append(f"  {field}: {_type(declared)};")
    return "\n".join([*lines, "}", ""])


def _type(schema: dict[str, Any]) -> str:
    """The TypeScript of one JSON Schema; raises KeyError on a shape that no message uses yet."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "const" in schema:
        return f"'{schema['const']}'"
    if "enum" in schema:
        return " | ".join(f"'{value}'" for value in schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " | ".join(_type(choice) for choice in schema[key])
    if not schema.keys() - {"title", "description", "default"}:
        return "unknown"
    if schema["type"] == "array":
        return f"Array<{_type(schema['items'])}>"
    if schema["type"] == "object":
        values = schema.get("additionalProperties", True)
        return f"Record<string, {'unknown' if values is True else _type(values)}>"
    return _PLAIN[schema["type"]]


if __name__ == "__main__":
    if "--write" in sys.argv:
        TARGET.write_text(generate(), encoding="utf-8")
    else:
        sys.stdout.write(generate())
