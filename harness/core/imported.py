"""A Run that another program measured: where it came from, and how it is told from those measured here; pure."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from harness.core.nouns import Frozen

# What a file does not say of a name; of a whole number that a Case must have, 0 says it.
UNKNOWN = "unknown"
# Every imported Run's id begins with it, and no other's: those of Runs that were measured begin with their date.
PREFIX = "imported-"


class Imported(Frozen):
    """Where an imported Run came from; kept under `imported` in its machine's description."""

    tool: str
    version: str | None = Field(description="of the tool; null: the file does not say")
    format: str = Field(description="name of the reader in `harness/imports/`")
    files: tuple[str, ...] = Field(description="names, without folders: those are of the machine that imported them")
    sha256: str = Field(description="of the contents of those files, one after the other")
    imported_at: str = Field(description="UTC, ISO 8601")
    measured_at: str | None = Field(description="as the file tells it; null: it does not")
    stated: dict[str, str] = Field(default_factory=dict, description="what the user said and the file does not")

    @property
    def label(self) -> str:
        """`optimum-benchmark 0.6.0`."""
        return self.tool if self.version is None else f"{self.tool} {self.version}"


def is_imported(run_id: str) -> bool:
    """Whether another program measured the Run of this id."""
    return run_id.startswith(PREFIX)


def imported_from(run_id: str, machine: Mapping[str, Any]) -> Imported | None:
    """Where the Run came from; None for one that was measured by this harness."""
    return Imported.model_validate(machine["imported"]) if is_imported(run_id) and "imported" in machine else None


def doubts_of(imported: Imported) -> list[str]:
    """What is to be known of every result of the Run before anything else."""
    found = [f"imported from {imported.label}: not measured by this harness, its answers were not checked here"]
    if imported.measured_at is None:
        found.append(f"when it was measured is not known; it was imported at {imported.imported_at}")
    if imported.stated:
        told = ", ".join(f"{key}={value}" for key, value in sorted(imported.stated.items()))
        found.append(f"stated by whoever imported it, not by the file: {told}")
    return found
