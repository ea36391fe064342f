"""Painters: tiny models of random weights, of each family, paint what diffusers' own pipelines paint."""

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from keyweave.base.errors import ModelError
from keyweave.base.seeds import derive
from keyweave.models.finding import find
from keyweave.models.loading import load
from keyweave.systems.dance.painting.families import find_painter, painter_of
from keyweave.systems.dance.painting.flux import FluxPainter
from keyweave.systems.dance.painting.painter import Wish, paint
from keyweave.systems.dance.painting.parts import packed, unpacked
from keyweave.systems.dance.painting.qwen import QwenPainter

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning"),  # diffusers warns of itself
]
diffusers: Any = importlib.import_module("diffusers")
SIZE = (48, 64)
PROMPT = "A photo of ohwx marmot dancing on a meadow."


@pytest.fixture(scope="module", params=["tiny_flux", "tiny_qwen"])
def folders(request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """A model and its ControlNet, of each family."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def painter(folders: tuple[Path, Path]) -> Any:
    return find_painter(*map(str, folders))


@pytest.fixture(scope="module")
def edges() -> torch.Tensor:
    drawn = -torch.ones(1, 3, 64, 48)
    drawn[..., 20:22, 8:40] = drawn[..., 20:60, 8:10] = 1
    return drawn


@pytest.mark.parametrize("pixels", [True, False])
def test_flux_paints_what_the_stock_pipeline_paints(
    tiny_flux: tuple[Path, Path], make_flux: Any, edges: torch.Tensor, tmp_path: Path, pixels: bool
):
    """With a ControlNet that looks at pixels, as the thesis's does, and with one that looks at latents."""
    flux, canny = tiny_flux if pixels else make_flux(tmp_path, pixels=False)
    painter = find_painter(str(flux), str(canny))
    control = diffusers.FluxControlNetModel.from_pretrained(canny)
    stock = diffusers.FluxControlNetPipeline.from_pretrained(flux, controlnet=control)
    stock.set_progress_bar_config(disable=True)
    wish = Wish(painter.words(PROMPT), painter.hints(edges), SIZE, 3.5)
    mine = paint(painter, wish, seed=4, steps=3)[0]
    theirs = stocked(stock, painter, edges, guidance_scale=3.5, max_sequence_length=32)
    assert torch.allclose((mine / 2 + 0.5).clamp(0, 1), theirs, atol=1e-5)


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_qwen_paints_what_the_stock_pipeline_paints(tiny_qwen: tuple[Path, Path], edges: torch.Tensor, guidance: float):
    """Without guidance, as it learns, and with it; the stock pipeline goes away from the prompt that is given."""
    qwen, union = tiny_qwen
    painter = find_painter(str(qwen), str(union))
    control = diffusers.QwenImageControlNetModel.from_pretrained(union)
    stock = diffusers.QwenImageControlNetPipeline.from_pretrained(qwen, controlnet=control)
    stock.set_progress_bar_config(disable=True)
    mine = paint(painter, Wish(painter.words(PROMPT), painter.hints(edges), SIZE, guidance), seed=4, steps=3)[0]
    theirs = stocked(stock, painter, edges, true_cfg_scale=guidance, negative_prompt=" ")
    assert torch.allclose((mine / 2 + 0.5).clamp(0, 1), theirs, atol=1e-5)


def stocked(stock: Any, painter: Any, edges: torch.Tensor, **more: Any) -> torch.Tensor:
    """Let a pipeline of diffusers paint, beginning with the noise that `paint` begins with."""
    noise = torch.randn(1, *painter.shape(SIZE), generator=torch.Generator().manual_seed(derive(4, "painting")))
    sized: dict[str, Any] = {"width": SIZE[0], "height": SIZE[1], "num_inference_steps": 3}
    return stock(PROMPT, control_image=edges, latents=noise, output_type="pt", **sized, **more).images[0]


def test_several_are_painted_as_one_by_one(painter: Any, edges: torch.Tensor):
    drawn = painter.hints(torch.cat([edges, edges.flip(3)]))

    def made(hints: torch.Tensor) -> torch.Tensor:
        return paint(painter, Wish(painter.words(PROMPT), hints, SIZE, painter.guidance), seed=2, steps=2)

    assert torch.allclose(made(drawn), torch.cat([made(drawn[:1]), made(drawn[1:])]), atol=1e-5)


def test_the_seed_the_words_the_edges_and_guidance_decide(painter: Any, edges: torch.Tensor):
    def made(prompt: str = PROMPT, drawn: torch.Tensor = edges, seed: int = 1, guidance: float = 3.5) -> torch.Tensor:
        wish = Wish(painter.words(prompt), painter.hints(drawn), SIZE, guidance)
        return paint(painter, wish, seed=seed, steps=2)

    first = made()
    assert torch.equal(first, made())
    for other in (made(seed=2), made("another"), made(drawn=edges.flip(3)), made(guidance=1.0)):
        assert not torch.allclose(first, other, atol=1e-4)


def test_what_is_loaded_is_what_diffusers_loads(folders: tuple[Path, Path]):
    stock = diffusers.DiffusionPipeline.from_pretrained(folders[0])
    for dtype in ("float32", "float16"):
        ours: Any = load(find(str(folders[0])), "text-to-image", device="cpu", dtype=dtype)
        for name in {"transformer", "vae", "text_encoder", "text_encoder_2"} & stock.components.keys():
            mine, theirs = getattr(ours, name).state_dict(), getattr(stock, name).state_dict()
            assert mine.keys() == theirs.keys()
            assert all(torch.allclose(mine[key].float(), theirs[key], atol=1e-3) for key in mine)
        assert ours.vae.dtype == torch.float32, "its numbers are too large for half precision"
        for name in {"tokenizer", "tokenizer_2"} & stock.components.keys():
            assert getattr(ours, name)(PROMPT).input_ids == stock.components[name](PROMPT).input_ids
        assert ours.scheduler.config == stock.scheduler.config


def test_an_index_cannot_name_other_classes(folders: tuple[Path, Path], tmp_path: Path):
    copy = Path(shutil.copytree(folders[0], tmp_path / "model"))
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps(index | {"tokenizer": ["os", "system"]}))
    with pytest.raises(ModelError, match=r"tokenizer is a system; keyweave loads only \w+Tokenizer or \w+Fast there"):
        find(str(copy))
    (copy / "model_index.json").write_text(json.dumps(index))
    shutil.rmtree(copy / "text_encoder")
    with pytest.raises(ModelError, match="is incomplete: it has no text_encoder/"):
        find(str(copy))


