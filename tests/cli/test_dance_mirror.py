"""The command line of painted mirrored keyframes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keyweave.base.errors import InputError, KeyweaveError
from keyweave.base.progress import SILENT
from keyweave.cli import dance
from keyweave.cli.dance_mirror import mirror
from keyweave.media.pictures.images import write_image
from keyweave.media.types import Image
from keyweave.toyworld.creature import posing, shoot_creature

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning"),  # diffusers warns of itself
]


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    """A drawn creature in two poses."""
    shot = shoot_creature(replace(posing(3, 2), marked=False), width=128, height=128)
    for n, frame in enumerate(shot.frames):
        write_image(tmp_path / f"{n}.png", Image(frame))
    return [str(tmp_path / f"{n}.png") for n in range(2)]


def asked(*argv: str) -> Any:
    return dance.build("dance").read(["mirror", *argv])


@pytest.mark.parametrize("family", ["tiny_flux", "tiny_qwen"])
def test_a_subject_is_learnt_and_painted_and_painted_again(
    family: str, request: pytest.FixtureRequest, pictures: list[str], tmp_path: Path
):
    model, control = map(str, request.getfixturevalue(family))
    models = ("--by", model, "--control", control)
    who = ("--subject", "marmot", "--scene", "on a meadow", "--epochs", "1", "--rank", "2")
    row = mirror(asked(*pictures, *models, *who, "--steps", "2", "-o", str(tmp_path / "m")), SILENT)
    names = ["01.png", "01m.png", "02.png", "02m.png", "background.png", "made.json"]
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == names
    assert row["learnt"] == str(tmp_path / "m.training" / "subject.safetensors")
    again = asked(*pictures, *models, "--lora", row["learnt"], "--steps", "2", "-o", str(tmp_path / "again"))
    assert mirror(again, SILENT)["learnt"] == ""
    for name in names:
        first, second = ((tmp_path / folder / name).read_bytes() for folder in ("m", "again"))
        assert first == second


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--by", "./x"], "Painted mirrored keyframes need --control and --subject and --scene."),
        (["--subject", "cat", "--scene", "here"], "Painted mirrored keyframes need --by and --control."),
        (
            ["--by", "./x", "--control", "./y", "--lora", "z.safetensors", "--epochs", "3"],
            "--epochs says how to learn, and --lora that nothing is learnt.",
        ),
        (
            ["--by", "./x", "--control", "./y", "--lora", "z.safetensors", "--keep"],
            "--keep leaves keyframes as they are, and --by paints all of them anew.",
        ),
        (
            ["--by", "./x", "--control", "./y", "--lora", "none.safetensors"],
            "There is no learnt subject none.safetensors.",
        ),
        (
            ["--by", "./x", "--control", "./y", "--subject", "cat", "--scene", " "],
            "The scene of a subject cannot be empty.",
        ),
        (["--by", "./x", "--control", "./y", "--subject", "cat", "--scene", "here"], "There is no folder ./x."),
    ],
)
def test_doors(pictures: list[str], tmp_path: Path, more: list[str], words: str):
    args = asked(*pictures, *more, "-o", str(tmp_path / "m"))
    with pytest.raises(KeyweaveError) as fault:
        mirror(args, SILENT)
    assert fault.value.message == words
    assert not list(tmp_path.glob("m*"))


def test_what_exists_is_refused_before_models_are_looked_for(pictures: list[str], tmp_path: Path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="exists"):
        mirror(
            asked(*pictures, "--by", "./x", "--control", "./y", "--lora", "z.safetensors", "-o", str(tmp_path / "m")),
            SILENT,
        )
