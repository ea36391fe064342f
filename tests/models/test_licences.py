"""A licence is told once, and asked for once if it is not free."""

import json
from pathlib import Path

import pytest

from keyweave.base.errors import MediaError
from keyweave.base.progress import Event, Progress
from keyweave.models import licences
from keyweave.models.licences import VARIABLE, LicenceNotAcceptedError, accept, licence_of, refuse_unaccepted, tell_once

OPEN_RAIL = "---\nlicense: openrail++\ntags:\n- video\n---\n# About\n"


@pytest.mark.parametrize(
    ("page", "licence"),
    [
        (OPEN_RAIL, "openrail++"),
        ('---\r\nlicense: "mit" # yes\r\n---\r\n', "mit"),
        ("---\nlicense: other\nlicense_name: stable-video\nlicense_link: LICENSE.md\n---\n", "stable-video"),
        (
            "---\nlicense: other\nlicense_name: svd\nlicense_link: https://x.y/z#terms\n---\n",
            "svd (https://x.y/z#terms)",
        ),
        ("---\nlicense:\ntags: [a]\n---\n", None),
        ("# license: mit\n", None),
        ("---\ntags: []\n---\nlicense: mit\n", None),
        ("", None),
        (None, None),
    ],
)
def test_pages_name_licences(page: str | None, licence: str | None, tmp_path: Path):
    if page is not None:
        (tmp_path / "README.md").write_bytes(page.encode())
    assert licence_of(tmp_path) == licence


@pytest.fixture
def heard() -> list[Event]:
    return []


def tell(heard: list[Event], repo: str, licence: str | None) -> None:
    tell_once(repo, licence, page=f"https://hub/{repo}", progress=Progress("job", heard.append))


def test_it_is_said_once_and_again_when_it_changes(heard: list[Event], state: Path):
    for repo, licence in (("a/b", "mit"), ("a/b", "mit"), ("a/c", None), ("a/c", None), ("a/b", "gpl"), ("a/b", "gpl")):
        tell(heard, repo, licence)
    assert [(one.kind, one.text) for one in heard] == [
        ("say", "a/b comes under the licence mit; read it at https://hub/a/b before you publish what it makes."),
        ("warn", "a/c names no licence; ask its owner before you publish what it makes: https://hub/a/c"),
        ("say", "a/b comes under the licence gpl; read it at https://hub/a/b before you publish what it makes."),
    ]
    assert json.loads((state / "licences.json").read_text()) == {"a/b": "gpl", "a/c": "unknown"}


@pytest.mark.parametrize("licence", ["apache-2.0", "MIT", "cc-by-4.0", "gpl-3.0 (https://x.y)", None])
def test_what_is_free_is_not_asked_for(licence: str | None):
    refuse_unaccepted("a/b", licence, page="https://hub/a/b")


@pytest.mark.parametrize(
    "licence",
    [
        "flux-1-dev-non-commercial-license",
        "stable-video-diffusion-community (https://x.y)",
        "openrail++",
        "cc-by-nc-4.0",
        "other",
        "mitigated",
    ],
)
def test_what_is_not_free_is_asked_for_until_it_is_agreed_to(licence: str, state: Path, heard: list[Event]):
    with pytest.raises(LicenceNotAcceptedError):
        refuse_unaccepted("a/b", licence, page="https://hub/a/b")
    with pytest.raises(LicenceNotAcceptedError) as fault:
        refuse_unaccepted("a/b", licence, page="https://hub/a/b")
    assert fault.value.exit_code == 2
    assert str(fault.value) == (
        f"a/b comes under the licence {licence}, which is not free for all uses; read it at https://hub/a/b. If you "
        "agree to it, say so once with --accept-licence a/b, or in the environment with KEYWEAVE_ACCEPT_LICENCE=a/b."
    )
    accept("a/b", licence)
    refuse_unaccepted("a/b", licence, page="https://hub/a/b")
    tell(heard, "a/b", licence)
    assert heard == []  # who agreed to it was told
    for repo, other in (("a/c", licence), ("a/b", f"{licence}-2")):
        with pytest.raises(LicenceNotAcceptedError):
            refuse_unaccepted(repo, other, page="https://hub/a/b")
    assert json.loads((state / "accepted-licences.json").read_text()) == {"a/b": licence}


def test_that_it_was_told_before_is_no_agreement(heard: list[Event]):
    tell(heard, "a/b", "openrail")
    with pytest.raises(LicenceNotAcceptedError):
        refuse_unaccepted("a/b", "openrail", page="https://hub/a/b")


def test_the_environment_may_agree(monkeypatch: pytest.MonkeyPatch):
    for text in ("a/b", "c/d, a/b", "a/b c/d"):
        monkeypatch.setenv(VARIABLE, text)
        refuse_unaccepted("a/b", "openrail", page="https://hub/a/b")
    monkeypatch.setenv(VARIABLE, "a/bc,a")
    with pytest.raises(LicenceNotAcceptedError):
        refuse_unaccepted("a/b", "openrail", page="https://hub/a/b")


def test_an_agreement_that_cannot_be_remembered_is_said(state: Path):
    state.parent.write_text("a file where the folder should be")
    with pytest.raises(MediaError):
        accept("a/b", "openrail")


@pytest.mark.parametrize("text", ["[]", "{", ""])
def test_a_damaged_memory_is_begun_anew(text: str, heard: list[Event], state: Path):
    state.mkdir(parents=True)
    (state / "licences.json").write_text(text)
    tell(heard, "a/b", "mit")
    tell(heard, "a/b", "mit")
    assert len(heard) == 1


def test_a_home_that_cannot_be_written_stops_nothing(heard: list[Event], state: Path):
    state.parent.write_text("a file where the folder should be")
    tell(heard, "a/b", "mit")
    tell(heard, "a/b", "mit")
    assert len(heard) == 2


def test_each_system_has_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    places = {"win32": "Local/keyweave", "darwin": "Library/Application Support/keyweave"}
    for system, place in places.items():
        monkeypatch.setattr(licences.sys, "platform", system)
        assert licences.state_folder() == tmp_path / place
    monkeypatch.setattr(licences.sys, "platform", "linux")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert licences.state_folder() == tmp_path / ".local/state/keyweave"
