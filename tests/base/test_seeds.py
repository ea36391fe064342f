"""The construction of streams is a promise: these values must never change."""

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.seeds import SEED_BITS, derive, draw_seed, stream

NAMES = st.lists(st.one_of(st.text(max_size=8), st.integers(0, 99)), max_size=4)


def test_stored_values():
    assert derive(0) == 7520536977032167579
    assert derive(42, "zoom", "level", 3) == 8400176302541072912
    assert derive(42, "zoom", "level", "3") == 3053545255288916919
    assert stream(7, "stars").random() == 0.3305092788726929
    assert stream(2**62, "ü", 1).random() == 0.47294793237822974


@given(st.integers(0, 2**63), NAMES, st.integers(1, 256))
def test_derive_follows_its_documented_construction(seed: int, names: list[str | int], bits: int):
    text = json.dumps([seed, *names], separators=(",", ":")).encode("ascii")
    digest = int(hashlib.sha256(text).hexdigest(), 16)
    assert derive(seed, *names, bits=bits) == digest >> (256 - bits)


@given(st.integers(0, 2**63), NAMES, NAMES)
def test_other_names_give_other_streams(seed: int, one: list[str | int], other: list[str | int]):
    assert (derive(seed, *one) == derive(seed, *other)) == (one == other)


def test_a_stream_looks_like_chance_and_neighbours_are_independent():
    count = 4000
    a, b = (stream(1, "k", k) for k in (0, 1))
    xs, ys = [a.random() for _ in range(count)], [b.random() for _ in range(count)]
    assert abs(sum(xs) / count - 0.5) < 0.02
    assert abs(sum((x - 0.5) * (y - 0.5) for x, y in zip(xs, ys, strict=True)) / count) < 0.006


def test_drawn_seeds_are_short_and_differ():
    drawn = {draw_seed() for _ in range(20)}
    assert len(drawn) > 15
    assert all(0 <= seed < 2**SEED_BITS for seed in drawn)
