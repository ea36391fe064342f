"""Noise by name: what a member of a batch gets does not depend on the others."""

import re

import pytest
import torch

from keyweave.base.errors import InputError
from keyweave.diffusion.noise import gaussian, noise_like


def test_one_seed_tells_members_apart_by_their_places():
    made = noise_like(torch.empty(3, 2, 5), 7, "latents")
    for place in range(3):
        assert torch.equal(made[place], gaussian((2, 5), 7, "latents", place))


def test_a_member_with_a_seed_of_its_own_gets_what_it_would_get_alone():
    for seeds in ([7, 8, 9], (9, 8, 7), [8, 8, 8]):
        made = noise_like(torch.empty(3, 2, 5), seeds, "again", 4)
        for member, seed in zip(made, seeds, strict=True):
            assert torch.equal(member[None], noise_like(torch.empty(1, 2, 5), seed, "again", 4))


def test_it_is_drawn_in_full_precision():
    made = noise_like(torch.empty(2, 3, dtype=torch.float16), 7, "picture")
    assert torch.equal(made, noise_like(torch.empty(2, 3), 7, "picture"))


def test_seeds_are_as_many_as_clips():
    with pytest.raises(InputError, match=re.escape("There are 2 seeds for 3 clips. Give one for all, or one for")):
        noise_like(torch.empty(3, 2), [1, 2], "latents")
