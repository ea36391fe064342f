"""From decoded frames to pixels, against plain float arithmetic."""

from __future__ import annotations

import logging
from fractions import Fraction
from math import ceil

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import MediaError
from keyweave.media.films.develop import Developer, look_of, warn_of
from keyweave.media.films.video import VideoReader

F = Fraction
WEIGHTS = {"BT.601": (0.299, 0.114), "BT.709": (0.2126, 0.0722), "BT.2020": (0.2627, 0.0593)}
CODES = {"BT.601": 6, "BT.709": 1, "BT.2020": 9}
LIMITED, FULL = 1, 2
SQUARE = F(1)
# pixel format: (bits, chroma columns and rows per block of 8)
LAYOUTS = {
    "yuv420p": (8, 4, 4),
    "yuv422p": (8, 4, 8),
    "yuv444p": (8, 8, 8),
    "yuvj420p": (8, 4, 4),
    "nv12": (8, 4, 4),
    "yuv420p10le": (10, 4, 4),
    "yuv422p10le": (10, 4, 8),
    "yuv444p12le": (12, 8, 8),
    "yuva444p10le": (10, 8, 8),
    "yuva420p": (8, 4, 4),
}


def rgb_of(y, u, v, matrix: str, span: int, bits: int) -> np.ndarray:
    """Apply the textbook: ITU-R BT.601, 709 and 2020."""
    red, blue = WEIGHTS[matrix]
    unit = 2.0 ** (bits - 8)
    if span == FULL:
        light, cb, cr = (y / (256 * unit - 1), (u - 128 * unit) / (256 * unit - 1), (v - 128 * unit) / (256 * unit - 1))
    else:
        light, cb, cr = (y - 16 * unit) / (219 * unit), (u - 128 * unit) / (224 * unit), (v - 128 * unit) / (224 * unit)
    r, b = light + 2 * (1 - red) * cr, light + 2 * (1 - blue) * cb
    g = (light - red * r - blue * b) / (1 - red - blue)
    return np.clip(np.stack([r, g, b], -1), 0, 1) * 255


def fill(frame: av.VideoFrame, *planes: np.ndarray) -> av.VideoFrame:
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        data = np.ascontiguousarray(values).view(np.uint8).reshape(plane.height, -1)
        rows[:, : data.shape[1]] = data
        plane.update(rows.tobytes())
    return frame


def developed(frame: av.VideoFrame, aspect: Fraction = SQUARE) -> np.ndarray:
    return Developer(look_of(frame, aspect), "film")(frame)


