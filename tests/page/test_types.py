"""The page's types come from the one declaration, and its packages are pinned."""

import json

from tests.page.conductor import PAGE_ROOT
from tests.page.generate_types import TARGET, generate


def test_the_types_are_not_stale() -> None:
    hint = "refresh with: python -m tests.page.generate_types --write"
    assert TARGET.read_text(encoding="utf-8") == generate(), hint


def test_the_packages_are_pinned_and_the_lock_file_names_no_place() -> None:
    package = json.loads((PAGE_ROOT / "package.json").read_text())
    lock = json.loads((PAGE_ROOT / "package-lock.json").read_text())["packages"]
    for name, version in {**package["dependencies"], **package["devDependencies"]}.items():
        assert lock[f"node_modules/{name}"]["version"] == version
    assert not [name for name, entry in lock.items() if "resolved" in entry]
    assert all("integrity" in entry for name, entry in lock.items() if name)


def test_every_backend_has_the_name_of_its_folder() -> None:
    folders = [path for path in (PAGE_ROOT / "backends").iterdir() if path.is_dir()]
    assert len(folders) >= 2
    for folder in folders:
        assert json.loads((folder / "backend.json").read_text())["name"] == folder.name
        assert (folder / "backend.js").is_file()
