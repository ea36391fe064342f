"""`keyweave bench`: methods side by side on what is known; here in-betweens, in `bench_dance` labels of dances."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.cli import bench_dance
from keyweave.cli.face import show_json, watched
from keyweave.cli.parser import Parser, seed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from keyweave.base.progress import Progress
    from keyweave.bench.contenders import Learnt
    from keyweave.bench.pairs import Material
    from keyweave.bench.run import Judge
    from keyweave.bench.standard import Standard
    from keyweave.bench.summary import Summary
    from keyweave.bench.trained import Pupil, Schooling
    from keyweave.systems.inbetween.sampling import Sampling

_TOYWORLD = "toyworld"
_PAIRS, _OTHERS = 100, 256
_METHODS = "average,trf,flow,crossfade"
_PLAIN = "fast,sketch=none"  # methods are compared by themselves
_FEWEST_OTHERS = 4
_LOW_CHUNK = 4  # frames that are decoded together with little memory: the decoder mixes neighbours
_MODEL = "toy-video"
_MOST_PAIRS = 100_000  # of which a table takes months
_LEAST = {
    **dict.fromkeys(("batch", "chunk", "seeds", "sheets", "steps", "train-steps", "train-batch", "train-seeds"), 1),
    "pairs": 2,
    "frames": 3,
    "gap": 2,
}
_HOW = """\
methods:
  full, no-rotation, no-tuning    the method; its ablations (full takes --adapter, or the one that the model's card
                                  names; no-rotation takes --unrotated)
  full-linear                     the method, fused by nearness in place of averaged
  trf, trf-repeats, average       time reversal fusion, with its jumps, or with the repeats of full; averaged instead
  image-to-video                  on from the first picture alone
  vibid, mpd                      two later samplers
  flow, crossfade                 without learning
  NAME@SAMPLING                   a method with a sampling of its own: full@faithful, trf@steps=50, full@steps=6+tries=3
  truth                           the real clips through the model's autoencoder: the best it could do
  folder:NAME=DIR                 what another program made, such as folder:FILM=results: for each pair a folder of
                                  pictures or a film, 000, 001 and so on, from keyframe to keyframe (see --keyframes)

The folder keeps every clip: stopped at any moment, the same command goes on where it was, and a method that is added
later is filled in beside the others. report.md is the page to read.

`keyweave bench dance` is about labels of dances: see keyweave bench dance --help."""
_TABLE = "inbetween"


class _Parser(Parser):
    """Hands over to the parser of `dance`, which has options of its own."""

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse what belongs to the table that is named first."""
        if argv and argv[0] == bench_dance.NAME:
            return bench_dance.build(self.prog.split()[-1]).read(argv[1:])
        return super().read(argv)


def build(name: str) -> Parser:
    """Make the parser."""
    says = "Fill pairs of keyframes by several methods, and measure each against what really lies between."
    parser = _Parser(name, says, usage="TABLE -o FOLDER [options]", epilog=_HOW)
    add = parser.add_argument
    add("table", choices=(_TABLE, bench_dance.NAME), help="which benchmark")
    add("-o", "--output", type=Path, metavar="FOLDER", required=True, help="where everything is kept")
    add("--data", default=_TOYWORLD, metavar="DIR", help="a folder of videos, or toyworld (the default)")
    add("--methods", default=_METHODS, metavar="A,B", help=f"who fills them (default: {_METHODS})")
    add("--model", metavar="REF", help=f"the image-to-video model (default: {_MODEL})")
    add("--adapter", metavar="REF", help="of the backward branch, with rotated maps (default: what the card names)")
    add("--unrotated", metavar="REF", help="of the backward branch, without them")
    add("--pairs", type=int, metavar="N", help="how many (default: 100; of a folder, all that there are)")
    add("--seeds", type=int, default=1, metavar="K", help="clips for each pair, of methods by chance (default: 1)")
    add("--seed", type=seed, default=0, metavar="N", help="another chance (default: 0)")
    add(
        "--sampling",
        default=_PLAIN,
        metavar="PRESET",
        help=f"such as draft or faithful (default: {_PLAIN})",
    )
    add("--steps", type=int, metavar="N", help="of the sampler, in place of the preset's")
    add(
        "--gap",
        type=int,
        metavar="N",
        help="of a folder: frames from keyframe to keyframe (default: 26 for clips of 14, 48 for 25)",
    )
    add("--frames", type=int, metavar="N", help="of each clip (default: as the model's; 14 without)")
    add("--size", metavar="WxH", help="of each clip (default: 64x64; of a folder, as its first video)")
    add("--finish", action="store_true", help="give generated clips the keyframes' colours and detail, as engines do")
    add("--fid", type=Path, metavar="FILE", help="measure FID, with weights of its network in safetensors")
    add("--fvd", type=Path, metavar="FILE", help="measure FVD, likewise")
    add("--sheets", type=int, default=8, metavar="N", help="how many first pairs to show (default: 8)")
    add("--keyframes", action="store_true", help="write the keyframes of all pairs too, for other programs to fill")
    add("--batch", type=int, metavar="N", help="pairs at once (default: 8 small ones, 1 of full size)")
    add("--memory", choices=("low", "high"), default="high", help="low: one branch after the other, 4 frames decoded")
    add("--chunk", type=int, metavar="N", help="decode so many frames at once, where memory is short")
    add("--device", metavar="NAME", help="cpu, cuda, cuda:N or mps (default: the fastest)")
    add("--dtype", metavar="NAME", help="float32, bfloat16 or float16 (default: what is fastest)")
    add("--train-sizes", metavar="N,N", help="learn adapters from so many clips, in place of --adapter and --unrotated")
    add("--train-videos", default=_TOYWORLD, metavar="DIR", help="what they learn from (default: toyworld)")
    add("--train-steps", type=int, default=500, metavar="N", help="steps of each training (default: 500)")
    add("--train-rate", type=float, default=1e-4, metavar="R", help="how fast they learn (default: 0.0001)")
    add("--train-batch", type=int, default=4, metavar="N", help="clips in each step of a training (default: 4)")
    add(
        "--train-untold",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="of the samples: hide the picture, so that guidance is learnt too (default: 0)",
    )
    add("--train-seeds", type=int, default=1, metavar="K", help="trainings of each kind (default: 1)")
    add("--json", action="store_true", help="print events as JSON lines")
    return parser


