"""Write the option tables and schemas of the pages anew from the code (`make tables`)."""

import json
import re
import sys
from pathlib import Path

from keyweave.app.fields import markdown_table
from keyweave.app.systems import SYSTEMS

PAGES = Path(__file__).parent


def derived() -> dict[Path, str]:
    """Return what each derived file should hold."""
    texts: dict[Path, str] = {}
    for name, system in SYSTEMS.items():
        model = system.options_model()
        page = PAGES / f"{name}.md"
        block = f"<!-- options: {name} -->\n{markdown_table(model)}<!-- end -->"
        texts[page] = re.sub(
            rf"<!-- options: {name} -->.*?<!-- end -->", lambda _, block=block: block, page.read_text(), flags=re.DOTALL
        )
        schema = model.model_json_schema(mode="serialization")
        texts[PAGES / "schemas" / f"{name}.json"] = json.dumps(schema, indent=2, sort_keys=True) + "\n"
    return texts


if __name__ == "__main__":
    for path, text in derived().items():
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            sys.stdout.write(f"wrote {path.relative_to(PAGES.parent)}\n")
