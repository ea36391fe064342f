"""Methods with a sampling of their own."""

import pytest

from keyweave.base.errors import InputError
from keyweave.bench.names import method_of, sampling_of
from keyweave.systems.inbetween.presets import PRESETS
from keyweave.systems.inbetween.sampling import Sampling

ALL = Sampling(steps=9, repeats=4, guidance=(2, 2))


def test_a_name_by_itself_samples_as_all():
    assert (method_of("full"), sampling_of("full", ALL)) == ("full", ALL)


def test_what_stands_behind_the_name_changes_that():
    assert method_of("trf@steps=50+guidance=3") == "trf"
    assert sampling_of("trf@steps=50+guidance=1..3", ALL) == Sampling(steps=50, repeats=4, guidance=(1, 3))


def test_a_preset_takes_its_place():
    assert sampling_of("full@faithful", ALL) == PRESETS["faithful"]
    assert sampling_of("full@faithful+repeats=2", ALL).repeats == 2


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("full@", "The method 'full@': '' is no preset; choose from draft, fast, faithful"),
        ("full@best", "The method 'full@best': 'best' is no preset"),
        ("full@steps=none", "The method 'full@steps=none': steps is a whole number from 1 to 1000; got 'none'."),
        ("full@steps=50;repeats=2", "steps is a whole number from 1 to 1000; got '50;repeats=2'."),
    ],
)
def test_what_is_none_is_said(name: str, says: str):
    with pytest.raises(InputError) as caught:
        sampling_of(name, ALL)
    assert says in caught.value.message
    assert caught.value.hint == "Such as full@faithful or full@steps=50+guidance=2."
