"""Labels: what is written is read back, and each thing that is no label is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.systems.dance.labels import MOST_LABELS, Label, name_of, read_labels, write_labels

LABELS = st.lists(st.builds(Label, st.integers(0, 701).map(name_of), st.booleans()), min_size=1, max_size=20)


@given(LABELS)
def test_labels_come_back(labels: list[Label]):
    assert read_labels(write_labels(labels)) == tuple(labels)


def test_primes_and_blanks_may_be_written_in_several_ways():
    assert read_labels(" A - A\u2019 - B -B\u2032") == (
        Label("A"),
        Label("A", True),
        Label("B"),
        Label("B", True),
    )


@given(LABELS)
def test_mirroring_twice_changes_nothing(labels: list[Label]):
    assert [label.mirror.mirror for label in labels] == labels
    assert all(label.mirror != label and label.mirror.name == label.name for label in labels)


def test_names_follow_the_alphabet():
    names = [name_of(number) for number in range(26 * 27)]
    assert (names[0], names[25:28], names[-1]) == ("A", ["Z", "AA", "AB"], "ZZ")
    assert len(set(names)) == len(names)
    for number in (-1, 26 * 27):
        with pytest.raises(ValueError, match="there are names"):
            name_of(number)


@pytest.mark.parametrize(
    ("text", "what"),
    [("A--B", "Label 2 .* is nothing"), ("A-b", "Label 2 .* is 'b'"), ("A''", "Label 1"), ("", "Label 1 .* nothing")],
)
def test_what_is_no_label_is_named(text: str, what: str):
    with pytest.raises(InputError, match=what):
        read_labels(text)


def test_there_may_not_be_too_many():
    assert len(read_labels("-".join(["A"] * MOST_LABELS))) == MOST_LABELS
    with pytest.raises(InputError, match=f"got {MOST_LABELS + 1}"):
        read_labels("-".join(["A"] * (MOST_LABELS + 1)))
