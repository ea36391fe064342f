"""Draw the pictures of the pages anew (`make pictures`), or sheets of your own pairs beside them.

python docs/make_pictures.py                      # those of the pages, into docs/pictures/
python docs/make_pictures.py --generate           # those that toy-video draws: minutes
python docs/make_pictures.py --dance              # those of the page about dances alone: two minutes
python docs/make_pictures.py FOLDER ... -o SHEETS # folders with two pictures each: the first and the last by name
"""

import argparse
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image as PillowImage
from PIL import ImageDraw

import keyweave
from keyweave.app.dancing import CHOREOGRAPHY
from keyweave.app.demo import make_demo
from keyweave.app.demo_dance import KEYFRAMES, make_dance_demo
from keyweave.app.reports import report_on
from keyweave.diffusion.denoisers import velocity
from keyweave.diffusion.exchange import AttentionExchange, Giving, temporal_layers
from keyweave.diffusion.image_to_video import condition_on, image_to_video
from keyweave.diffusion.noise import gaussian
from keyweave.diffusion.vae import encode
from keyweave.maths.tensors import to_frames, to_tensor
from keyweave.media.clips import open_frames
from keyweave.media.curves import Curve, Panel, curves_picture
from keyweave.media.pictures.images import write_image
from keyweave.media.sheet import contact_sheet, strip
from keyweave.media.types import Frame, Image
from keyweave.metrics.panels import report_panels
from keyweave.models.finding import find
from keyweave.models.loading import load
from keyweave.perceive.tracks import read_track
from keyweave.systems.dance.clock import STRONGEST, beat_warp
from keyweave.systems.dance.files import ChoreographyFile, read_file
from keyweave.systems.dance.matrix_chart import matrix_chart
from keyweave.systems.dance.motions import motion_of
from keyweave.systems.dance.naming import label_segments
from keyweave.systems.dance.stages import mirrored_names
from keyweave.toyworld.export import Cast, sheet, shots
from keyweave.toyworld.landscape import landscape
from keyweave.toyworld.scenes import KINDS, scene_of
from keyweave.toyworld.shots import shoot

