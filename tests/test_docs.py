"""The pages say what the code does."""

import runpy
from pathlib import Path

import pytest

from keyweave.app.systems import ENGINES, SYSTEMS
from keyweave.cli.main import COMMANDS

ROOT = Path(__file__).parent.parent
DERIVED = runpy.run_path(str(ROOT / "docs" / "make_tables.py"))["derived"]()


@pytest.mark.parametrize("path", DERIVED, ids=lambda path: path.name)
def test_tables_and_schemas_are_those_of_the_code(path: Path):
    assert path.read_text() == DERIVED[path], "run `make tables`"


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_s_page_names_its_engines_in_their_own_words(name: str):
    page = (ROOT / "docs" / f"{name}.md").read_text()
    for engine in SYSTEMS[name].engines:
        assert f"| `{engine}` | {ENGINES[engine].says} |" in page


def test_every_command_is_on_the_first_page():
    page = (ROOT / "docs" / "index.md").read_text()
    assert all(f"`keyweave {name}`" in page for name in COMMANDS)


def test_links_between_pages_lead_somewhere():
    import re

    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
