"""Every method against what it is said to be: a known one with some numbers changed, or a loop written out."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from keyweave.base.errors import InputError
from keyweave.base.progress import Event, Progress
from keyweave.diffusion.denoisers import Condition, sigmas_of
from keyweave.diffusion.exchange import temporal_layers
from keyweave.diffusion.image_to_video import condition_on, image_to_video, pictures_of
from keyweave.diffusion.noise import gaussian
from keyweave.diffusion.vae import encode
from keyweave.systems.inbetween import methods
from keyweave.systems.inbetween.accounts import account
from keyweave.systems.inbetween.dual import Backward
from keyweave.systems.inbetween.generate import between
from keyweave.systems.inbetween.methods import METHODS, make
from keyweave.systems.inbetween.sampling import Sampling

pytestmark = pytest.mark.usefixtures("one_thread")

FRAMES, SEED = 4, 7
PLAIN_METHODS = [name for name, method in METHODS.items() if method.needs == "none"]


class Quick(torch.nn.Module):
    """Stands in for a network: what it answers depends on all that it is told, and on which frame comes first."""

    def __init__(self) -> None:
        super().__init__()
        self.dtype, self.config, self.attn_processors = torch.float32, {"num_frames": FRAMES}, {}
        chance = torch.Generator().manual_seed(5)
        self.channels, self.seen = (torch.randn(size, 4, generator=chance) / 3 for size in (8, 32))
        self.frames = torch.eye(FRAMES) + torch.randn(FRAMES, FRAMES, generator=chance) / 3

    def set_attn_processor(self, _: Any) -> None:
        pass

    def forward(self, x: Tensor, time: Tensor, seen: Tensor, ids: Tensor, return_dict: bool) -> tuple[Tensor]:
        mixed = torch.einsum("bfchw,cd,fg->bgdhw", x, self.channels, self.frames)
        told = (seen @ self.seen + ids.sum(1)[:, None, None] / 100)[..., None, None]
        return ((mixed + told + time).tanh(),)


@pytest.fixture(scope="module")
def quick(tiny: Any) -> Any:
    """Its noise begins at 5, so that what the first steps do is not lost in it."""
    scheduler = type(tiny.scheduler).from_config(tiny.scheduler.config, sigma_max=5.0)
    return SimpleNamespace(**{**vars(tiny), "unet": Quick(), "scheduler": scheduler})


@pytest.fixture(scope="module")
def pair() -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(2)
    return tuple(torch.rand(1, 3, 32, 32, generator=chance) * 2 - 1 for _ in range(2))  # type: ignore[return-value]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `between` is asked by a method, which then makes nothing."""
    words: dict[str, Any] = {}
    monkeypatch.setattr(methods, "between", lambda *ends, **rest: words.update(rest) or ends[1])
    return words


class Written:
    """What a sampler written out is made of; frames are counted in the time of the film."""

    def __init__(self, model: Any, pair: tuple[Tensor, Tensor], steps: int) -> None:
        self.model = model
        self.conditions = [condition_on(model, picture, FRAMES, seed=SEED) for picture in pair]
        scale = model.vae.config["scaling_factor"]
        self.first, self.last = (encode(model.vae, picture).mode()[0] * scale for picture in pair)
        self.sigmas = sigmas_of(model.scheduler, steps)
        self.shape = tuple(self.conditions[0].latents.shape[1:])
        self.x = gaussian(self.shape, SEED, "latents", 0) * (self.sigmas[0] ** 2 + 1).sqrt()
        self.draws = 0

    def clean(self, sigma: Tensor, *, back: bool, told: bool = True) -> Tensor:
        """The clean guess of one branch."""
        condition: Condition = self.conditions[back]
        x = self.x.flip(0) if back else self.x
        given = torch.cat([x / (sigma**2 + 1).sqrt(), condition.latents[0] * told], dim=1)
        v = self.model.unet(given[None], sigma.log() / 4, condition.embedding * told, condition.ids, return_dict=False)
        clean = x / (sigma**2 + 1) - v[0][0] * sigma / (sigma**2 + 1).sqrt()
        return clean.flip(0) if back else clean

    def add_noise(self, now: Tensor, then: Tensor) -> None:
        self.x = self.x + gaussian(self.shape, SEED, "again", self.draws, 0) * (now**2 - then**2).sqrt()
        self.draws += 1

    def pictures(self) -> Tensor:
        return pictures_of(self.model.vae, self.x[None])