def test_a_pipeline_has_the_parts_of_its_own_family(folders: tuple[Path, Path], tmp_path: Path):
    """Whichever of them diffusers saved: with the ControlNet inside it paints without it."""
    copy = Path(shutil.copytree(folders[0], tmp_path / "model"))
    index = json.loads((copy / "model_index.json").read_text())
    mine = index["_class_name"]
    (copy / "model_index.json").write_text(
        json.dumps(index | {"_class_name": mine.replace("Pipeline", "ControlNetPipeline")})
    )
    assert find(str(copy)).kind == "text-to-image"
    other = "FluxPipeline" if mine == "QwenImagePipeline" else "QwenImagePipeline"
    (copy / "model_index.json").write_text(json.dumps(index | {"_class_name": other}))
    with pytest.raises(ModelError, match=r"/vae is a AutoencoderKL\w*; keyweave loads only AutoencoderKL\w* there"):
        find(str(copy))


def test_packing_by_slow_loops():
    latents = torch.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    tokens = packed(latents)
    assert tokens.shape == (2, 6, 12)
    for row in range(2):
        for column in range(3):
            for channel in range(3):
                for down in range(2):
                    for right in range(2):
                        expected = latents[:, channel, 2 * row + down, 2 * column + right]
                        assert torch.equal(tokens[:, 3 * row + column, 4 * channel + 2 * down + right], expected)
    assert torch.equal(unpacked(tokens, 2), latents)


