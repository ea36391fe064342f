"""`keyweave dance`: keyframes, a song and a reference dance become a film; or one stage of that."""

from __future__ import annotations

import difflib
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyweave.base.errors import InputError
from keyweave.base.files import existing_file
from keyweave.cli.dance_hearing import add_hearing, add_hearings, refuse_hearing
from keyweave.cli.dance_mirror import add_masks, add_mirrored, add_mirroring, add_painting, mirror
from keyweave.cli.face import show_json, watched
from keyweave.cli.parser import Parser, chosen, number, seed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from keyweave.base.progress import Progress
    from keyweave.systems.dance.labels import Label

_SAYS = "Let keyframes dance: the choreography of another dance, to its song or your own, exactly on the beat."
_HOW = """\
stages, each of which reads and writes a file that you can open, edit and feed back:
  keyweave dance beats SONG -o beats.json
  keyweave dance label DANCE -o choreography.json           A-A'-B-..., with a strip of pictures for each label
  keyweave dance mirror KEYFRAME... -o FOLDER               the keyframes before one background, and mirrored
  keyweave dance plan KEYFRAME... --labels "A-A'-B" -o plan.json
  keyweave dance render plan.json --beats beats.json --music SONG -o FILM

`keyweave dance KEYFRAME... --reference DANCE -o film.mp4` does them all and keeps the files in film.dance/. There, what
you edited is used the next time; --overwrite makes everything anew. The dancer is found by networks that `keyweave
models pull people` fetches once; --poses takes what another tracker found."""


def build(name: str) -> Parser:
    """Make the parser of all stages at once; those of single stages are made when they are asked for."""
    return _Whole(name, _SAYS, usage="KEYFRAME... --reference DANCE -o FILM [options]", epilog=_HOW)


class _Whole(Parser):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        add = self.add_argument
        add("inputs", nargs="+", type=Path, metavar="KEYFRAME", help="pictures of one subject, in no order")
        add("--reference", type=Path, required=True, metavar="DANCE", help="the film of the dance to follow")
        add("--music", type=Path, metavar="SONG", help="what is danced to (default: the song of the reference)")
        _add_output(self, "FILM", "the film; its ending chooses the format")
        _add_dancer(self)
        add_hearings(self)
        add_masks(self)
        add_mirrored(self)
        _add_wishes(self)
        _add_film(self)

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """Hand over to the parser of a stage, if one is named first."""
        if argv and argv[0] in _STAGES:
            return _STAGES[argv[0]][0]().read(argv[1:])
        if not {"-h", "--help"} & set(argv):
            _refuse_no_keyframe(argv)
        return super().read(argv)


def _refuse_no_keyframe(argv: Sequence[str]) -> None:
    """Raise if what comes first is neither a stage nor pictures; what is missing besides is worth no word then."""
    words = list(takewhile(lambda word: not word.startswith("-"), argv))
    if words and words[0].isalpha() and not Path(words[0]).exists():
        near = difflib.get_close_matches(words[0].lower(), _STAGES, 1)
        raise InputError(
            f"{words[0]!r} is neither a stage of keyweave dance nor a picture.",
            f"{f'Did you mean {near[0]}? ' if near else ''}Stages: {', '.join(_STAGES)}.",
        )
    for word in words:
        existing_file(Path(word))


def run(args: argparse.Namespace) -> int:
    """Do a stage, or all."""
    stage = getattr(args, "stage", None)
    with watched(args.command, as_json=args.json) as progress:
        row = (_STAGES[stage][1] if stage else _whole)(args, progress)
        progress.end()
    result = row.pop("result", None)
    if args.json:
        show_json({"event": "danced", **row})
    else:
        for name, value in row.items():
            if value:
                print(f"{name}: {value if isinstance(value, str) else '; '.join(map(str, value))}")
    if result is not None:
        from keyweave.cli.system import show_result  # noqa: PLC0415 - the help must be quick

        show_result(result, as_json=args.json)
    return 0


