"""Write the option tables and schemas of the pages anew from the code (`make tables`)."""

import json
import re
import sys
from pathlib import Path

from keyweave.app.engines import ENGINES
from keyweave.app.fields import markdown_table
from keyweave.app.systems import SYSTEMS
from keyweave.timeline.easing import FAMILIES
from keyweave.timeline.project import schema

PAGES = Path(__file__).parent


def derived() -> dict[Path, str]:
    """Return what each derived file should hold."""
    texts: dict[Path, str] = {}
    for name, system in SYSTEMS.items():
        model = system.options_model()
        engines = "".join(f"| `{engine}` | {ENGINES[engine].says} |\n" for engine in system.engines)
        page = _filled((PAGES / f"{name}.md").read_text(), f"options: {name}", markdown_table(model))
        texts[PAGES / f"{name}.md"] = _filled(
            page, f"engines: {name}", f"| engine | what it does |\n|---|---|\n{engines}"
        )
        texts[PAGES / "schemas" / f"{name}.json"] = _json(model.model_json_schema(mode="serialization"))
    easings = "".join(f"| `{name}` | {family.says} |\n" for name, family in FAMILIES.items())
    page = (PAGES / "timeline.md").read_text()
    texts[PAGES / "timeline.md"] = _filled(page, "easings", f"| easing | what it does |\n|---|---|\n{easings}")
    texts[PAGES / "schemas" / "project.json"] = _json(schema())
    return texts


def _filled(page: str, mark: str, block: str) -> str:
    return re.sub(
        rf"<!-- {mark} -->.*?<!-- end -->", lambda _: f"<!-- {mark} -->\n{block}<!-- end -->", page, flags=re.DOTALL
    )


def _json(schema_: dict[str, object]) -> str:
    return json.dumps(schema_, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    for path, text in derived().items():
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            sys.stdout.write(f"wrote {path.relative_to(PAGES.parent)}\n")