def by_time_reversal(written: Written, guidance: tuple[float, float]) -> None:
    """50 steps: after the tenth, back to where the sixth began."""
    sigmas = written.sigmas

    def step(number: int) -> None:
        now, then = sigmas[number], sigmas[number + 1]
        fused = torch.zeros_like(written.x)
        looks = {
            (back, told): written.clean(now, back=back, told=told) for back in (False, True) for told in (False, True)
        }
        for n in range(FRAMES):
            along = n / (FRAMES - 1)
            for back, share, own in ((False, 1 - along, along), (True, along, 1 - along)):
                scale = guidance[0] + (guidance[1] - guidance[0]) * own
                away, to = looks[back, False][n], looks[back, True][n]
                fused[n] += share * (away + scale * (to - away))
        written.x = written.x + (written.x - fused) / now * (then - now)

    for number in range(10):
        step(number)
    written.add_noise(sigmas[5], sigmas[10])
    for number in range(5, 50):
        step(number)


def conjugate_gradients(x: Tensor, frame: int, goal: Tensor, iterations: int = 5) -> Tensor:
    """Lead x to where this frame of it is the goal."""
    mask = torch.zeros(len(x), 1, 1, 1)
    mask[frame] = 1
    residual = mask * (goal - x)
    direction = residual
    for _ in range(iterations):
        if residual.norm() < 1e-5:
            break
        length = residual.square().sum() / (direction * (mask * direction)).sum()
        x = x + length * direction
        after = residual - length * mask * direction
        direction = after + after.square().sum() / residual.square().sum() * direction
        residual = after
    return x


def in_turns(written: Written, now: Tensor, then: Tensor) -> None:
    """One level of ViBiDSampler."""
    for back, frame, goal in ((False, -1, written.last), (True, 0, written.first)):
        clean = conjugate_gradients(written.clean(now, back=back), frame, goal)
        noise = (written.x - written.clean(now, back=back, told=False)) / now
        written.x = clean + then * noise
        if not back:
            written.add_noise(now, then)


def distilled(written: Written, now: Tensor, then: Tensor) -> None:
    """A turn of Motion Prior Distillation, in differences of noise that are summed up from the end."""
    x, clean = written.x.double(), written.clean(now, back=False).double()
    noise = (x - clean) / now
    back = torch.zeros_like(noise)
    back[-1] = (x[-1] - written.last) / now
    for n in range(FRAMES - 2, -1, -1):
        back[n] = back[n + 1] - (noise[n + 1] - noise[n])
    guess = conjugate_gradients((x - now * back).float(), 0, written.first)
    written.x = guess + then / now * (written.x - written.clean(now, back=False, told=False))
    written.add_noise(now, then)


@torch.no_grad()
def test_trf_is_its_loop_written_out(quick: Any, pair: tuple[Tensor, Tensor]):
    written = Written(quick, pair, 50)
    by_time_reversal(written, (1.0, 3.0))
    events: list[Event] = []
    made = make("trf", quick, *pair, seed=SEED, sampling=Sampling(steps=50), progress=Progress("", events.append))
    torch.testing.assert_close(made, written.pictures(), rtol=0, atol=1e-4)
    assert sum(event.kind == "step" for event in events) == 55


@torch.no_grad()
def test_trf_without_room_for_a_jump_is_the_plain_model_both_ways_fused_by_nearness(
    quick: Any, pair: tuple[Tensor, Tensor]
):
    sampling = Sampling(steps=12, repeats=2)
    made = make("trf", quick, *pair, seed=SEED, sampling=sampling)
    expected = between(quick, *pair, seed=SEED, sampling=replace(sampling, fusion="linear", repeats=0))
    assert torch.equal(made, expected)


@torch.no_grad()
def test_trf_with_repeats_is_the_plain_model_both_ways_that_looks_as_often_as_full(
    quick: Any, pair: tuple[Tensor, Tensor]
):
    sampling = Sampling(steps=6, repeats=2, share=0.5)
    made = make("trf-repeats", quick, *pair, seed=SEED, sampling=sampling)
    assert torch.equal(made, between(quick, *pair, seed=SEED, sampling=replace(sampling, fusion="linear")))
    assert account("trf-repeats", sampling).evaluations == account("full", sampling).evaluations


@pytest.mark.parametrize("name", ["vibid", "mpd"])
@torch.no_grad()
def test_alternating_samplers_are_their_loops_written_out(quick: Any, pair: tuple[Tensor, Tensor], name: str):
    written = Written(quick, pair, 6)
    for number in range(6):
        now, then = written.sigmas[number], written.sigmas[number + 1]
        if name == "mpd" and number < 2:  # of 6, a fifth: what begins before 1.2
            for _ in range(3):
                distilled(written, now, then)
        in_turns(written, now, then)
    events: list[Event] = []
    sampling = Sampling(steps=6)
    made = make(name, quick, *pair, seed=SEED, sampling=sampling, progress=Progress("", events.append))
    torch.testing.assert_close(made, written.pictures(), rtol=0, atol=1e-4)
    assert sum(event.kind == "step" for event in events) == (12 if name == "vibid" else 18)


