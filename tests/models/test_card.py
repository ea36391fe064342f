"""Cards: what is written is read, and every changed byte is named."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from keyweave.base.errors import MediaError, ModelError
from keyweave.models.card import CARD, ModelCard, digest, find_card, read_card, verify, write_card


def test_a_card_is_read_as_it_was_written(tiny: Path, card: ModelCard):
    assert find_card(tiny) is None
    made = write_card(tiny, card)
    assert read_card(tiny) == find_card(tiny) == made
    assert made.model_copy(update={"files": {}}) == card
    assert {"model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"} <= made.files.keys()
    assert CARD not in made.files
    assert write_card(tiny, made) == made  # again: the card does not count itself
    assert json.loads((tiny / CARD).read_text())["keyweave model"] == 1


def test_cards_are_frozen(card: ModelCard):
    with pytest.raises(ValidationError, match="frozen"):
        card.name = "other"


def test_every_difference_is_said(tiny: Path, card: ModelCard):
    write_card(tiny, card)
    (tiny / ".hidden").write_text("an editor's own")
    assert verify(tiny) == []
    weights = tiny / "unet" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-7])
    (tiny / "vae" / "config.json").write_text("{}")
    (tiny / "model_index.json").unlink()
    (tiny / "vae" / "extra.txt").write_text("new")
    assert verify(tiny) == [
        f"{tiny}/model_index.json is missing.",
        f"{weights} is truncated: it has {len(whole) - 7:,} bytes of {len(whole):,}.",
        f"{tiny}/vae/config.json is not the file that the card names.",
        f"{tiny}/vae/extra.txt is not on the card.",
    ]


def test_one_bit_is_enough(tiny: Path, card: ModelCard):
    write_card(tiny, card)
    weights = tiny / "unet" / "diffusion_pytorch_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert verify(tiny) == [f"{weights} is not the file that the card names."]


def test_without_a_card_lengths_are_checked(tiny: Path):
    assert verify(tiny) == []
    weights = tiny / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    (only,) = verify(tiny)
    assert "is truncated" in only


def change(tiny: Path, **changes: object) -> None:
    row = json.loads((tiny / CARD).read_text())
    (tiny / CARD).write_text(json.dumps({**row, **changes}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "poem"}, r"kind: Input should be 'image-to-video'"),
        ({"keyweave model": 2}, "keyweave model: Input should be 1"),
        ({"scores": {"psnr_db": float("nan")}}, "scores.psnr_db: Input should be a finite number"),
        ({"hours": float("inf")}, "hours: Input should be a finite number"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"files": {"../../secret": "0" * 64}}, "it leads out of the folder"),
        ({"files": {"/etc/passwd": "0" * 64}}, "it leads out of the folder"),
        ({"adapter": "./../back.safetensors"}, "adapter: Value error, it leads out of the folder"),
        ({"adapter": "..\\back"}, "adapter: Value error, it leads out of the folder"),
        ({"files": {"a.json": "short"}}, r"files.a.json: String should match pattern"),
    ],
)
def test_what_is_no_card_is_refused(changes, words: str, tiny: Path, card: ModelCard):
    write_card(tiny, card)
    change(tiny, **changes)
    with pytest.raises(ModelError, match=f"is not a keyweave model card: .*{words}"):
        read_card(tiny)


def test_no_card_and_no_json(tiny: Path):
    with pytest.raises(MediaError, match="there is no such file"):
        read_card(tiny)
    (tiny / CARD).write_text("hello")
    with pytest.raises(ModelError, match="is not a keyweave model card: Invalid JSON"):
        read_card(tiny)


def test_a_card_of_another_program_is_none(tiny: Path):
    (tiny / CARD).write_text('{"title": "a playing card"}')
    assert find_card(tiny) is None


def test_digests_follow_what_decides(tiny: Path, card: ModelCard):
    before = digest(tiny)
    write_card(tiny, card)
    (tiny / "README.md").write_text("about")
    assert digest(tiny) == before
    (tiny / "scheduler" / "scheduler_config.json").write_text("{}")
    assert digest(tiny) != before


def test_digests_do_not_read_what_the_cache_has_named_by_checksum(tiny: Path, tmp_path: Path):
    from keyweave.base.recipe import sha256_of_file

    before = digest(tiny)
    weights = tiny / "vae" / "diffusion_pytorch_model.safetensors"
    blob = tmp_path / sha256_of_file(weights)
    weights.rename(blob)
    weights.symlink_to(blob)
    assert digest(tiny) == before
    blob.write_bytes(b"")  # so it was not read
    assert digest(tiny) == before
