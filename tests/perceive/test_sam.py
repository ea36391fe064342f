"""SAM 2 as a masker: a tiny random model of the released one's classes, asked for what our own masks find."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from keyweave.base.errors import InputError, ModelError
from keyweave.models.devices import Place
from keyweave.perceive.sam import cut_in_box, prepared, sam_masker, with_room
from keyweave.toyworld.creature import posing, shoot_creature

pytestmark = pytest.mark.usefixtures("one_thread")

SIDE = 64  # of the square that the tiny model sees
CPU = Place("cpu", "float32")


def shape() -> dict[str, Any]:
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "image_size": [SIDE, SIDE],
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 2],
        "window_size_per_stage": [4, 4, 2, 2],
        "global_attention_blocks": [3],
        "window_positional_embedding_background_size": [4, 4],
    }
    return {
        "vision_config": {
            "backbone_config": backbone,
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
            "fpn_hidden_size": 32,
        },
        "prompt_encoder_config": {"hidden_size": 32, "image_size": SIDE, "patch_size": 16},
        "mask_decoder_config": {
            "hidden_size": 32,
            "mlp_dim": 32,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 32,
        },
    }


@pytest.fixture(scope="module")
def network() -> Any:
    import transformers

    torch.manual_seed(0)
    return transformers.Sam2Model(transformers.Sam2Config(**shape())).eval()


@pytest.fixture
def folder(network: Any, tmp_path: Path) -> Path:
    network.save_pretrained(tmp_path / "sam")
    return tmp_path / "sam"


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return list(shoot_creature(posing(5, 3), width=96, height=80).frames)


class Told:
    """What stands for a network: it remembers what it was asked, and answers with three candidates."""

    def __init__(self, scores: tuple[float, float, float]) -> None:
        self.config = type("Config", (), {"prompt_encoder_config": type("Prompt", (), {"image_size": SIDE})})
        self.dtype, self.scores = torch.float32, torch.tensor([[scores]])

    def __call__(self, **asked: Any) -> Any:
        self.asked = asked
        masks = torch.full((1, 1, 3, 16, 16), -1.0)
        for k in range(3):
            masks[0, 0, k, :, 4 * k : 4 * k + 4] = 1
        return type("Found", (), {"iou_scores": self.scores, "pred_masks": masks})


def test_the_box_is_stretched_with_the_picture_and_the_best_candidate_is_taken():
    picture = np.zeros((40, 160, 3), np.uint8)
    told = Told((0.2, 0.9, 0.5))
    mask = cut_in_box(told, picture, np.array([20.0, 10, 80, 30]), CPU)
    assert told.asked["input_boxes"].tolist() == [[[8, 16, 32, 48]]]
    assert told.asked["pixel_values"].shape == (1, 3, SIDE, SIDE)
    assert told.asked["multimask_output"]
    assert mask.shape == (40, 160)
    assert mask[:, 42:78].all()  # the second quarter
    assert not mask[:, :38].any()
    assert not mask[:, 82:].any()


def test_pictures_are_prepared_as_the_models_own_processor_would():
    """By its published settings: stretched to a square, then shares of brightness less a mean over a spread."""
    picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    found = prepared(picture, SIDE)[0].permute(1, 2, 0).numpy()
    wanted = (picture / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    halves = np.repeat(np.repeat(picture, 2, axis=0), 4, axis=1)
    # Between equal pixels nothing changes, whatever is stretched.
    flat = np.full((30, 50, 3), 90, np.uint8)
    assert prepared(flat, SIDE).std(dim=(2, 3)).max() < 1e-5
    assert prepared(halves, SIDE).shape == (1, 3, SIDE, SIDE)


def test_room_around_a_box_stays_within_the_picture():
    boxes = np.array([[10.0, 20, 50, 60], [0, 0, 100, 80]])
    roomy = with_room(boxes, np.zeros((80, 100, 3), np.uint8))
    np.testing.assert_allclose(roomy, [[8, 18, 52, 62], [0, 0, 100, 80]])


def test_a_model_of_the_released_classes_cuts_out(folder: Path, network: Any, pictures: list[np.ndarray]):
    """The mask is what the network itself answers to the box, brought to full size by hand."""
    box = np.array([30.0, 20, 60, 70])
    mask = cut_in_box(network, pictures[0], box, CPU)
    with torch.no_grad():
        scale = torch.tensor([SIDE / 96, SIDE / 80] * 2)
        said = network(
            pixel_values=prepared(pictures[0], SIDE), input_boxes=(torch.tensor(box) * scale)[None, None].float()
        )
    best = int(said.iou_scores.flatten().argmax())
    logits = said.pred_masks[0, 0, best].numpy()
    rows = (np.arange(80) + 0.5) * 16 / 80 - 0.5
    columns = (np.arange(96) + 0.5) * 16 / 96 - 0.5
    assert np.array_equal(mask, _between(logits, rows, columns) > 0)


def _between(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    rows, columns = np.clip(rows, 0, len(values) - 1), np.clip(columns, 0, values.shape[1] - 1)
    across = np.stack([np.interp(columns, np.arange(values.shape[1]), row) for row in values])
    return np.stack([np.interp(rows, np.arange(len(values)), column) for column in across.T], axis=1)


def test_a_folder_of_either_class_is_a_masker(
    folder: Path, pictures: list[np.ndarray], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    import transformers

    sizes: dict[str, Any] = {
        "image_size": SIDE,
        "memory_attention_hidden_size": 32,
        "memory_encoder_hidden_size": 32,
        "memory_encoder_output_channels": 8,
        "mask_downsampler_embed_dim": 32,
        "memory_fuser_embed_dim": 32,
        "memory_fuser_intermediate_dim": 32,
        "memory_attention_feed_forward_hidden_size": 32,
        "memory_attention_rope_feat_sizes": [4, 4],
    }
    film = transformers.Sam2VideoConfig(**shape(), **sizes)
    video = transformers.Sam2VideoModel(film)
    video.load_state_dict(transformers.Sam2Model.from_pretrained(folder).state_dict(), strict=False)
    video.save_pretrained(folder.parent / "film")
    # Random networks mark what they like; here only its way through matters.
    monkeypatch.setattr("keyweave.perceive.sam.is_somebody", lambda mask: True)
    masks = sam_masker(str(folder))(pictures)
    assert masks.shape == (3, 80, 96)
    assert masks.dtype == bool
    assert np.array_equal(sam_masker(str(folder.parent / "film"))(pictures), masks)
    assert "sam2_video" not in caplog.text


def test_a_mask_of_next_to_nothing_is_nobody(folder: Path, pictures: list[np.ndarray], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("keyweave.perceive.sam.cut_in_box", lambda _, picture, *rest: np.zeros(picture.shape[:2], bool))
    with pytest.raises(InputError, match=r"No subject was found in picture 1 of 3\. .* give masks of your own"):
        sam_masker(str(folder))(pictures)


def test_another_model_is_refused(tiny_folder: Path):
    with pytest.raises(ModelError, match="keyweave loads only Sam2Model or Sam2VideoModel there"):
        sam_masker(str(tiny_folder / "unet"))
    with pytest.raises(ModelError, match="of kind image-to-video; here one of kind part"):
        sam_masker(str(tiny_folder))