def run(args: argparse.Namespace) -> int:
    """Fill, measure, write and print."""
    if args.table == bench_dance.NAME:
        return bench_dance.run(args)
    from keyweave.base.errors import InputError  # noqa: PLC0415 - the help must be quick
    from keyweave.bench.contenders import (  # noqa: PLC0415
        check_names,
        check_results,
        check_samplings,
        contenders,
        needs_model,
    )
    from keyweave.bench.elsewhere import write_keyframes  # noqa: PLC0415
    from keyweave.bench.run import bench_inbetween  # noqa: PLC0415
    from keyweave.bench.standard import check_standards  # noqa: PLC0415
    from keyweave.bench.summary import summarise  # noqa: PLC0415
    from keyweave.bench.table import write_report  # noqa: PLC0415
    from keyweave.bench.trained import school  # noqa: PLC0415

    names = [name.strip() for name in args.methods.split(",") if name.strip()]
    check_names(names)
    bench_dance.check_folder(args.output)
    for flag, least in _LEAST.items():
        value = getattr(args, flag.replace("-", "_"))
        if value is not None and value < least:
            raise InputError(f"--{flag} is {value}; it should be {least} or more.")
    if args.pairs is not None and args.pairs > _MOST_PAIRS:
        raise InputError(f"--pairs is {args.pairs}; it should be {_MOST_PAIRS:,} or less.")
    _refuse_idle(args, names)
    sampling, schooling = _sampling(args), _schooling(args, names)
    if args.gap is not None and args.data == _TOYWORLD:
        raise InputError("--gap is for folders of videos; clips of the drawn world go from end to end.")
    with watched(args.command, as_json=args.json) as progress:
        standards = _standards(args)
        learnt = _learnt(args, sampling, progress) if needs_model(names) else None
        check_samplings(names, sampling)
        material = _material(args, learnt, progress)
        check_results(names, len(material.pairs))
        check_standards(standards, material)
        pupils: list[Pupil] = []
        if schooling is not None and learnt is not None:  # after all that can be wrong: trainings take hours
            place, filled = args.output / "adapters", None if args.data == _TOYWORLD else Path(args.data)
            pupils = school(names, learnt.model, schooling, place, filled=filled, device=args.device, progress=progress)
        everybody = contenders(names, learnt, pupils, progress=progress)
        if args.keyframes:
            write_keyframes(args.output / "keyframes", material.pairs)
        findings = bench_inbetween(
            material,
            everybody,
            args.output / "cache",
            judge=_judge(args) if material.others else None,
            standards=standards,
            seeds=args.seeds,
            seed=args.seed,
            shown=args.sheets,
            batch=args.batch,
            progress=progress,
        )
        summary = summarise(findings, progress=progress)
        written = write_report(args.output, summary)
        progress.end()
    _show(args, summary, written)
    return 0


def _refuse_idle(args: argparse.Namespace, names: list[str]) -> None:
    """Refuse a model and adapters that no method would use, lest a table be taken for theirs."""
    from keyweave.base.errors import InputError  # noqa: PLC0415
    from keyweave.bench.contenders import needs_model  # noqa: PLC0415
    from keyweave.bench.names import method_of  # noqa: PLC0415
    from keyweave.systems.inbetween.methods import METHODS  # noqa: PLC0415

    if args.model is not None and not needs_model(names):
        raise InputError("--model is given, and no method that is named works with a model.", "Leave it out.")
    for flag, needs in (("adapter", "rotated adapter"), ("unrotated", "unrotated adapter")):
        if getattr(args, flag) is None:
            continue
        if args.train_sizes is not None:
            raise InputError(f"--{flag} and --train-sizes: adapters are learnt, or given.", "Leave one of them out.")
        takers = [name for name, method in METHODS.items() if method.needs == needs]
        if not any(method_of(name) in takers for name in names):
            raise InputError(f"--{flag} is for {' and '.join(takers)}, which --methods does not name.", "Leave it out.")


