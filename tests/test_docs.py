"""The pages say what the code does."""

import ast
import re
import runpy
from importlib import import_module
from pathlib import Path

import pytest

from keyweave.cli.main import COMMANDS

ROOT = Path(__file__).parent.parent
DERIVED = runpy.run_path(str(ROOT / "docs" / "make_tables.py"))["derived"]()


@pytest.mark.parametrize("path", DERIVED, ids=lambda path: path.name)
def test_tables_and_schemas_are_those_of_the_code(path: Path):
    assert path.read_text() == DERIVED[path], "run `make tables`"


def test_every_command_is_on_the_first_page():
    page = (ROOT / "docs" / "index.md").read_text()
    assert all(f"`keyweave {name}`" in page for name in COMMANDS)


def test_links_between_pages_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_what_pages_import_is_there():
    found = 0
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            for line in ast.walk(ast.parse(block)):
                if isinstance(line, ast.ImportFrom) and (line.module or "").startswith("keyweave"):
                    room = import_module(str(line.module))
                    assert all(hasattr(room, name.name) for name in line.names), f"{page.name}: {ast.unparse(line)}"
                    found += 1
    assert found > 5
