"""Environments of their own: made once and whole, or not at all. The package is one made here; no network."""

import asyncio
import subprocess
import zipfile
from pathlib import Path

import pytest

from harness.core.errors import UserMistake
from harness.export.environments import find, find_or_make, place_of


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """Pins of one tiny package, in a folder of wheels."""
    with zipfile.ZipFile(tmp_path / "lone_leaf-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("lone_leaf.py", "COLOUR = 'green'\n")
        about = "lone_leaf-1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: lone-leaf\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", f"lone_leaf.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")
    path = tmp_path / "leafy.txt"
    path.write_text(f"--no-index\n--find-links {tmp_path}\nlone-leaf==1.0\n", "utf-8")
    return path


def python_says(python: Path, code: str) -> str:
    done = subprocess.run([str(python), "-I", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


async def test_it_has_its_pins_and_nothing_of_the_main_environment(requirements: Path, tmp_path: Path) -> None:
    said: list[str] = []
    python = await find_or_make(requirements, tmp_path / "home", said.append)
    assert python_says(python, "import lone_leaf; print(lone_leaf.COLOUR)") == "green"
    with pytest.raises(subprocess.CalledProcessError):
        python_says(python, "import pydantic")
    assert any("lone" in line for line in said)
    said.clear()
    assert await find_or_make(requirements, tmp_path / "home", said.append) == python and said == []


async def test_other_pins_are_another_environment(requirements: Path, tmp_path: Path) -> None:
    before = place_of(requirements, tmp_path)
    requirements.write_text(requirements.read_text("utf-8").replace("1.0", "2.0"), "utf-8")
    assert place_of(requirements, tmp_path) != before


@pytest.mark.long
async def test_what_cannot_be_installed_leaves_nothing_and_says_what_to_type(
    requirements: Path, tmp_path: Path
) -> None:
    requirements.write_text(requirements.read_text("utf-8").replace("==1.0", "==2.0"), "utf-8")
    with pytest.raises(UserMistake, match=r"lone-leaf==2\.0") as refused:
        await find_or_make(requirements, tmp_path / "home", lambda _: None)
    assert refused.value.code == "environment_not_made" and str(requirements) in str(refused.value.hint)
    assert not place_of(requirements, tmp_path / "home").exists()
    assert find(requirements, tmp_path / "home") is None


@pytest.mark.long
async def test_what_a_killed_run_left_is_no_environment_and_is_made_anew(requirements: Path, tmp_path: Path) -> None:
    place = place_of(requirements, tmp_path / "home")
    (place / "bin").mkdir(parents=True)
    (place / "bin/python").write_text("half of it", "utf-8")
    assert find(requirements, tmp_path / "home") is None
    python = await find_or_make(requirements, tmp_path / "home", lambda _: None)
    assert python_says(python, "import lone_leaf; print(lone_leaf.COLOUR)") == "green"


@pytest.mark.long
async def test_two_at_once_make_it_once(requirements: Path, tmp_path: Path) -> None:
    said: list[str] = []
    both = await asyncio.gather(*(find_or_make(requirements, tmp_path / "home", said.append) for _ in range(2)))
    assert both[0] == both[1]
    assert len([line for line in said if line.startswith("making ")]) == 1
    assert len([line for line in said if "waiting" in line]) == 1
