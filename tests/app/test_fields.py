"""Options are declared once; rows, tables and complaints follow."""

import pytest

from keyweave.app.fields import markdown_table, option_rows, read_options
from keyweave.base.errors import InputError
from keyweave.systems.inbetween.options import InbetweenOptions


def test_rows_are_the_model_s_fields_its_own_first():
    rows = option_rows(InbetweenOptions)
    assert {row.name for row in rows} == set(InbetweenOptions.model_fields)
    assert [row.flag for row in rows][:2] == ["--frames", "--duration"]
    fit = next(row for row in rows if row.name == "fit")
    assert (fit.choices, fit.default, fit.metavar) == (("crop", "pad", "stretch"), "crop", None)
    assert all(row.says and (row.metavar or row.choices or row.is_switch) for row in rows)


def test_the_table_has_a_line_for_each():
    lines = markdown_table(InbetweenOptions).splitlines()
    assert len(lines) == 2 + len(InbetweenOptions.model_fields)
    assert "| `--fit` `crop` or `pad` or `stretch` |" in "\n".join(lines)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"fps": "abc"},
            "--fps: 'abc' is not a frame rate; write a number up to 1000, or a fraction such as 24000/1001.",
        ),
        ({"fps": ["x"]}, "--fps is ['x']; it should be"),
        ({"frames": "many"}, "--frames is 'many'; it should be a whole number."),
        ({"windows": "3.5"}, "--windows is '3.5'; it should be a whole number."),
        ({"fit": "squash"}, "--fit is 'squash'; it should be 'crop', 'pad' or 'stretch'."),
        ({"crf": 99}, "--crf is 99; it should be less than or equal to 63."),
        ({"size": "9"}, "--size: '9' is not a size; write width x height such as 640x360."),
        ({"frames": 1, "duration": 1}, "--frames and --duration both set the length; give only one of them."),
    ],
)
def test_complaints_name_the_flag(given: dict, words: str):
    with pytest.raises(InputError) as caught:
        read_options(InbetweenOptions, given)
    assert str(caught.value).startswith(words)
