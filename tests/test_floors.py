"""The floors of the house: a room imports only floors below it, and on its own floor only itself."""

import ast
from pathlib import Path

import pytest

import keyweave

HOUSE = Path(keyweave.__file__).parent
FLOORS = {
    "base": 0,
    "media": 1,
    "timeline": 1.5,  # above media, below the rest
    "protocols": 1.2,  # the seams: types only
    "maths": 2,
    "models": 3,
    "diffusion": 3,
    "perceive": 4,
    "toyworld": 4,
    "training": 5,
    "metrics": 5,
    "classical": 6,
    "recipes": 6,
    "systems/inbetween": 6,
    "systems/morph": 6,
    "systems/zoom": 6,
    "systems/dance": 6,
    "systems/jumpcut": 6,
    "systems/retime": 6,
    "app": 7,
    "cli": 8,
    "studio": 8,
    "bench": 7.5,
}
# What a room may import from outside, where the plan of the house limits it.
OUTSIDE = {
    "base": {"rich"},
    "media": {"numpy", "PIL", "av", "cv2"},
    "timeline": {"numpy", "PIL", "pydantic", "opentimelineio"},
}
FACES = {"__init__.py", "__main__.py"}
STANDARD = set(__import__("sys").stdlib_module_names)


def room_of(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] != "keyweave" or len(parts) == 1:
        return None
    return "/".join(parts[1:3]) if parts[1] == "systems" else parts[1]


def imports_of(path: Path) -> set[str]:
    """All imported modules, those inside functions and type-checking blocks included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            found.add(node.module or "")
    return found


def rooms() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in HOUSE.rglob("*.py"):
        inside = path.relative_to(HOUSE)
        if str(inside) in FACES or str(inside) == "systems/__init__.py":
            continue
        room = "/".join(inside.parts[:2]) if inside.parts[0] == "systems" else inside.parts[0].removesuffix(".py")
        found.setdefault(room, []).append(path)
    return found


@pytest.mark.parametrize("room", sorted(rooms()))
def test_a_room_imports_only_what_lies_below(room: str):
    assert room in FLOORS, f"{room} has no floor; add it to the plan"
    for path in rooms()[room]:
        for module in imports_of(path):
            other = room_of(module)
            if other is not None and other != room:
                assert FLOORS[other] < FLOORS[room], f"{path} imports {module}, which lies above or beside it"
            top = module.split(".")[0]
            if room in OUTSIDE and top != "keyweave":
                assert top in STANDARD | OUTSIDE[room], f"{path} imports {top}, which {room} must not need"


@pytest.mark.parametrize("behind", ["pictures", "films", "sound"])
def test_what_lies_behind_the_doors_of_media_knows_neither_doors_nor_neighbours(behind: str):
    shared = {"types", "limits", "sniff", "source", "containers", "encoders", "rates", "uniform", "comments"}
    for path in (HOUSE / "media" / behind).glob("*.py"):
        inside = {module.split(".")[2] for module in imports_of(path) if module.startswith("keyweave.media.")}
        assert inside <= shared | {behind}, f"{path} imports {inside - shared - {behind}}"


def test_the_test_sees_a_breach(tmp_path: Path):
    (tmp_path / "x.py").write_text("def f():\n    from keyweave.app.jobs import Job\n")
    (module,) = imports_of(tmp_path / "x.py")
    assert FLOORS[room_of(module) or ""] > FLOORS["media"]


def test_only_the_command_line_prints():
    for room, paths in rooms().items():
        for path in paths:
            calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
            prints = any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls)
            assert room == "cli" or not prints, f"{path} prints"


def test_rooms_stay_small():
    for paths in rooms().values():
        for path in paths:
            assert len(path.read_text().splitlines()) <= 420, f"{path} has grown too large"