def _whole(args: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    from keyweave.app.dance_asked import read_asked  # noqa: PLC0415
    from keyweave.app.dancing import make_dance  # noqa: PLC0415
    from keyweave.systems.dance.labels import write_labels  # noqa: PLC0415

    asked = read_asked(vars(args))
    song, reference = asked.hearings(another=args.music is not None)
    made = make_dance(
        args.inputs,
        asked.reference(args.reference),
        args.output,
        song=args.music,
        hearing=song,
        reference_hearing=reference,
        wishes=asked.wishes(len(args.inputs)),
        masks=args.masks,
        mirrored=args.mirrored,
        given=_given(args),
        engine=args.engine,
        seed=args.seed,
        overwrite=args.overwrite,
        progress=progress,
    )
    labels = write_labels(made.labels)
    return {"labels": labels, "kept in": str(made.folder), "notes": list(made.notes), "result": made.result}


def _beats(args: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    from keyweave.app.dance_asked import read_asked  # noqa: PLC0415
    from keyweave.base.files import refuse_existing  # noqa: PLC0415
    from keyweave.systems.dance.files import BeatsFile, check_name, write_file  # noqa: PLC0415

    check_name(args.output, BeatsFile)
    refuse_existing(args.output, overwrite=args.overwrite)
    made = read_asked(vars(args)).hearing().beats(args.song, progress)
    write_file(args.output, made, overwrite=args.overwrite)
    found = f"{len(made.beats)}, {made.tempo:g} a minute; the first strong one is number {made.parity}"
    return {"beats": found, "written": str(args.output), "notes": list(made.notes)}


def _label(args: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    from keyweave.app.dance_asked import read_asked  # noqa: PLC0415
    from keyweave.app.dance_stages import write_labels_of  # noqa: PLC0415
    from keyweave.base.files import refuse_existing  # noqa: PLC0415
    from keyweave.systems.dance.files import BeatsFile, read_file  # noqa: PLC0415
    from keyweave.systems.dance.labels import read_labels, write_labels  # noqa: PLC0415

    refuse_existing(args.output, overwrite=args.overwrite)  # before the song is listened to
    truth = None if args.annotated is None else read_labels(args.annotated)
    if args.beats:
        refuse_hearing(args)
    asked = read_asked(vars(args))
    reference, hearing = asked.reference(args.dance), asked.hearing()
    beats = read_file(args.beats, BeatsFile) if args.beats else hearing.beats(args.dance, progress)
    made = write_labels_of(args.output, reference, beats, overwrite=args.overwrite, progress=progress)
    same = "" if made.band is None else f"the same from {made.band[0]:g} to {made.band[1]:g} ({made.unit})"
    return {
        "labels": write_labels(made.labels),
        "threshold": f"{made.threshold:g}, {same}",
        **({} if truth is None else {"agreement": _agreement(made.labels, truth)}),
        "written": str(args.output),
        "notes": list(made.notes),
    }


def _agreement(labels: Sequence[Label], truth: Sequence[Label]) -> str:
    from keyweave.systems.dance.agreement import agreement  # noqa: PLC0415

    if len(labels) != len(truth):
        return f"none: {len(truth)} labels are annotated, and the dance has {len(labels)} segments"
    found = agreement(labels, truth)
    return (
        f"ARI {found.rand:.2f}, NMI {found.information:.2f}; mirrored pairs: precision {found.precision:.2f}, "
        f"recall {found.recall:.2f}, F1 {found.balance:.2f}"
    )


def _plan(args: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    from keyweave.app.dance_asked import read_asked  # noqa: PLC0415
    from keyweave.app.dance_stages import write_plan_of  # noqa: PLC0415
    from keyweave.systems.dance.files import ChoreographyFile, read_file  # noqa: PLC0415
    from keyweave.systems.dance.labels import read_labels  # noqa: PLC0415
    from keyweave.systems.dance.stages import masks_of, mirrored_in, story  # noqa: PLC0415

    if (args.labels is None) == (args.choreography is None):
        raise InputError("A plan needs a choreography.", "Give --labels or --choreography, one of the two.")
    given = args.choreography
    labels = read_labels(args.labels) if given is None else read_file(given, ChoreographyFile).labels
    mirrored = [] if args.mirrored is None else mirrored_in(args.mirrored, len(args.inputs))
    if mirrored and (args.keep or args.axis is not None):
        raise InputError("--keep and --axis say how to mirror, and --mirrored that it was done.", "Leave one out.")
    made = write_plan_of(
        args.output,
        labels,
        args.inputs,
        wishes=read_asked(vars(args)).wishes(len(args.inputs)),
        masks=masks_of(args.masks, mirrored or args.inputs, progress=progress),
        mirrored=mirrored,
        axis=args.axis,
        keep=args.keep,
        overwrite=args.overwrite,
        progress=progress,
    )
    return {"plan": story(made), "written": str(args.output), "notes": [*filter(None, (*made.notes, made.relaxed))]}


def _render(args: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    from keyweave.app.dance_stages import job_of  # noqa: PLC0415
    from keyweave.app.jobs import run_job  # noqa: PLC0415
    from keyweave.systems.dance.files import read_beats  # noqa: PLC0415

    job, notes = job_of(
        args.plan,
        read_beats(args.beats),
        args.music,
        given=_given(args),
        engine=args.engine,
        seed=args.seed,
        output=args.output,
        overwrite=args.overwrite,
    )
    return {"notes": list(notes), "result": run_job(job, progress)}


def _parser(stage: str, says: str, usage: str, fill: Callable[[Parser], None]) -> Parser:
    parser = Parser(f"dance {stage}", says, usage=usage)
    parser.set_defaults(command="dance", stage=stage)
    fill(parser)
    return parser


def _beats_parser() -> Parser:
    def fill(parser: Parser) -> None:
        parser.add_argument("song", type=Path, metavar="SONG", help="a sound file, or a film that has a song")
        _add_output(parser, "FILE", "the beats (.json)")
        add_hearing(parser)

    return _parser("beats", "Find the beats of a song.", "SONG -o beats.json [options]", fill)


def _label_parser() -> Parser:
    def fill(parser: Parser) -> None:
        parser.add_argument("dance", type=Path, metavar="DANCE", help="the film of a dance")
        _add_output(parser, "FILE", "the choreography (.json)")
        parser.add_argument("--beats", type=Path, metavar="FILE", help="beats to take instead of those that are heard")
        parser.add_argument("--annotated", metavar="LABELS", help="the right labels: say how well those found agree")
        _add_dancer(parser)
        add_hearing(parser)

    return _parser("label", "Name the motions of a dance: A-A'-B-...", "DANCE -o choreography.json [options]", fill)


def _mirror_parser() -> Parser:
    def fill(parser: Parser) -> None:
        parser.add_argument("inputs", nargs="+", type=Path, metavar="KEYFRAME", help="pictures of one subject")
        _add_output(parser, "FOLDER", "the folder for 01.png, 01m.png and so on")
        add_mirroring(parser)
        add_painting(parser)

    return _parser("mirror", "Mirror the subject of keyframes, not its place.", "KEYFRAME... -o FOLDER [options]", fill)


def _plan_parser() -> Parser:
    def fill(parser: Parser) -> None:
        parser.add_argument("inputs", nargs="+", type=Path, metavar="KEYFRAME", help="pictures of one subject")
        parser.add_argument("--labels", metavar="LABELS", help="the choreography, such as A-A'-B-B-C")
        parser.add_argument("--choreography", type=Path, metavar="FILE", help="a choreography that was written")
        _add_output(parser, "FILE", "the plan (.json)")
        add_mirroring(parser)
        add_mirrored(parser)
        _add_wishes(parser)

    says = "Choose the keyframes that each motion is danced with."
    return _parser("plan", says, "KEYFRAME... --labels LABELS -o plan.json [options]", fill)


def _render_parser() -> Parser:
    def fill(parser: Parser) -> None:
        parser.add_argument("plan", type=Path, metavar="PLAN", help="a plan that was written (.json)")
        parser.add_argument(
            "--beats",
            type=Path,
            required=True,
            metavar="FILE",
            help="the beats of the song, or its choreography (.json)",
        )
        parser.add_argument("--music", type=Path, required=True, metavar="SONG", help="the song")
        _add_output(parser, "FILM", "the film; its ending chooses the format")
        _add_film(parser)

    return _parser("render", "Make the film of a plan.", "PLAN --beats FILE --music SONG -o FILM [options]", fill)


_STAGES: dict[str, tuple[Callable[[], Parser], Callable[[argparse.Namespace, Progress], dict[str, Any]]]] = {
    "beats": (_beats_parser, _beats),
    "label": (_label_parser, _label),
    "mirror": (_mirror_parser, mirror),
    "plan": (_plan_parser, _plan),
    "render": (_render_parser, _render),
}


def _add_output(parser: Parser, metavar: str, says: str) -> None:
    parser.add_argument("-o", "--output", type=Path, metavar=metavar, required=True, help=says)
    parser.add_argument("--overwrite", action="store_true", help="replace what exists")
    parser.add_argument("--json", action="store_true", help="print events as JSON lines")


def _add_dancer(parser: Parser) -> None:
    add = parser.add_argument
    add("--poses", type=Path, metavar="FILE", help="how the dancer moves (.npz), found by another tracker")
    add("--dancer", metavar="X,Y", help="a point on the dancer in the first frame, in pixels")
    add("--crop", metavar="L,T,R,B", help="the part of the picture to look at, in pixels")
    add("--threshold", type=number, metavar="D", help="motions nearer than this are the same (default: found)")
    add("--mirror-threshold", type=number, metavar="D", help="the same for mirror images (default: 1.15 as much)")


def _add_wishes(parser: Parser) -> None:
    add = parser.add_argument
    pin = "keyframes that a label must have, such as A=2>5 or B=1>3m for the mirrored third; repeatable"
    add("--pin", action="append", default=[], metavar="LABEL=FROM>TO", help=pin)
    moves = "how far the subject may move within a motion, in pixels of a picture of 576 rows (default: 12:60)"
    add("--motion", metavar="LOW:HIGH", help=moves)
    add("--transition", type=number, metavar="PX", help="how far it should move between motions at least")
    ends = "labels that end in the mirrored pose of their beginning, such as A,C"
    add("--mirrored-poses", default="", metavar="LABELS", help=ends)
    add("--plan-seconds", type=number, metavar="S", help="settle for the best plan after S (default: 60)")


def _add_film(parser: Parser) -> None:
    from keyweave.app.systems import SYSTEMS  # noqa: PLC0415
    from keyweave.systems.dance.options import PLANNED, DanceOptions  # noqa: PLC0415

    engines = SYSTEMS["dance"].engines
    parser.add_argument("--engine", choices=engines, help=f"who draws the in-betweens (default: {engines[0]})")
    parser.add_argument("--seed", type=seed, metavar="N", help="decides all chance; drawn and recorded if not given")
    parser.add_model(DanceOptions, without=PLANNED)


def _given(args: argparse.Namespace) -> dict[str, Any]:
    from keyweave.systems.dance.options import PLANNED, DanceOptions  # noqa: PLC0415

    return {name: value for name, value in chosen(args, DanceOptions).items() if name not in PLANNED}
