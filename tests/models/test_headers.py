"""What a safetensors file says of itself."""

import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import load, save

from keyweave.base.errors import MediaError, ModelError
from keyweave.models.headers import read_header


def put(folder: Path, header: object, rest: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = folder / "one.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + rest)
    return path


@given(shapes=st.lists(st.lists(st.integers(0, 5), max_size=3), max_size=4))
def test_a_header_tells_the_length_and_the_count(shapes, tmp_path_factory: pytest.TempPathFactory):
    arrays = {f"t{k}": np.zeros(shape, np.float32) for k, shape in enumerate(shapes)}
    path = tmp_path_factory.mktemp("st") / "one.safetensors"
    path.write_bytes(save(arrays, {"format": "pt"}))
    header = read_header(path)
    assert header.size == path.stat().st_size
    assert header.count == sum(array.size for array in arrays.values())


def test_every_shorter_file_is_refused(tmp_path: Path):
    whole = save({"a": np.arange(6, dtype=np.float32)})
    path = tmp_path / "one.safetensors"
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(ModelError, match=r"is truncated|is not a safetensors file"):
            read_header(path)
    with pytest.raises(ModelError, match=f"is truncated: it has {len(whole) - 1} bytes of {len(whole)}"):
        read_header(path)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"PK\x03\x04 a pickle", "is not a safetensors file"),
        (b"{not json", "is a damaged safetensors file"),
        ({"a": 1}, "is a damaged safetensors file"),
        ({"a": {"shape": [1]}}, "is a damaged safetensors file"),
        ({"a": {"shape": ["x"], "data_offsets": [0, 4]}}, "is a damaged safetensors file"),
        ({"a": {"shape": [1], "data_offsets": [0]}}, "is a damaged safetensors file"),
        (b"{" + b'"a":{' * 9999, "is a damaged safetensors file"),
    ],
)
def test_what_is_no_header_is_refused(header, words: str, tmp_path: Path):
    with pytest.raises(ModelError, match=words):
        read_header(put(tmp_path, header, b"0000"))


def test_a_length_that_no_header_has_is_not_read(tmp_path: Path):
    path = tmp_path / "one.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 60) + b"{" * 100)
    with pytest.raises(ModelError, match="is not a safetensors file"):
        read_header(path)


def test_a_longer_file_is_refused(tmp_path: Path):
    """As the format's own reader does: nothing may follow the last tensor."""
    whole = save({"a": np.arange(6, dtype=np.float32)})
    path = tmp_path / "one.safetensors"
    for more in (1, 100):
        path.write_bytes(whole + b"x" * more)
        with pytest.raises(SafetensorError):
            load(path.read_bytes())
        said = f"is damaged: it has {len(whole) + more} bytes, and its header tells of {len(whole)}"
        with pytest.raises(ModelError, match=said):
            read_header(path)


def test_no_file(tmp_path: Path):
    with pytest.raises(MediaError, match=re.escape(f"Cannot read {tmp_path / 'x'}: there is no such file")):
        read_header(tmp_path / "x")
