"""The doctor sees what is missing, and says how to get it."""

from importlib import metadata
from pathlib import Path

import pytest

from keyweave.app import doctor
from keyweave.media import writers


def by_subject() -> dict[str, doctor.Finding]:
    return {finding.subject: finding for finding in doctor.examine()}


def test_a_healthy_installation():
    found = by_subject()
    assert all(finding.verdict != "missing" for finding in found.values())
    assert found["av"].says == metadata.version("av")
    assert "mp4" in found["writes"].says


def test_a_missing_core_package(monkeypatch: pytest.MonkeyPatch):
    real = metadata.version

    def version(name: str) -> str:
        if name == "rich":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    finding = by_subject()["rich"]
    assert finding.verdict == "missing"
    assert finding.says.endswith("-m pip install rich")


def test_missing_extras_and_encoders(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "installed", lambda name: name not in ("diffusers", "torch"))
    monkeypatch.setattr(writers, "missing_encoders", lambda: {".webm": "libvpx-vp9"})
    found = by_subject()
    assert found["extra generate"].verdict == "absent"
    assert 'pip install "keyweave[generate]"' in found["extra generate"].says
    assert found["writing .webm"].says == "this FFmpeg has no libvpx-vp9"
    assert "device" not in found


def test_the_model_cache_follows_the_hub_s_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert "(empty)" in by_subject()["model cache"].says
    (tmp_path / "hub" / "models--some--model").mkdir(parents=True)
    assert "some/model" in by_subject()["model cache"].says
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "x"))
    assert doctor.cache_folder() == tmp_path / "x"
