"""The authors' checkpoint as an adapter: what was tuned is found, and nothing else may have been."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from keyweave.base.errors import InputError, ModelError, ModelNotFound
from keyweave.base.progress import Event, Progress
from keyweave.diffusion.exchange import temporal_layers
from keyweave.models.adapters import is_for, matrices_of, read_adapter
from keyweave.models.finding import find
from keyweave.models.loading import load
from keyweave.models.official import convert_official

WEIGHTS = "diffusion_pytorch_model.safetensors"
Rows = dict[str, Tensor]


def is_tuned(name: str) -> bool:
    """Which tensors the authors' script trains, in its own words."""
    return (
        "temporal_transformer_blocks.0.attn1.to_v.weight" in name
        or "temporal_transformer_blocks.0.attn1.to_out.0.weight" in name
    )


def change(folder: Path, how: Callable[[Rows], Rows]) -> None:
    rows = how(load_file(folder / WEIGHTS))
    save_file({name: row.contiguous() for name, row in rows.items()}, folder / WEIGHTS, {"format": "pt"})


def tuned_by(rows: Rows, size: float = 0.01) -> Rows:
    chance = torch.Generator().manual_seed(1)
    return {
        name: row + size * torch.randn(row.shape, generator=chance) if is_tuned(name) else row
        for name, row in rows.items()
    }


