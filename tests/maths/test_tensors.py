"""The doors between frames and tensors."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from keyweave.maths.tensors import to_frames, to_tensor

LEVELS = np.arange(256, dtype=np.uint8)


def test_every_level_comes_back():
    frames = np.stack([LEVELS.reshape(16, 16), LEVELS[::-1].reshape(16, 16), LEVELS.reshape(16, 16).T], axis=-1)
    assert np.array_equal(to_frames(to_tensor(frames)), frames)
    assert np.array_equal(to_frames(to_tensor(frames).double()), frames)
    assert np.array_equal(to_frames(to_tensor(frames).half()), frames)


def test_ends_and_middle_are_exact():
    tensor = to_tensor(np.array([[[0, 255, 127]]], np.uint8))
    assert tensor[:2].flatten().tolist() == [-1, 1]
    assert tensor[2].item() == pytest.approx(-1 / 255)
    assert to_frames(torch.zeros(3, 1, 1)).tolist() == [[[128, 128, 128]]]


@given(st.lists(st.integers(1, 3), min_size=2, max_size=4), st.sampled_from([1, 3, 4]))
def test_channels_go_first_and_come_back_last(shape: list[int], channels: int):
    frames = np.random.default_rng(0).integers(0, 256, (*shape, channels), np.uint8)
    tensor = to_tensor(frames)
    assert tensor.shape == (*shape[:-2], channels, *shape[-2:])
    assert tensor.is_contiguous()
    back = to_frames(tensor)
    assert np.array_equal(back, frames)
    assert back.flags.c_contiguous


def test_what_is_out_of_reach_is_cut_and_nothing_is_black():
    tensor = torch.tensor([-3.0, 2.0, math.inf, -math.inf, math.nan]).view(5, 1, 1)
    assert to_frames(tensor).tolist() == [[[0, 255, 255, 0, 0]]]


def test_the_doors_leave_their_input_alone():
    frames = np.full((2, 2, 3), 7, np.uint8)
    frames.flags.writeable = False
    tensor = to_tensor(frames).requires_grad_()
    to_frames(tensor)
    tensor.detach().zero_()
    assert (frames == 7).all()
