"""Where pixels land."""

import torch

from keyweave.maths.landing import corners, land


def test_shares_are_those_of_the_four_pixels_around():
    flow = torch.tensor([1.25, -0.5]).view(1, 2, 1, 1).expand(1, 2, 3, 4)
    places, shares = zip(*corners(flow), strict=True)
    assert [share[0, 0, 0].item() for share in shares] == [0.375, 0.125, 0.375, 0.125]
    # The pixel (0, 0) lands between columns 1 and 2, rows -1 and 0, in an apron of 2: rows are 4 + 4 wide.
    assert [place[0, 0, 0].item() for place in places] == [1 * 8 + 3, 1 * 8 + 4, 2 * 8 + 3, 2 * 8 + 4]


def test_no_place_lies_outside_the_apron():
    flow = torch.tensor([0.0, 0.5, -0.5, 3, -3, 1e9, -1e9, 3e38, -3e38, torch.inf, -torch.inf, torch.nan])
    every = torch.cartesian_prod(flow, flow).T.reshape(1, 2, 12, 12)
    for place, _ in corners(every):
        assert place.min() >= 0
        assert place.max() < 16 * 16
    first, part = land(every, 4)
    assert first.min() >= 0
    assert first.max() + 3 * 20 + 3 < 20 * 20
    assert part.ge(0).all()
    assert part.lt(1).all()


def test_bands_of_rows_land_like_the_whole():
    flow = torch.randn(2, 2, 7, 5) * 4
    whole, part = land(flow, 4)
    bands = [land(flow[:, :, top : top + 3], 4, top=top, height=7) for top in (0, 3, 6)]
    assert torch.equal(torch.cat([first for first, _ in bands], dim=2), whole)
    assert torch.equal(torch.cat([beyond for _, beyond in bands], dim=2), part)
