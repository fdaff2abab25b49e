"""The documentation is tested: every verb and flag stands in the README and in --help, the tree is the tree."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from harness.cli import harness
from tests.readme_tree import readme_tree, tree

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def verbs() -> dict[str, click.Command]:
    """Every verb by what is typed: `run`, `db rebuild`."""
    found: dict[str, click.Command] = {}
    context = click.Context(harness)
    for name in harness.list_commands(context):
        command = harness.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= {f"{name} {sub}": each for sub, each in command.commands.items()}
        else:
            found[name] = command
    return found


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_is_in_the_readme_and_has_help(verb: str) -> None:
    assert re.search(rf"^harness {verb}\b", README, re.M)
    said = CliRunner().invoke(harness, [*verb.split(), "--help"])
    assert said.exit_code == 0
    assert verbs()[verb].help


@pytest.mark.parametrize("verb", verbs())
def test_every_flag_is_in_the_readme_and_has_help(verb: str) -> None:
    for parameter in verbs()[verb].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert parameter.opts[0] in README, parameter.opts[0]


def test_the_readme_names_no_verb_that_is_not_there() -> None:
    named = set(re.findall(r"^harness ((?:(?:db|baseline) )?[a-z]+)", README, re.M))
    assert named == set(verbs())


def test_the_readmes_tree_is_the_tree() -> None:
    assert readme_tree() == tree(), "run: python -m tests.readme_tree --write"


def test_every_file_in_the_tree_says_what_it_is() -> None:
    silent = [line for line in tree().splitlines() if re.search(r"^ *[\w.]+\.(py|js|sql)\s*$", line)]
    assert not silent


def test_the_two_commands_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test", "setup", "check", "bench"):
        assert re.search(rf"^{target}:", makefile, re.M)
    assert "make test" in (ROOT / ".ci" / "run").read_text()
