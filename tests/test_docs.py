"""The pages say what the code does."""

import runpy
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
    import re

    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