def settings(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def official(tiny: Path, tmp_path: Path) -> Path:
    """What the authors' script leaves of its training on the tiny model."""
    shutil.copytree(tiny, tmp_path / "reverse")
    change(tmp_path / "reverse" / "unet", tuned_by)
    return tmp_path / "reverse"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return tmp_path / "made" / "back.safetensors"


def convert(official: Path, base: Path, made: Path, **options: Any) -> Any:
    return convert_official(official, find(str(base)), made, **options)


def apart(made: Path, base: Path, official: Path) -> float:
    """How far the adapter, put on the base, is from the tuned UNet at most."""
    network = load(find(str(base)), device="cpu", dtype="float32").unet
    wanted = load_file(official / "unet" / WEIGHTS)
    found = matrices_of(read_adapter(made), network, temporal_layers(network))
    flat = {f"{layer}.{part}.weight": matrix for layer, row in found.items() for part, matrix in row.items()}
    assert flat.keys() == {name for name in wanted if is_tuned(name)}
    return max(float((matrix - wanted[name].float()).abs().max()) for name, matrix in flat.items())


def test_put_on_the_base_it_is_the_tuned_network(official: Path, tiny: Path, made: Path):
    adapter = convert(official, tiny, made)
    again = read_adapter(made)
    assert again.rotated == adapter.rotated == tuple(adapter.differences)
    assert {part.dtype for row in again.differences.values() for part in row.values()} == {torch.float16}
    assert apart(made, tiny, official) < 0.06 * 2**-11  # half a unit of float16 at the largest difference
    assert made.stat().st_size < (official / "unet" / WEIGHTS).stat().st_size / 20


def test_the_unet_itself_may_be_named_and_lie_in_shards(official: Path, tiny: Path, made: Path, tmp_path: Path):
    whole = convert(official, tiny, made)
    rows = sorted(load_file(official / "unet" / WEIGHTS).items())
    (official / "unet" / WEIGHTS).unlink()
    files = {}
    for number, some in enumerate((rows[::2], rows[1::2])):
        name = f"diffusion_pytorch_model-0000{number + 1}-of-00002.safetensors"
        save_file(dict(some), official / "unet" / name)
        files |= dict.fromkeys(dict(some), name)
    (official / "unet" / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": files}))
    again = convert(official / "unet", tiny, tmp_path / "again.safetensors")
    assert again.rotated == whole.rotated
    assert all(
        torch.equal(difference, again.differences[layer][part])
        for layer, row in whole.differences.items()
        for part, difference in row.items()
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_base_in_half_precision(official: Path, tiny: Path, made: Path, dtype: torch.dtype):
    """The checkpoint has what the base lost, so the untouched tensors agree only when rounded."""
    change(tiny / "unet", lambda rows: {name: row.to(dtype) for name, row in rows.items()})
    convert(official, tiny, made)
    assert apart(made, tiny, official) < 0.06 * 2**-11


def test_a_checkpoint_in_half_precision_under_its_variants_name(official: Path, tiny: Path, made: Path):
    change(official / "unet", lambda rows: {name: row.half() for name, row in rows.items()})
    variant = official / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    (official / "unet" / WEIGHTS).rename(variant)
    adapter = convert(official, tiny, made)
    change(tiny / "unet", lambda rows: {name: row.half() for name, row in rows.items()})
    shutil.copy(variant, official / "unet" / WEIGHTS)
    assert apart(made, tiny, official) < 0.06 * 2**-10  # stored in float16 twice over
    assert len(adapter.rotated) == len(adapter.differences)


def test_a_tuning_that_began_in_half_precision_and_was_saved_in_full(official: Path, tiny: Path, made: Path):
    """As the authors' script does. What the base has beyond float16 is not what was learnt."""
    learnt = 2.0**-7
    base = load_file(tiny / "unet" / WEIGHTS)
    # One tensor stayed in full precision; the others tell nonetheless.
    spared = max(name for name, row in base.items() if not (is_tuned(name) or row.equal(row.half().float())))
    change(
        official / "unet",
        lambda _: {
            name: row if name == spared else row.half().float() + learnt * is_tuned(name) for name, row in base.items()
        },
    )
    adapter = convert(official, tiny, made)
    for row in adapter.differences.values():
        assert all((difference == learnt).all() for difference in row.values())


def test_it_fits_the_model_of_more_frames(official: Path, tiny: Path, made: Path, tmp_path: Path):
    more = Path(shutil.copytree(tiny, tmp_path / "more"))
    settings(more / "unet", num_frames=6)
    change(more / "unet", lambda rows: {name: 2 * row for name, row in rows.items()})
    adapter = convert(official, tiny, made)
    network = load(find(str(more)), device="cpu", dtype="float32").unet
    assert network.config["num_frames"] == 6
    weights = load_file(more / "unet" / WEIGHTS)
    for layer, row in matrices_of(read_adapter(made), network, temporal_layers(network)).items():
        for part, matrix in row.items():
            assert torch.equal(matrix, weights[f"{layer}.{part}.weight"] + adapter.differences[layer][part].float())


def test_only_layers_that_were_tuned_are_in_it(official: Path, tiny: Path, made: Path):
    plain = load_file(tiny / "unet" / WEIGHTS)
    spared = min(name for name in plain if is_tuned(name))
    layer = re.sub(r"\.to_.*", "", spared)
    change(official / "unet", lambda rows: {name: plain[name] if layer in name else row for name, row in rows.items()})
    adapter = convert(official, tiny, made)
    assert layer not in adapter.rotated
    assert {f"{layer}.to_v.weight" for layer in adapter.rotated} < {name for name in plain if is_tuned(name)}


def test_the_card_tells_what_is_known_and_what_is_not(official: Path, tiny: Path, made: Path):
    convert(official, tiny, made)
    card = read_adapter(made).card
    assert (card.kind, card.name, card.base, card.toy) == ("adapter", "svd-inbetween", "./tiny", False)
    assert (card.seed, card.steps, card.hours) == (0, 0, 0)
    assert "not known beyond the paper" in card.limits
    assert "no licence of their weights was found" in card.license
    assert card.recipe == "keyweave models convert-adapter reverse --base ./tiny -o back.safetensors"
    assert str(tiny.parent) not in card.to_json()


def test_it_says_what_it_fits(official: Path, tiny: Path, made: Path, tmp_path: Path):
    """Its base, however that is stored, and the model of more frames by its name; other weights it does not."""
    convert(official, tiny, made)
    adapter = read_adapter(made)
    assert is_for(adapter, find(str(tiny)))
    change(tiny / "unet", lambda rows: {name: row.half() for name, row in rows.items()})
    assert is_for(adapter, find(str(tiny)))
    change(tiny / "unet", lambda rows: {name: 2 * row for name, row in rows.items()})
    assert not is_for(adapter, find(str(tiny)))
    assert is_for(adapter, find(str(tiny.rename(tmp_path / "stable-video-diffusion-img2vid-xt"))))


def test_it_can_be_watched(official: Path, tiny: Path, made: Path):
    seen: list[Event] = []
    convert(official, tiny, made, progress=Progress("converting", seen.append))
    count = len(load_file(tiny / "unet" / WEIGHTS))
    assert sum(event.kind == "step" for event in seen) == count
    assert [event.fraction for event in seen] == sorted(event.fraction for event in seen)


def refused(official: Path, base: Path, made: Path, words: str, error: type[Exception] = ModelError) -> None:
    with pytest.raises(error, match=f"^{re.escape(words)}$"):
        convert(official, base, made)
    assert not made.exists()


RIGHT_BASE = (
    "Name with --base the model of 14 frames that it was tuned from: hub:stabilityai/stable-video-diffusion-img2vid."
)


def test_tensors_that_should_not_have_changed(official: Path, tiny: Path, made: Path):
    for count, odd in enumerate(
        (
            "mid_block.attentions.0.temporal_transformer_blocks.0.attn1.to_q.weight",
            "mid_block.attentions.0.temporal_transformer_blocks.0.attn1.to_out.0.bias",
            "conv_out.bias",
        ),
        1,
    ):
        change(official / "unet", lambda rows, odd=odd: rows | {odd: rows[odd] + 1e-6})
        with pytest.raises(ModelError) as fault:
            convert(official, tiny, made)
        rows = load_file(official / "unet" / WEIGHTS)
        rest = sum(not is_tuned(name) for name in rows)
        assert fault.value.message == (
            f"{official}/unet was not tuned from {tiny} as the authors did: {count} of {rest} tensors that should be "
            f"the same differ, first {min(odd, fault.value.message.split()[-1][:-1])}."
        )
        assert fault.value.hint == RIGHT_BASE
    assert not made.exists()


def test_the_base_itself(tiny: Path, made: Path, tmp_path: Path):
    same = f"{tiny}/unet is {tiny} itself: nothing in it was tuned. Name the authors' checkpoint."
    refused(tiny, tiny, made, same)
    half = Path(shutil.copytree(tiny, tmp_path / "half"))
    change(half / "unet", lambda rows: {name: row.half() for name, row in rows.items()})
    refused(tiny, half, made, f"{tiny}/unet is {half} itself: nothing in it was tuned. Name the authors' checkpoint.")
    refused(half, tiny, made, f"{half}/unet is {tiny} itself: nothing in it was tuned. Name the authors' checkpoint.")


def test_another_number_of_frames(official: Path, tiny: Path, made: Path):
    settings(tiny / "unet", num_frames=25)
    refused(official, tiny, made, f"{official}/unet makes 4 frames, and {tiny} makes 25. {RIGHT_BASE}")


def test_another_network(official: Path, tiny: Path, made: Path):
    like = f"{official}/unet is no network like {tiny}: "
    change(official / "unet", lambda rows: rows | {"conv_in.bias": torch.zeros(5)})
    refused(official, tiny, made, f"{like}1 tensors are missing or misshapen (conv_in.bias). {RIGHT_BASE}")
    change(official / "unet", lambda rows: {name: row for name, row in rows.items() if name != "conv_in.bias"})
    refused(official, tiny, made, f"{like}1 tensors are missing or misshapen (conv_in.bias). {RIGHT_BASE}")
    change(official / "unet", lambda rows: rows | {"a.lora": torch.zeros(5), "conv_in.bias": torch.zeros(32)})
    refused(official, tiny, made, f"{like}1 tensors are missing or misshapen (a.lora). {RIGHT_BASE}")


def test_what_is_no_number(official: Path, tiny: Path, made: Path):
    for value in (float("nan"), 1e6):
        change(
            official / "unet", lambda rows, value=value: {n: r * value if is_tuned(n) else r for n, r in rows.items()}
        )
        with pytest.raises(ModelError, match="/unet holds infinities or no numbers, first in down_blocks.0"):
            convert(official, tiny, made)
    assert not made.exists()


def test_files_that_are_not_whole_or_not_there(official: Path, tiny: Path, made: Path, tmp_path: Path):
    weights = official / "unet" / WEIGHTS
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-7])
    short = f"{weights} is truncated: it has {len(whole) - 7:,} bytes of {len(whole):,}. Copy or download it again."
    refused(official, tiny, made, short)
    weights.write_bytes(b"<!DOCTYPE html>Too many users have downloaded this file")
    refused(official, tiny, made, f"{weights} is not a safetensors file. Copy or download it again.")
    weights.write_bytes(whole.replace(b'"F32"', b'"F99"'))
    refused(official, tiny, made, f"{weights} is damaged: its names cannot be read. Copy or download it again.")
    weights.unlink()
    refused(official, tiny, made, f"{official}/unet has no weights (.safetensors). Copy or download it again.")
    shutil.rmtree(official / "unet")
    missing = f"{official} has no UNet: {official}/unet/config.json is missing. Name the folder with unet/ in it."
    refused(official, tiny, made, missing)
    nowhere = tmp_path / "nowhere"
    words = f"There is no folder {nowhere}. Check the spelling of the path."
    refused(nowhere, tiny, made, words, ModelNotFound)


def test_pickles_are_never_taken(official: Path, tiny: Path, made: Path):
    safe = "Pickles can run code, so keyweave reads only safetensors; look for another upload, or convert it."
    (official / "unet" / WEIGHTS).rename(official / "unet" / "diffusion_pytorch_model.bin")
    only = "has its weights only as pickles"
    refused(official, tiny, made, f"{official}/unet {only} (diffusion_pytorch_model.bin). {safe}")
    for name in ("all.ckpt", "all.pt"):
        folder = made.parent.parent / name
        folder.mkdir()
        (folder / name).write_bytes(b"\x80\x04")
        refused(folder, tiny, made, f"{folder} {only} ({name}). {safe}")


def test_the_wrong_things_in_the_right_places(official: Path, tiny: Path, made: Path):
    words = (
        f"{official}/vae is a AutoencoderKLTemporalDecoder; keyweave loads only UNetSpatioTemporalConditionModel there."
    )
    refused(official / "vae", tiny, made, words)
    words = f"{tiny}/unet is a model of kind part; here one of kind image-to-video is needed."
    refused(official, tiny / "unet", made, words)


def test_what_is_there_is_kept(official: Path, tiny: Path, made: Path):
    made.parent.mkdir()
    made.write_text("mine")
    with pytest.raises(InputError, match="already exists"):
        convert(official, tiny, made)
    assert made.read_text() == "mine"
    convert(official, tiny, made, overwrite=True)
    assert read_adapter(made).card.name == "svd-inbetween"
