"""What is asked of a fine-tuning, and whether it may go on as it was begun."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keyweave.base.errors import InputError
from keyweave.systems.inbetween.tuning import TuneOptions, Windows, going_on, keep_options, keep_windows, refuse_others


def asked(**given: Any) -> TuneOptions:
    return TuneOptions.model_validate(given)


def test_a_training_goes_on_with_the_options_it_was_begun_with(tmp_path: Path):
    first = asked(videos="a", batch=8, steps=10)
    assert going_on(tmp_path, first) == first
    keep_options(tmp_path, first)
    assert going_on(tmp_path, asked(videos="a")) == first
    assert going_on(tmp_path, asked(videos="a", steps=20, device="cpu")).steps == 20
    with pytest.raises(InputError, match=r"was begun with --batch 8, not 4\. Leave --batch as it was"):
        going_on(tmp_path, asked(videos="a", batch=4))
    (tmp_path / "options.json").write_text("[]")
    with pytest.raises(InputError, match="holds no options of this training"):
        going_on(tmp_path, first)


def test_what_else_may_have_changed_is_told_apart(tmp_path: Path):
    first = Windows("m", (("a", "1"), ("b", "2"), ("b", "3")))
    refuse_others(tmp_path, first)
    keep_windows(tmp_path, first)
    refuse_others(tmp_path, first)
    with pytest.raises(InputError, match="was begun with another model than --model names now"):
        refuse_others(tmp_path, replace(first, model="n"))
    with pytest.raises(InputError, match="was begun with another adapter than --adapter names now"):
        refuse_others(tmp_path, replace(first, adapter="f"))
    with pytest.raises(InputError, match=r"on other clips: 1 changed \(b\)\. Bring back"):
        refuse_others(tmp_path, replace(first, clips=(("a", "1"), ("b", "2"), ("b", "4"))))
    with pytest.raises(InputError, match=r"on other clips: 1 gone \(b\)\. Bring back"):
        refuse_others(tmp_path, replace(first, clips=(("a", "9"), ("b", "2"))))
    many = tuple((f"{k}", "x") for k in range(7))
    with pytest.raises(InputError, match=r"3 gone \(a, b, b\), 7 new \(0, 1, 2, 3, 4, \.\.\.\)\. Bring back"):
        refuse_others(tmp_path, Windows("m", many))
    for text in ("{", "[]", "{}", '{"model": "m", "clips": [1]}'):
        (tmp_path / "windows.json").write_text(text)
        with pytest.raises(InputError, match=r"windows\.json does not say what this training learns from"):
            refuse_others(tmp_path, first)