@torch.no_grad()
def test_vibid_of_a_real_network_is_its_loop_written_out(tiny: Any, pair: tuple[Tensor, Tensor]):
    written = Written(tiny, pair, 2)
    for now, then in zip(written.sigmas[:-1], written.sigmas[1:], strict=True):
        in_turns(written, now, then)
    made = make("vibid", tiny, *pair, seed=SEED, sampling=Sampling(steps=2))
    torch.testing.assert_close(made, written.pictures(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("guidance", [(1.0, 1.0), (1.0, 3.0)])
@torch.no_grad()
def test_image_to_video_goes_on_from_the_first_picture_alone(
    quick: Any, pair: tuple[Tensor, Tensor], guidance: tuple[float, float]
):
    sampling = Sampling(steps=5, repeats=2, guidance=guidance)
    expected = image_to_video(quick, pair[0], seed=SEED, steps=5, guidance=guidance)
    for last in (pair[1], pair[0], pair[1][..., :16]):
        assert torch.equal(make("image-to-video", quick, pair[0], last, seed=SEED, sampling=sampling), expected)


def test_no_tuning_turns_the_maps_of_the_up_blocks_and_no_others(tiny: Any, asked: dict[str, Any], pair: Any):
    layers = temporal_layers(tiny.unet)
    make("no-tuning", tiny, *pair, seed=SEED)
    turned = asked["backward"].rotated
    assert {name.split(".")[0] for name in layers} == {"down_blocks", "mid_block", "up_blocks"}
    assert turned == tuple(name for name in layers if name.split(".")[0] == "up_blocks")
    assert not asked["backward"].weights


@torch.no_grad()
def test_no_tuning_is_the_sampler_with_those_maps_turned(tiny: Any, pair: tuple[Tensor, Tensor]):
    sampling = Sampling(steps=1, guidance=(1.0, 1.0))
    up = tuple(name for name in temporal_layers(tiny.unet) if "up_blocks" in name)
    expected = between(tiny, *pair, seed=SEED, sampling=sampling, backward=Backward(up))
    assert torch.equal(make("no-tuning", tiny, *pair, seed=SEED, sampling=sampling), expected)


@pytest.mark.parametrize("fusion", ["average", "linear"])
def test_full_linear_is_the_method_fused_by_nearness(
    tiny: Any, asked: dict[str, Any], pair: Any, fusion: Literal["average", "linear"]
):
    sampling = Sampling(steps=9, repeats=5, fusion=fusion)
    backward = Backward(("a",), {"a": {"to_v": torch.ones(1)}})
    make("full-linear", tiny, *pair, seed=SEED, sampling=sampling, backward=backward)
    assert asked["sampling"] == replace(sampling, fusion="linear")
    assert asked["backward"] is backward
    assert account("full-linear", sampling).evaluations == account("full", sampling).evaluations


@pytest.mark.parametrize("name", ["full", "no-rotation", "average"])
def test_the_method_and_its_ablations_are_averages_of_both_directions(
    quick: Any, asked: dict[str, Any], pair: Any, name: str
):
    sampling = Sampling(steps=9, repeats=5, fusion="linear", guidance=(2.0, 2.0))
    weights = {} if name == "average" else {"a": {"to_v": torch.ones(1)}}
    backward = Backward(("a",) if name == "full" else (), weights)
    make(name, quick, *pair, seed=SEED, sampling=sampling, backward=backward, frames=3, chunk=2)
    assert asked["sampling"] == replace(sampling, fusion="average")
    assert (asked["seed"], asked["frames"], asked["chunk"]) == (SEED, 3, 2)
    assert asked.get("path") is None
    assert asked.get("backward") is (None if name == "average" else backward)


@pytest.mark.parametrize("name", [name for name in PLAIN_METHODS if name != "no-tuning"])
@torch.no_grad()
def test_a_pair_is_the_same_whatever_is_made_beside_it(quick: Any, pair: tuple[Tensor, Tensor], name: str):
    sampling = Sampling(steps=3, repeats=1)
    both = make(name, quick, torch.cat(pair), torch.cat(pair[::-1]), seed=SEED, sampling=sampling)
    alone = make(name, quick, *pair, seed=SEED, sampling=sampling)
    assert alone.shape == (1, FRAMES, 3, 32, 32)
    torch.testing.assert_close(both[:1], alone, rtol=0, atol=1e-5)
    assert not torch.allclose(both[1:], both[:1], atol=0.01)


@torch.no_grad()
def test_methods_differ(quick: Any, pair: tuple[Tensor, Tensor]):
    made = [
        make(name, quick, *pair, seed=SEED, sampling=Sampling(steps=3, repeats=1))
        for name in PLAIN_METHODS
        if name != "no-tuning"
    ]
    for number, one in enumerate(made):
        assert all(float((one - other).abs().max()) > 1e-3 for other in made[:number])


@pytest.mark.parametrize("guidance", [(1.0, 1.0), (1.0, 3.0)])
@pytest.mark.parametrize("name", [name for name in PLAIN_METHODS if name != "no-tuning"])
@torch.no_grad()
def test_evaluations_are_those_that_the_network_is_asked_for(
    quick: Any, pair: tuple[Tensor, Tensor], name: str, guidance: tuple[float, float], monkeypatch: pytest.MonkeyPatch
):
    asked: list[int] = []
    forward = Quick.forward
    monkeypatch.setattr(
        Quick, "forward", lambda self, x, *rest, **words: asked.append(len(x)) or forward(self, x, *rest, **words)
    )
    proposal = torch.zeros(1, FRAMES, 4, 16, 16)
    ways = ((6, "multistep", 1, "none"), (7, "heun", 1, "flow"), (50, "euler", 1, "none"), (50, "euler", 3, "flow"))
    for steps, solver, tries, sketch in ways:
        chosen: dict[str, Any] = {"solver": solver, "tries": tries, "sketch": sketch, "guidance": guidance}
        sampling = Sampling(steps=steps, repeats=2, share=0.3, **chosen)
        asked.clear()
        make(name, quick, *pair, seed=SEED, sampling=sampling, proposal=proposal)
        assert sum(asked) == account(name, sampling).evaluations


def test_an_account_says_what_was_run():
    sampling = Sampling(steps=25, repeats=5)
    told = "fps=7,motion=127,augmentation=0.02"
    both = "guidance=1..3"
    assert account("full", sampling).words == (
        f"steps=25,repeats=5,share=0.5,tries=1,sketch=none,solver=euler,fusion=average,{both},{told}"
    )
    assert account("full", sampling).evaluations == 4 * 85
    trf = account("trf", sampling)
    assert (trf.words, trf.evaluations) == (
        f"steps=25,tries=1,sketch=none,solver=euler,fusion=linear,{both},{told}",
        4 * 25,
    )
    assert trf.jumps == "without its jumps, which begin at 50 steps"
    assert account("trf", Sampling(steps=50)).jumps == (
        "5 steps taken again in jumps, up at once by the exact noise, otherwise than in the authors' code"
    )
    assert account("trf-repeats", sampling).words == account("full", sampling).words.replace("average", "linear")
    assert account("image-to-video", sampling).words == f"steps=25,solver=euler,{both},{told}"
    assert account("vibid", sampling).words == account("mpd", sampling).words == f"steps=25,{told}"


def test_branches_go_in_turn_where_there_are_two_at_once(quick: Any, asked: dict[str, Any], pair: Any):
    for name in ("trf", "average", "trf-repeats"):
        asked.clear()
        make(name, quick, *pair, seed=SEED, in_turn=True)
        assert asked["in_turn"]
    for name in ("image-to-video", "vibid"):
        make(name, quick, *pair, seed=SEED, sampling=Sampling(steps=1), in_turn=True)


def test_what_cannot_be_is_said_in_one_sentence(quick: Any, pair: tuple[Tensor, Tensor]):
    turned, own = Backward(("a",)), Backward((), {"a": {}})
    for name, backward, said in (
        ("film", Backward(), "There is no method 'film'. There are: full, full-linear, no-rotation, "),
        ("full", Backward(), "The method full takes an adapter with rotated maps; it was given no adapter."),
        ("full", own, "full takes an adapter with rotated maps; it was given an adapter without rotated maps."),
        ("no-rotation", turned, "takes an adapter without rotated maps; it was given an adapter with rotated maps."),
        ("trf", turned, "The method trf takes no adapter; it was given an adapter with rotated maps."),
    ):
        with pytest.raises(InputError) as caught:
            make(name, quick, *pair, seed=SEED, backward=backward)
        assert said in str(caught.value)
    for name in ("average", "vibid"):
        with pytest.raises(InputError, match="The two ends differ in size: 32x32 and 16x32."):
            make(name, quick, pair[0], pair[1][..., :16], seed=SEED)


def test_the_table_is_in_order():
    assert all(name == method.name for name, method in METHODS.items())
    assert all(method.says and "\n" not in method.says for method in METHODS.values())
    assert [name for name in METHODS if name not in PLAIN_METHODS] == ["full", "full-linear", "no-rotation"]
