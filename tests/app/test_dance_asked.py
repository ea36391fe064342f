"""What is asked of a dance is the same thing, typed or written in Python."""

from fractions import Fraction as F
from pathlib import Path
from typing import Any

import pytest

from keyweave.app.dance_asked import read_asked
from keyweave.app.dance_stages import Hearing, Reference
from keyweave.base.errors import InputError
from keyweave.cli import dance
from keyweave.systems.dance.stages import Wishes, read_pins

FILM = Path("dance.mp4")

TYPED_AND_WRITTEN = [
    ("", {}),
    ("--tempo x2 --offset -0.1 --parity 2 --meter 3/4", {"tempo": "x2", "offset": -0.1, "parity": 2, "meter": "3/4"}),
    ("--offset 1/3", {"offset": F(1, 3)}),
    ("--reference-tempo x0.5 --reference-offset 2", {"reference_tempo": "x0.5", "reference_offset": 2}),
    ("--reference-parity 1 --reference-meter 4/4", {"reference_parity": 1, "reference_meter": "4/4"}),
    ("--beats-by librosa", {"beats_by": "librosa"}),
    ("--poses p.npz", {"poses": "p.npz"}),
    ("--dancer 46,31 --crop 0,8,320,240", {"dancer": (46, 31), "crop": [0, 8, 320, 240]}),
    ("--threshold 1", {"threshold": 1}),
    ("--mirror-threshold 0.5", {"mirror_threshold": 0.5}),
    ("--pin A=2>5 --pin B=1>3m", {"pin": ["A=2>5", "B=1>3m"]}),
    ("--motion 4:90 --transition 20", {"motion": (4, 90), "transition": 20}),
    ("--mirrored-poses A,C --plan-seconds 5", {"mirrored_poses": ["A", "C"], "plan_seconds": 5}),
]


def everything(given: dict[str, Any], *, words: bool = False) -> list[Any]:
    """Return all that comes of it: how it is heard, what is followed and what is wished, as values or in words."""
    asked = read_asked(given)
    found: list[Any] = [*asked.hearings(another=True), asked.wishes(6)]
    return [one.words for one in found] if words else [*found, asked.reference(FILM)]


@pytest.mark.parametrize(("typed", "written"), TYPED_AND_WRITTEN)
def test_what_is_typed_is_what_is_written(typed: str, written: dict[str, Any]):
    argv = [__file__, "--reference", str(FILM), "-o", "f.mp4", *typed.split()]
    given = vars(dance.build("dance").read(argv))
    assert everything(given) == everything(written)
    assert repr(everything(given)) == repr(everything(written))  # by which kept files are told apart: 46 is no 46.0
    assert everything(given, words=True) == everything(written, words=True)


def test_it_comes_to_what_the_shared_types_say():
    song, reference, wishes, follow = everything(
        {name: value for _, given in TYPED_AND_WRITTEN for name, value in given.items()}
        | {"offset": 0.1, "poses": None}
    )
    assert song == Hearing("x2", F(1, 10), 2, "3/4")
    assert reference == Hearing("x0.5", F(2), 1, "4/4")
    assert wishes == Wishes(4, 90, 20, read_pins(["A=2>5", "B=1>3m"], 6), ("A", "C"), 5)
    assert follow == Reference(FILM, None, (46, 31), (0, 8, 320, 240), 1, 0.5)
    assert everything({}) == [Hearing(), Hearing(), Wishes(pins={}), Reference(FILM)]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"tempo": "x3"}, "--tempo is 'x3'; it should be 'x1', 'x2' or 'x0.5'."),
        ({"offset": "soon"}, "--offset is 'soon'; it should be seconds, such as 0.02 or -0.1."),
        ({"offset": float("nan")}, "--offset is nan; it should be seconds"),
        ({"offset": "1e400"}, "--offset is '1e400'; it should be seconds"),
        ({"parity": 3}, "The first strong beat is number 0 to 1; got 3."),
        ({"reference_parity": "first"}, "--reference-parity is 'first'; it should be a whole number."),
        ({"meter": "5/4"}, "--meter is '5/4'; it should be '4/4' or '3/4'."),
        ({"beats_by": "me"}, "Beats are found by librosa or beat-this:FILE; got 'me'."),
        ({"crop": (1, 2)}, "--crop is (1, 2); it should be 4 numbers with commas between them."),
        ({"crop": 7}, "--crop is 7; it should be 4 numbers"),
        ({"dancer": "46"}, "--dancer is '46'; it should be 2 numbers"),
        ({"dancer": (46, float("inf"))}, "--dancer is (46, inf); it should be 2 numbers"),
        ({"dancer": (46, 10**400)}, "--dancer is (46, 1"),
        ({"threshold": float("nan")}, "--threshold is nan; it should be a finite number."),
        ({"threshold": 0}, "Motions are told apart by a threshold above 0; got 0."),
        ({"mirror_threshold": -1}, "Motions are told apart by a threshold above 0; got -1."),
        ({"poses": "p.npz", "crop": (0, 0, 9, 9)}, "--crop is for a dancer who is looked for, and --poses tells how"),
        ({"poses": "p.npz", "dancer": (4, 4)}, "--dancer is for a dancer who is looked for"),
        ({"motion": "12"}, "--motion is '12'; it should be LOW:HIGH, such as 12:60."),
        ({"pin": "A=1>13"}, "A pin names keyframe 13; there are 1 to 6, and 1m to 6m."),
    ],
)
def test_what_cannot_be_is_one_sentence(given: dict[str, Any], says: str):
    with pytest.raises(InputError) as fault:
        everything(given)
    assert str(fault.value).startswith(says)


def test_the_reference_is_heard_apart_only_where_it_is_another_song():
    with pytest.raises(InputError, match="--reference-offset is for a dance to another song"):
        read_asked({"reference_offset": 1}).hearings(another=False)
    song, reference = read_asked({"tempo": "x2"}).hearings(another=False)
    assert song == reference == Hearing("x2")
