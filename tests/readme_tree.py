"""The README's tree, made from each file's own first line: `python -m tests.readme_tree --write`."""

import ast
import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("harness", "native", "exporters", "browser_assets")
BEGIN, END = "<!-- tree -->\n```\n", "```\n<!-- /tree -->"
DATA = {
    "package.json": "the page's runtimes and the embedded Chromium, exactly pinned: part of what is measured",
    "attach.html": "the page that an attached device opens: where the run stands, and each Round in a frame",
    "run.html": "the page that every Round opens",
    "tsconfig.json": "types of the page, from JSDoc, checked strictly",
    "backend.json": "what the backend offers, read by the conductor as data",
    "catalogue.json": "the architectures as the pinned transformers knows them; made by `describe --write`",
    "diffusion.json": "parts of diffusers' pipelines: published configs, and the rules that make them tiny",
    "exceptions.json": "what the rules cannot say of one architecture, each with its reason",
    "first_sources.json": "the source files, with their digests, that version 1 of what measures stands for",
    "families.json": "rules that give each architecture its family and tasks; named exceptions, each with its reason",
    "packaged.json": "hub ids whose weights come in a Python package",
    "rules.json": "size attributes and their tiny values",
    "sets.json": "named sets of architectures, each with its reason",
    "sentences.txt": "the real sentences that pretrained text models read",
}
_LONGEST = 110
_LEFT_OUT = ("__init__.py", "package-lock.json", ".npmrc")


def tree() -> str:
    """One line per file, indented by folder, with what the file says of itself."""
    lines: list[str] = []
    seen: set[str] = set()
    for path in _tracked():
        for depth, folder in enumerate(path.parts[:-1]):
            name = "/".join(path.parts[: depth + 1])
            if name not in seen:
                seen.add(name)
                lines.append(_line(depth, f"{folder}/", _first_sentence(ROOT / name / "__init__.py")))
        if path.name not in _LEFT_OUT:
            lines.append(_line(len(path.parts) - 1, path.name, _first_sentence(ROOT / path)))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def readme_tree() -> str:
    """What the README shows."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)]


def _tracked() -> list[Path]:
    said = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *FOLDERS],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    paths = {Path(line) for line in said.stdout.splitlines() if (ROOT / line).is_file()}
    return sorted(paths, key=_as_people_read)


def _as_people_read(path: Path) -> list[tuple[bool, str]]:
    """The files of a folder before its folders."""
    last = len(path.parts) - 1
    return [(depth < last, part) for depth, part in enumerate(path.parts)]


def _line(depth: int, name: str, what: str) -> str:
    return f"{'  ' * depth}{name} ".ljust(36) + what


def _first_sentence(path: Path) -> str:
    """The first sentence of a module's docstring or a file's opening comment; data files cannot say, so DATA does."""
    if path.suffix not in (".py", ".js", ".css", ".sql", ".ts") or not path.is_file():
        return DATA.get(path.name, "")
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        found = ast.get_docstring(ast.parse(text)) or ""
    elif path.suffix == ".sql":
        found = " ".join(line.strip("- ") for line in takewhile(lambda line: line.startswith("--"), text.splitlines()))
    else:
        opening = re.search(r"/\*\*?(.*?)\*/|^// (.*?)$", text, re.S | re.M)
        found = re.sub(r"\n\s*\*", " ", opening.group(1) or opening.group(2)) if opening else ""
    paragraph = " ".join(found.strip().split("\n\n")[0].split())
    sentence = re.split(r"\.(?:\s|$)", paragraph)[0]
    # A long sentence ends where its first part does.
    return sentence if len(sentence) <= _LONGEST else re.split(r"[,;:—](?=\s)", sentence[:_LONGEST])[0]


if __name__ == "__main__":
    if "--write" in sys.argv:
        readme = ROOT / "README.md"
        text = readme.read_text(encoding="utf-8")
        readme.write_text(text.replace(readme_tree(), tree()), encoding="utf-8")
