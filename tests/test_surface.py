"""The public names, and how light they are."""

import subprocess
import sys

import pytest

import keyweave

NAMES = [
    "Audio", "Clip", "Event", "Image", "Job", "KeyweaveError", "Progress", "Result", "__version__", "dance",
    "inbetween", "open_frames", "read_clip", "read_image", "rerun", "retime", "run", "write_clip", "write_image",
]  # fmt: skip
HEAVY = {"torch", "numpy", "cv2", "av", "PIL", "pydantic", "rich", "scipy", "diffusers", "transformers"}


def loaded_after(code: str) -> set[str]:
    """Run code in a fresh interpreter and list the top packages it loaded."""
    listing = "import sys; print('LOADED', *{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", f"{code}\n{listing}"], capture_output=True, text=True, check=True)
    return set(run.stdout.split("LOADED ")[1].split())


def test_public_names_are_pinned_and_real():
    assert keyweave.__all__ == dir(keyweave) == NAMES
    for name in NAMES:
        assert getattr(keyweave, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        keyweave.nonsense  # noqa: B018


def test_importing_keyweave_loads_nothing_heavy():
    assert not loaded_after("import keyweave") & HEAVY


@pytest.mark.parametrize("argv", [["--help"], ["--version"], []])
def test_the_help_loads_nothing_heavy(argv: list[str]):
    assert not loaded_after(f"from keyweave.cli.main import main; main({argv})") & HEAVY


def test_a_cross_fade_never_loads_torch(tmp_path):
    code = f"""
import numpy as np, keyweave
a, b = (np.full((16, 16, 3), level, np.uint8) for level in (0, 99))
keyweave.inbetween([a, b], r"{tmp_path}/a.mp4", engine="crossfade")
"""
    assert "torch" not in loaded_after(code)


def test_the_version_is_the_one_that_is_installed():
    from importlib.metadata import version

    assert keyweave.__version__ == version("keyweave")