PICTURES = Path(__file__).parent / "pictures"
BETWEEN = 15
SHOWN = (0, 4, 8, 12, 16)  # of the 17 frames, both keyframes with them
Scene = Callable[[float], Frame]
WIDE, HIGH = 640, 360
ON_A_SHEET = 12
LAKE = landscape("noon", 3 * WIDE // 2, 3 * HIGH // 2).pixels


def boat(t: float) -> Frame:
    """A boat that crosses a third of the picture and comes nearer."""
    return landscape("noon", WIDE, HIGH, boat=(0.3 + t / 3, 0.2 + 0.3 * t)).pixels


def push(t: float) -> Frame:
    """A camera that pushes in and pans."""
    scale = 1 - t / 3
    left, top = 300 * t, 120 * t
    matrix = np.array([[scale * 1.5, 0, left], [0, scale * 1.5, top]], np.float32)
    seen = cv2.warpAffine(LAKE, matrix, (WIDE, HIGH), flags=cv2.INTER_AREA | cv2.WARP_INVERSE_MAP)
    return np.asarray(seen, np.uint8)


def dusk(t: float) -> Frame:
    """Noon that becomes dusk while a boat passes: light and motion at once."""
    return landscape("noon" if t < 0.5 else "dusk", WIDE, HIGH, boat=(0.4 + 0.15 * t, 0.4)).pixels


def wheel(t: float) -> Frame:
    """A wheel of eight spokes that turns by a third of a circle: every spoke meets another one's picture."""
    return drawn(t, turn=120, spokes=8, path=(0, 0))


def ball(t: float) -> Frame:
    """A small ball that flies across three quarters of the picture: far beyond its own size."""
    return drawn(t, turn=0, spokes=0, path=(480, 0), radius=12)


def drawn(t: float, *, turn: float, spokes: int, path: tuple[float, float], radius: int = 110) -> Frame:
    """Draw a wheel before the lake."""
    picture = PillowImage.fromarray(LAKE[:HIGH, :WIDE]).resize((2 * WIDE, 2 * HIGH))
    ink = ImageDraw.Draw(picture)
    x = WIDE - path[0] + 2 * path[0] * t
    y = 340 - path[1] + 2 * path[1] * t
    r = 2 * radius
    ink.ellipse((x - r, y - r, x + r, y + r), (236, 220, 200), (120, 40, 30), max(4, r // 9))
    for number in range(spokes):
        angle = np.radians(turn * t + 360 * number / spokes)
        ink.line((x, y, x + 0.9 * r * np.cos(angle), y + 0.9 * r * np.sin(angle)), (120, 40, 30), r // 12)
    return np.asarray(picture.resize((WIDE, HIGH), PillowImage.Resampling.LANCZOS))


SCENES: dict[str, Scene] = {scene.__name__: scene for scene in (boat, push, dusk, wheel, ball)}


def sheet_of(first: Frame, last: Frame, title: str) -> Image:
    """Set what `flow` draws above what `crossfade` draws."""
    rows = []
    for engine in ("flow", "crossfade"):
        clip = keyweave.inbetween([first, last], frames=BETWEEN, fps=16, engine=engine).clip
        rows.append((engine, [clip.frames[number] for number in SHOWN]))
    return strip(rows, times=[Fraction(number, 16) for number in SHOWN], title=title)


def world() -> None:
    """Draw who lives in the drawn world: each kind of actor, and the puppets."""
    kinds = [
        shot for n, kind in enumerate(KINDS) for shot in shots("test", 1, kind=kind, seed=n, size=(96, 96), truth=False)
    ]
    write_image(PICTURES / "toyworld-actors.png", sheet(kinds), overwrite=True)
    casts: tuple[Cast, ...] = ("creature", "dancer", "face")
    puppets = [shot for cast in casts for shot in shots("test", 1, cast=cast, size=(128, 128), truth=False)]
    write_image(PICTURES / "toyworld-cast.png", sheet(puppets), overwrite=True)


def generations(count: int = 24, first: int = 1000) -> None:
    """Let toy-video go on from the first frames of test clips, one after another and none picked."""
    model = load(find("toy-video", "image-to-video"))
    for number in range(0, count, ON_A_SHEET):
        clips = np.stack([shoot(scene_of("test", first + number + k)).frames for k in range(ON_A_SHEET)])
        starts = to_tensor(clips[:, 0]).to(model.unet.device, model.unet.dtype)
        made = to_frames(image_to_video(model, starts, seed=0))
        rows = [
            (f"{first + number + k}", [clip[0], *drawn[1::2]])
            for k, (clip, drawn) in enumerate(zip(clips, made, strict=True))
        ]
        picture = strip(rows, title="Left: the first frame. The rest: every second frame that was made", cell_width=64)
        write_image(PICTURES / f"toy-video-{number // ON_A_SHEET + 1}.png", picture, overwrite=True)


@torch.no_grad()
def attention(number: int = 1005, sigma: float = 3.0) -> None:
    """Show how frames of a test clip attend to one another forward, turned by 180 degrees, and backward."""
    model = load(find("toy-video", "image-to-video"))
    clip = to_tensor(shoot(scene_of("test", number)).frames)
    latents = encode(model.vae, clip).mode() * model.vae.config["scaling_factor"]
    noisy = latents + sigma * gaussian(tuple(latents.shape), 0, "attention")
    seen = []
    for film, picture in ((noisy, clip[:1]), (noisy.flip(0), clip[-1:])):
        maps: dict[str, torch.Tensor] = {}
        layers = {name: Giving(maps, name) for name in temporal_layers(model.unet)}
        with AttentionExchange(model.unet, layers):
            velocity(model.unet, film[None], torch.tensor(sigma), condition_on(model, picture, len(clip), seed=0))
        seen.append(maps)
    rows = []
    turned = {name: each.flip((2, 3)) for name, each in seen[0].items()}
    for label, maps in (("forward", seen[0]), ("forward, turned", turned), ("backward", seen[1])):
        drawn = []
        for each in maps.values():
            mean = each.mean((0, 1)).numpy()
            grey = np.asarray(255 * np.sqrt(mean / mean.max()), np.uint8)
            drawn.append(np.repeat(cv2.resize(grey, (112, 112), interpolation=cv2.INTER_NEAREST)[..., None], 3, axis=2))
        rows.append((label, drawn))
    title = "Each layer of toy-video: which frames (across) does each frame (down) look at? Bright is much"
    write_image(PICTURES / "attention.png", strip(rows, title=title, cell_width=112), overwrite=True)


def dances() -> None:
    """Let the drawn creature dance, and show each stage of that."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = make_dance_demo(folder)
        for stage, width in (("choreography", 720), ("plan", 1200)):
            write_small(f"dance-{stage}.png", keyweave.read_image(made.folder / f"{stage}.png"), width)
        (truth,) = folder.glob("dancer/*/truth.npz")
        segments = read_file(made.folder / CHOREOGRAPHY, ChoreographyFile).segments()
        labelled = label_segments(
            motion_of(read_track(truth)), [(float(one.start), float(one.stop)) for one in segments]
        )
        write_small("dance-matrix.png", matrix_chart(labelled, title="The drawn dancer"))
        write_small("dance-mirror.png", mirroring(folder, made.folder / "plan-keyframes"))
        with open_frames(folder / "dance.mp4") as film:
            sheet_ = contact_sheet(film, title="dance.mp4", columns=8, count=24, cell_width=106)
        write_small("dance-film.png", sheet_)
    write_small("dance-clock.png", clock())


def write_small(name: str, picture: Image, width: int = 1280) -> None:
    """Write a picture of the pages with 256 colours, and no wider than that."""
    whole = PillowImage.fromarray(picture.pixels[..., :3])
    if whole.width > width:
        whole = whole.resize((width, round(whole.height * width / whole.width)), PillowImage.Resampling.LANCZOS)
    whole.quantize(256, PillowImage.Quantize.MAXCOVERAGE, kmeans=1, dither=PillowImage.Dither.NONE).save(
        PICTURES / name, optimize=True
    )


def mirroring(given: Path, mirrored: Path) -> Image:
    """Set keyframes above their mirrored ones, and the background that all share below."""

    def row(folder: Path, names: list[str]) -> list[Frame]:
        return [keyweave.read_image(folder / name).pixels[..., :3] for name in names]

    rows = [
        ("given", row(given, [f"pose-{number}.png" for number in range(1, KEYFRAMES + 1)])),
        ("mirrored", row(mirrored, mirrored_names(KEYFRAMES)[KEYFRAMES:])),
        ("background", row(mirrored, ["background.png"])),
    ]
    return strip(rows, title="The subject is turned round, not the place", cell_width=150)


def clock() -> Image:
    """Show how a motion goes from one beat to the next, at three strengths."""
    hundredths = np.linspace(0, 1, 101)
    names, way, speed = ("steady (0)", "as it is (1)", f"strongest ({STRONGEST:g})"), [], []
    for name, strength in zip(names, (0, 1, STRONGEST), strict=True):
        passed, come = np.array(beat_warp(strength).knots, np.float64).T
        way.append(Curve(name, np.interp(hundredths, passed, come).tolist()))
        speeds = np.interp(hundredths, (passed[:-1] + passed[1:]) / 2, np.diff(come) / np.diff(passed))
        speed.append(Curve(name, speeds.tolist()))
    panels = [Panel("how far the motion has come", way, floor=0, ceiling=1), Panel("how fast it is", speed, floor=0)]
    return curves_picture(panels, title="From one beat to the next, by --strength", width=800, axis="%")


def pages() -> None:
    """Draw all pictures of the pages."""
    world()
    dances()
    for name, scene in SCENES.items():
        title = (scene.__doc__ or "").splitlines()[0].rstrip(".")
        write_image(PICTURES / f"flow-{name}.png", sheet_of(scene(0), scene(1), title), overwrite=True)
    with tempfile.TemporaryDirectory() as folder:
        boats, day = make_demo(Path(folder) / "demo")
        for demo in (boats, day):
            write_image(PICTURES / demo.sheet.name, keyweave.read_image(demo.sheet), overwrite=True)
        measured = report_on(boats.film.path or Path())
        curves = curves_picture(report_panels(measured.report), title="boat.mp4", keyframes=measured.keyframes)
        write_image(PICTURES / "boat-curves.png", curves, overwrite=True)


def main() -> None:
    """Draw those of the pages, or sheets of the folders that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("-o", "--output", type=Path, default=Path("sheets"))
    parser.add_argument("--generate", action="store_true")
    parser.add_argument("--dance", action="store_true")
    options = parser.parse_args()
    if options.generate:
        generations()
        attention()
    if options.dance:
        dances()
    elif not (options.generate or options.folders):
        pages()
    for folder in options.folders:
        pictures = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg", ".webp"))
        first, *_, last = sorted(pictures, key=lambda path: path.stem.startswith("end"))
        made = sheet_of(keyweave.read_image(first).pixels, keyweave.read_image(last).pixels, folder.name)
        options.output.mkdir(parents=True, exist_ok=True)
        write_image(options.output / f"{folder.name}.png", made, overwrite=True)


if __name__ == "__main__":
    main()
