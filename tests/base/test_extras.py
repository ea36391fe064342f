"""A missing package is one sentence that names the extra."""

import math
import sys

import pytest

from keyweave.base import extras
from keyweave.base.errors import MissingExtra


def test_a_package_that_is_there_is_handed_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(extras.EXTRA_OF, "math", "generate")
    assert extras.need("math", "adding") is math
    assert extras.installed("math")


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(extras.EXTRA_OF, "no_such_package", "generate")
    assert not extras.installed("no_such_package")
    with pytest.raises(MissingExtra) as caught:
        extras.need("no_such_package", "loading a diffusion model")
    assert str(caught.value) == (
        "Loading a diffusion model needs the package no_such_package, which is not installed. "
        'Install it with: pip install "keyweave[generate]"'
    )
    assert caught.value.exit_code == 3


def test_a_broken_package_shows_its_true_cause(tmp_path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "broken_package.py").write_text("import something_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(extras.EXTRA_OF, "broken_package", "generate")
    with pytest.raises(ModuleNotFoundError, match="something_that_is_not_there"):
        extras.need("broken_package", "anything")
    sys.modules.pop("broken_package", None)


def test_every_extra_is_one_that_can_be_installed():
    from importlib.metadata import metadata

    known = metadata("keyweave").get_all("Provides-Extra") or []
    assert set(extras.EXTRA_OF.values()) <= set(known)