@pytest.mark.parametrize("span", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_colours_are_within_two_levels_of_float_arithmetic(layout, matrix, span):
    bits, columns, rows = LAYOUTS[layout]
    rng = np.random.default_rng(1)
    unit = 2 ** (bits - 8)
    low, high = (0, 256 * unit) if span == FULL else (16 * unit, 236 * unit)
    blocks = rng.integers(low, high, (3, 8, 8))
    y, u, v = (np.kron(blocks[k], np.ones((rows, columns) if k else (8, 8), int)) for k in range(3))
    kind = np.uint8 if bits == 8 else np.uint16
    planes = [y.astype(kind), u.astype(kind), v.astype(kind)]
    if layout == "nv12":
        planes = [planes[0], np.stack(planes[1:], -1)]
    opacity = rng.integers(0, 256 * unit, (64, 64)).astype(kind)
    if layout.startswith("yuva"):
        planes.append(opacity)
    frame = fill(av.VideoFrame(64, 64, layout), *planes)
    frame.colorspace, frame.color_range = CODES[matrix], span
    if layout.startswith("yuvj"):
        span = FULL
        frame.color_range = 0
    got = developed(frame)
    wanted = rgb_of(blocks[0], blocks[1], blocks[2], matrix, span, bits)
    assert np.abs(got[4::8, 4::8, :3] - wanted).max() <= 2
    assert np.abs(got[4::8, 4::8, :3] - wanted).mean() <= 0.5
    if layout.startswith("yuva"):
        assert np.abs(got[..., 3] - opacity * (255 / (256 * unit - 1))).max() < 1.5


@pytest.mark.parametrize(
    ("size", "matrix"),
    [((640, 480), "BT.601"), ((720, 576), "BT.601"), ((1280, 500), "BT.709"), ((600, 720), "BT.709")],
)
def test_what_a_frame_does_not_say_is_taken_as_players_take_it(size, matrix):
    width, height = size
    y, u, v = 90, 60, 200
    frame = fill(
        av.VideoFrame(width, height, "yuv420p"),
        np.full((height, width), y, np.uint8),
        np.full((height // 2, width // 2), u, np.uint8),
        np.full((height // 2, width // 2), v, np.uint8),
    )
    assert np.abs(developed(frame)[0, 0] - rgb_of(y, u, v, matrix, LIMITED, 8)).max() <= 1


@pytest.mark.parametrize("code", [8, 10, 11, 14, 77])
def test_a_matrix_that_cannot_be_undone_still_gives_a_picture(code):
    frame = fill(av.VideoFrame(8, 8, "yuv444p"), *[np.full((8, 8), 128, np.uint8)] * 3)
    frame.colorspace = code
    assert np.abs(developed(frame) - rgb_of(128, 128, 128, "BT.601", LIMITED, 8)).max() <= 1


@pytest.mark.parametrize(
    "layout", ["gray", "rgb24", "bgr24", "gbrp", "rgba", "argb", "gbrap", "bgr0", "rgb48le", "ya8"]
)
def test_gray_and_rgb_come_through_unchanged(layout):
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 256, (9, 13, 4), np.uint8)
    if layout in ("gray", "ya8"):
        picture[..., :3] = picture[..., :1]
    frame = av.VideoFrame.from_ndarray(picture, "rgba").reformat(format=layout)
    got = developed(frame)
    assert got.shape[2] == (4 if layout in ("rgba", "argb", "gbrap", "ya8") else 3)
    # Making the frame of gray with alpha rounds already.
    assert np.abs(got - picture[..., : got.shape[2]].astype(int)).max() <= (layout == "ya8")
    assert got.flags.c_contiguous
    assert got.dtype == np.uint8


def test_chroma_is_not_shifted_sideways(film):
    """Chroma of H.264 lies on every other column; a wave sampled there must come out in its place, not half beside."""
    columns = np.arange(0, 64, 2)
    wave = lambda x: 128 + 60 * np.sin(2 * np.pi * x / 32)  # noqa: E731
    planes = [
        np.full((32, 64), 128, np.uint8),
        np.full((16, 32), 128, np.uint8),
        np.tile(np.round(wave(columns)).astype(np.uint8), (16, 1)),
    ]
    for name, codec, options in (
        ("a.mp4", "libx264", {"qp": "0"}),
        ("b.mkv", "ffv1", {}),
        ("c.webm", "libvpx-vp9", {"lossless": "1"}),
    ):
        path = film(name, codec, count=1, size=(64, 32), planes=planes, options=options, color_range=2, colorspace=6)
        with VideoReader(path) as reader:
            red = next(reader.frames())[16, :, 0].astype(float)

        def off(shift: float, red: np.ndarray = red) -> float:
            even = np.full(64, 128.0)
            wanted = rgb_of(even, even, wave(np.arange(64) - shift), "BT.601", FULL, 8)[:, 0]
            return np.abs(red - wanted)[8:-8].max()

        assert off(0) < 3 < off(0.5), name


TURNS = {
    (0, False, False): lambda p: p,
    (90, False, False): lambda p: np.rot90(p, 1),
    (180, False, False): lambda p: np.rot90(p, 2),
    (270, False, False): lambda p: np.rot90(p, 3),
    (-90, False, False): lambda p: np.rot90(p, -1),
    (0, True, False): lambda p: p[:, ::-1],
    (0, False, True): lambda p: p[::-1],
    (90, True, False): lambda p: np.rot90(p, 1)[:, ::-1],
    (90, False, True): lambda p: np.rot90(p, 1)[::-1],
}


@pytest.mark.parametrize("turn", TURNS)
def test_turned_and_mirrored_films_stand_upright(film, turn):
    picture = np.zeros((24, 32, 3), np.uint8)
    picture[:12, :16] = (250, 20, 20)
    picture[:12, 16:] = (20, 250, 20)
    picture[12:, :16] = (20, 20, 250)
    path = film("a.mov", "qtrle", pictures=[picture] * 2, size=(32, 24), pixels="rgb24", rotation=turn)
    upright = TURNS[turn](picture)
    with VideoReader(path) as reader:
        assert (reader.height, reader.width) == upright.shape[:2]
        for frame in reader.frames():
            assert np.array_equal(frame, upright)
            assert frame.flags.c_contiguous


def test_unknown_side_data_leaves_the_angle():
    class Frame:
        rotation = 90

        @property
        def side_data(self):
            raise ValueError("99 is not a valid Type")

        width, height, format = 8, 4, av.VideoFormat("rgb24")

    assert look_of(Frame(), F(1)).shown_size == (4, 8)  # pyright: ignore[reportArgumentType]


@given(width=st.integers(1, 300), aspect=st.fractions(F(1, 16), 16, max_denominator=99))
def test_pixels_are_made_square_by_giving_way_in_width(width, aspect):
    look = look_of(av.VideoFrame(width, 7, "gray"), aspect)
    assert look.shown_size[1] == 7
    assert abs(look.shown_size[0] - width * aspect) <= 0.5 or look.shown_size[0] == 1


@pytest.mark.parametrize("aspect", [F(1, 1000), F(1000)])
def test_an_absurd_pixel_aspect_is_ignored(aspect):
    assert look_of(av.VideoFrame(30, 7, "gray"), aspect).shown_size == (30, 7)


def test_films_of_wide_pixels_are_widened(film, number_of):
    path = film("dv.mp4", size=(64, 48), count=3, sample_aspect_ratio=F(16, 11))
    with VideoReader(path) as reader:
        assert (reader.width, reader.height) == (ceil(64 * 16 / 11 - 0.5), 48)
        assert [number_of(frame) for frame in reader.frames()] == [0, 1, 2]


def test_another_size_on_the_way_is_scaled_and_said_once(caplog):
    first, other = av.VideoFrame(16, 8, "rgb24"), av.VideoFrame.from_ndarray(np.full((20, 30, 3), 77, np.uint8))
    develop = Developer(look_of(first, F(1)), "talk.webm")
    with caplog.at_level(logging.WARNING):
        frames = [develop(frame) for frame in (first, other, other)]
    assert [frame.shape for frame in frames] == [(8, 16, 3)] * 3
    assert np.array_equal(frames[1], np.full((8, 16, 3), 77))
    (record,) = caplog.records
    assert record.getMessage() == "talk.webm changes size to 30 x 20 on the way; it is scaled to the first size."


def test_a_pixel_format_without_a_way_to_rgb_is_named():
    frame = av.VideoFrame(0, 0, "yuv420p")
    with pytest.raises(MediaError, match=r"film has frames of a kind that cannot be turned into RGB \(yuv420p\)"):
        developed(frame)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"color_trc": 16}, "is HDR video"),
        ({"color_trc": 18}, "is HDR video"),
        ({"color_primaries": 9}, "has BT.2020 primaries"),
        ({}, None),
    ],
)
def test_what_is_not_undone_is_said(settings, words, caplog):
    frame = av.VideoFrame(8, 8, "yuv420p")
    for key, value in settings.items():
        setattr(frame, key, value)
    with caplog.at_level(logging.WARNING):
        warn_of(frame, "clip.mp4")
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (words is not None)
    assert all(line.startswith(f"clip.mp4 {words}") for line in said)


