"""Each failure has its exit code, and says how to mend it."""

import pytest

from keyweave.base import errors


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.InputError, 2), (errors.MediaError, 2), (errors.MissingExtra, 3), (errors.ModelNotFound, 3),
        (errors.NoSolution, 4), (errors.Cancelled, 130), (errors.KeyweaveError, 1),
    ],
)  # fmt: skip
def test_exit_codes(kind: type[errors.KeyweaveError], code: int):
    assert kind("What.").exit_code == code
    assert issubclass(kind, errors.KeyweaveError)


def test_message_and_hint_read_as_one():
    assert str(errors.InputError("It is wrong.", "Do this.")) == "It is wrong. Do this."
    assert str(errors.InputError("It is wrong.")) == "It is wrong."
