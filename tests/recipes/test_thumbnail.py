"""The start of the autoencoder: nothing learnt, and yet a small picture in full colour comes through."""

import pytest
import torch

from keyweave.diffusion.vae import decode, encode
from keyweave.recipes.autoencoder import fresh_autoencoder, single_frames


@pytest.mark.parametrize("color", [(-0.8, 0.1, 0.9), (0.5, 0.5, 0.5), (0.9, -0.9, -0.2)])
def test_flat_colours_come_through(color: tuple[float, float, float]):
    picture = torch.tensor(color)[None, :, None, None].expand(1, 3, 64, 64)
    model = fresh_autoencoder()
    with torch.no_grad():
        made = decode(model, encode(model, picture).mode(), 1)
    middle = made[0, :, 24:40, 24:40].mean(dim=(1, 2))
    # The norms bend large values a little.
    torch.testing.assert_close(middle, torch.tensor(color), rtol=0, atol=0.35)
    assert torch.equal(middle.argsort(), torch.tensor(color).argsort()) or len(set(color)) == 1


def test_a_place_stays_where_it_is():
    picture = torch.full((1, 3, 64, 64), -0.5)
    picture[:, :, 8:24, 40:56] = 0.5
    model = fresh_autoencoder()
    with torch.no_grad():
        made = decode(model, encode(model, picture).mode(), 1)[0].mean(dim=0)
    inside = torch.zeros(64, 64, dtype=torch.bool)
    inside[11:21, 43:53] = True
    assert made[inside].min() > made[32:, :32].max()


def test_frames_do_not_mix_and_leaving_that_out_changes_nothing():
    torch.manual_seed(1)
    model = fresh_autoencoder()
    latents = torch.randn(3, 8, 4, 4)
    with torch.no_grad():
        together = decode(model, latents, 3)
        alone = torch.cat([decode(model, latent[None], 1) for latent in latents])
        with single_frames(model):
            short = decode(model, latents, 1)
        after = decode(model, latents, 3)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(short, alone, rtol=1e-4, atol=1e-4)
    assert torch.equal(after, together)