def test_interlaced_films_are_read_with_a_warning(film, caplog):
    path = film("tv.ts", "mpeg2video", count=3, options={"flags": "+ilme+ildct", "top": "1"})
    with caplog.at_level(logging.WARNING), VideoReader(path) as reader:
        assert len(list(reader.frames())) >= 3
    assert any("is interlaced" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mov", "qtrle", "argb"),
        ("b.mov", "prores_ks", "yuva444p10le"),
        ("c.mkv", "ffv1", "yuva420p"),
        ("d.mov", "png", "rgba"),
    ],
)
def test_alpha_is_read_where_there_is_some(film, name, codec, pixels):
    picture = np.full((32, 64, 4), 90, np.uint8)
    picture[:, :32, 3], picture[:, 32:, 3] = 255, 60
    path = film(name, codec, pictures=[picture] * 2, size=(64, 32), pixels=pixels)
    with VideoReader(path) as reader:
        assert reader.has_alpha
        for frame in reader.frames():
            assert frame.shape == (32, 64, 4)
            assert np.abs(frame.astype(int) - picture)[:, 4:28].max() <= 3
            assert np.abs(frame.astype(int) - picture)[:, 36:].max() <= 3


@pytest.mark.parametrize("codec", ["libvpx-vp9", "libvpx"])
def test_webm_hides_its_alpha_beside_the_picture(film, codec):
    picture = np.full((32, 64, 4), 120, np.uint8)
    picture[:, :32, 3], picture[:, 32:, 3] = 255, 40
    path = film(
        "a.webm",
        codec,
        pictures=[picture] * 8,
        size=(64, 32),
        pixels="yuva420p",
        options={"auto-alt-ref": "0", "g": "4"},
    )
    with VideoReader(path) as reader:
        assert reader.has_alpha
        frames = list(reader.frames())
        assert len(frames) == 8
        assert all(np.abs(frame[..., 3].astype(int) - picture[..., 3])[:, [4, 60]].max() <= 6 for frame in frames)
        assert np.array_equal(next(reader.frames(F(5, 25))), frames[5])