def _sampling(args: argparse.Namespace) -> Sampling:
    from dataclasses import replace  # noqa: PLC0415

    from keyweave.base.errors import InputError  # noqa: PLC0415
    from keyweave.systems.inbetween.presets import parse_sampling  # noqa: PLC0415

    try:
        sampling = parse_sampling(args.sampling)
        return sampling if args.steps is None else replace(sampling, steps=args.steps)
    except ValueError as fault:
        raise InputError(f"--sampling: {fault}.") from None


def _learnt(args: argparse.Namespace, sampling: Sampling, progress: Progress) -> Learnt:
    from keyweave.bench.contenders import Learnt  # noqa: PLC0415
    from keyweave.models.finding import find  # noqa: PLC0415

    model = find(args.model or _MODEL, "image-to-video", progress=progress)
    low = args.memory == "low"
    chunk = _LOW_CHUNK if low and args.chunk is None else args.chunk
    return Learnt(model, sampling, args.adapter, args.unrotated, args.device, args.dtype, chunk, low, args.finish)


def _schooling(args: argparse.Namespace, names: list[str]) -> Schooling | None:
    from keyweave.base.errors import InputError  # noqa: PLC0415
    from keyweave.bench.trained import Schooling, taught  # noqa: PLC0415

    if args.train_sizes is None:
        return None
    try:
        sizes = tuple(dict.fromkeys(int(size) for size in args.train_sizes.split(",")))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 2:
        raise InputError(f"--train-sizes is {args.train_sizes!r}; it should be such as 50,100,150, each 2 or more.")
    if not 0 < args.train_rate < 1:
        raise InputError(f"--train-rate is {args.train_rate:g}; it should be above 0 and below 1.")
    if not 0 <= args.train_untold < 1:
        raise InputError(f"--train-untold is {args.train_untold:g}; it should be from 0 to below 1.")
    if not taught(names):
        raise InputError("--train-sizes is for methods that learn.", "Add full or no-rotation to --methods.")
    return Schooling(
        sizes,
        videos=args.train_videos,
        steps=args.train_steps,
        rate=args.train_rate,
        batch=args.train_batch,
        seeds=args.train_seeds,
        untold=args.train_untold,
    )


def _material(args: argparse.Namespace, learnt: Learnt | None, progress: Progress) -> Material:
    from keyweave.base.errors import InputError  # noqa: PLC0415
    from keyweave.bench.pairs import folder_pairs, toyworld_pairs  # noqa: PLC0415
    from keyweave.models.finding import frames_of  # noqa: PLC0415
    from keyweave.timeline.times import parse_size  # noqa: PLC0415

    try:
        size = None if args.size is None else parse_size(args.size)
    except ValueError as fault:
        raise InputError(f"--size: {fault}.") from None
    frames = args.frames or (14 if learnt is None else frames_of(learnt.model))
    if args.data != _TOYWORLD:
        return folder_pairs(Path(args.data), args.pairs, gap=args.gap, frames=frames, size=size, progress=progress)
    pairs = _PAIRS if args.pairs is None else args.pairs
    others = max(_FEWEST_OTHERS, min(_OTHERS, 4 * pairs))
    return toyworld_pairs(pairs, others=others, frames=frames, size=size or (64, 64), progress=progress)


def _judge(args: argparse.Namespace) -> Judge:
    from keyweave.bench.run import Judge  # noqa: PLC0415
    from keyweave.models.finding import find  # noqa: PLC0415
    from keyweave.perceive.features import load_features  # noqa: PLC0415

    found = find("toy-features", "features")
    return Judge(load_features(found, device=args.device), found.mark())


def _standards(args: argparse.Namespace) -> list[Standard]:
    from keyweave.bench.standard import KINDS, load_standard  # noqa: PLC0415

    weights = {key: getattr(args, key) for key in KINDS}
    return [load_standard(key, path, device=args.device) for key, path in weights.items() if path is not None]


def _show(args: argparse.Namespace, summary: Summary, written: Path) -> None:
    from keyweave.bench.table import difference_rows, means_rows, standard_lines  # noqa: PLC0415
    from keyweave.metrics.records import table  # noqa: PLC0415

    if args.json:
        show_json({"event": "benchmarked", "report": str(written), **summary.as_dict()})
        return
    print(table(means_rows(summary)))
    for line in standard_lines(summary):
        print(f"\n{line}")
    sure = [row for row in difference_rows(summary) if row["zero"] == "excluded"]
    if sure:
        print(f"\n{summary.ours} minus others, where 95 % intervals exclude zero:\n{table(sure)}")
    print(f"\n{written}")
