"""What made an output: everything that is needed to make it again.

The recipe travels inside the output file and holds no path, so that a shared film tells nothing of its maker's disk
and the same job gives the same bytes wherever it runs. Where the inputs and models lie is written only into the file
beside the output (`film.mp4.json`), as `paths` and `model_paths`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from keyweave.base.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1  # raised when an older reader could no longer understand a recipe
MARK = "keyweave recipe"
_READ_BLOCK = 1 << 20


@dataclass(frozen=True)
class InputMark:
    """An input as the recipe knows it: its name and the checksum of its bytes (or pixels, if it came from memory)."""

    name: str
    sha256: str


@dataclass(frozen=True)
class ModelMark:
    """A model as the recipe knows it."""

    ref: str
    sha256: str


@dataclass(frozen=True)
class Recipe:
    """All that decides the bytes of an output.

    Args:
        system: the row of the table of systems, such as "inbetween".
        engine: which engine drew the in-betweens.
        inputs: in the order they were given.
        options: every option of the system, defaults included, as plain JSON values; models of this disk by name.
        models: by role.
        seed: the one integer that all chance came from.
        version: of keyweave.
        libraries: versions of those that touch pixels.
        device: where tensors were, such as "cpu".
        dtype: their precision.
    """

    system: str
    engine: str
    inputs: tuple[InputMark, ...]
    options: dict[str, Any]
    seed: int
    version: str
    models: dict[str, ModelMark] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)
    device: str = "cpu"
    dtype: str = "uint8"

    def to_json(self) -> str:
        """Write the recipe in its one canonical form."""
        return json.dumps({MARK: FORMAT, **asdict(self)}, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, source: str) -> Recipe:
        """Read a recipe that may come from anywhere; `source` is named when it is not one."""
        row = _object(text, source)
        if row.get(MARK) != FORMAT:
            if isinstance(row.get(MARK), int):
                raise InputError(
                    f"{source} holds a recipe of format {row[MARK]}; this keyweave reads format {FORMAT}.",
                    "Install the keyweave version that the recipe names.",
                )
            raise InputError(f"{source} holds no keyweave recipe.", "Only files made by keyweave can be made again.")
        try:
            return cls(
                system=_of(str, row, "system"),
                engine=_of(str, row, "engine"),
                inputs=tuple(
                    InputMark(_of(str, one, "name"), _of(str, one, "sha256")) for one in _of(list, row, "inputs")
                ),
                options=_of(dict, row, "options"),
                seed=_of(int, row, "seed"),
                version=_of(str, row, "version"),
                models={
                    str(role): ModelMark(_of(str, one, "ref"), _of(str, one, "sha256"))
                    for role, one in _of(dict, row, "models").items()
                },
                libraries={str(name): str(version) for name, version in _of(dict, row, "libraries").items()},
                device=_of(str, row, "device"),
                dtype=_of(str, row, "dtype"),
            )
        except TypeError as fault:
            raise InputError(
                f"{source} holds a damaged recipe: {fault.args[0]} is missing or of the wrong kind."
            ) from None

    def digest(self) -> str:
        """Return the checksum of the recipe: equal recipes make equal outputs."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def differences(self, other: Recipe) -> list[str]:
        """Say in a few words each what the other recipe has otherwise."""
        found: list[str] = []
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            if isinstance(mine, dict):
                for key in sorted(mine.keys() | theirs.keys()):
                    if mine.get(key) != theirs.get(key):
                        found.append(f"{one.name}.{key}: {mine.get(key)} then, {theirs.get(key)} now")  # noqa: PERF401
            elif mine != theirs:
                found.append(f"{one.name}: {mine} then, {theirs} now")
        return found


def sha256_of_file(path: Path) -> str:
    """Return the checksum of a file's bytes, reading it in blocks."""
    sum_ = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BLOCK):
            sum_.update(block)
    return sum_.hexdigest()


def _object(text: str, source: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise InputError(f"{source} holds no keyweave recipe.", "Only files made by keyweave can be made again.")
    return row


def _of(kind: type, row: Any, key: str) -> Any:
    value = row.get(key) if isinstance(row, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(key)
    return value