def test_a_flow_goes_straight_from_noise_to_the_picture(painter: Any, edges: torch.Tensor):
    """With the velocity noise - x, known for one picture, Euler arrives at it whatever the steps are."""
    goal = torch.randn(1, *painter.shape(SIZE))

    class Straight(type(painter)):
        def velocity(self, x: torch.Tensor, sigma: torch.Tensor, wish: Wish) -> torch.Tensor:
            return (x - goal) / sigma[:, None, None]

        def pictures(self, latents: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
            return latents

    straight = Straight(**{name: getattr(painter, name) for name in painter.__dataclass_fields__})
    assert torch.allclose(paint(straight, Wish((), edges, SIZE, 1.0), seed=0, steps=3), goal, atol=1e-5)


def test_levels_of_noise_go_from_1_to_0(painter: Any):
    """Also in one step, where a scheduler that stretches them knows no answer."""
    for steps in (1, 2, 5):
        found = painter.sigmas(steps, SIZE)
        assert len(found) == steps + 1
        assert (found[0], found[-1]) == (1, 0)
        assert (found.diff() < 0).all()


def test_pictures_come_back_from_latents(painter: Any):
    """As from the autoencoder itself."""
    pictures = torch.rand(2, 3, 64, 48) * 2 - 1
    vae = painter.model.vae
    shaped = pictures[:, :, None] if isinstance(painter, QwenPainter) else pictures  # it encodes films
    with torch.no_grad():
        expected = vae.decode(vae.encode(shaped).latent_dist.mean).sample.view_as(pictures)
    assert torch.allclose(painter.pictures(painter.latents(pictures), SIZE), expected, atol=1e-5)


def test_the_pipeline_decides_which_family_paints(tiny_flux: tuple[Path, Path], tiny_qwen: tuple[Path, Path]):
    assert isinstance(find_painter(*map(str, tiny_flux)), FluxPainter)
    assert isinstance(find_painter(*map(str, tiny_qwen)), QwenPainter)
    for (model, _), (_, other) in ((tiny_flux, tiny_qwen), (tiny_qwen, tiny_flux)):
        with pytest.raises(ModelError, match=r"is a \w+ControlNetModel; here a \w+ControlNetModel is needed"):
            find_painter(str(model), str(other))


def test_doors(folders: tuple[Path, Path], tmp_path: Path, make_flux: Any, make_qwen: Any):
    model, control = map(str, folders)
    with pytest.raises(ModelError, match="is a model of kind part; here one of kind text-to-image is needed"):
        find_painter(control, control)
    with pytest.raises(ModelError, match="is a model of kind text-to-image; here one of kind part is needed"):
        find_painter(model, model)
    with pytest.raises(ModelError, match=r"is a AutoencoderKL\w*; here a \w+ControlNetModel is needed"):
        find_painter(model, f"{model}/vae")
    _, other = (make_flux if "flux" in model else make_qwen)(tmp_path, channels=8)
    with pytest.raises(ModelError, match="cannot control .*: its in_channels is 32, and there 16"):
        find_painter(model, str(other))


def test_a_controlnet_for_other_things(
    tiny_flux: tuple[Path, Path], tiny_qwen: tuple[Path, Path], make_qwen: Any, tmp_path: Path
):
    flux, canny = (find(str(folder)) for folder in tiny_flux)
    part = load(canny, "part")
    network: Any = part.network
    network.union = True
    try:
        with pytest.raises(ModelError, match="listens to several kinds of control at once. Take one"):
            painter_of(load(flux, "text-to-image"), part)
    finally:
        network.union = False
    _, filling = make_qwen(tmp_path, more=4)
    with pytest.raises(ModelError, match="fills holes in a picture. Take one that follows canny edges"):
        find_painter(str(tiny_qwen[0]), str(filling))
