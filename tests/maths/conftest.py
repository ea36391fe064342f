"""Arithmetic is checked on one thread: small tensors are many times slower with contended ones."""

from collections.abc import Callable
from importlib.util import find_spec, module_from_spec

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def _same_chance(one_thread: None) -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def interpreted_splat() -> Callable[..., torch.Tensor]:
    """The kernel for graphics cards, run by Triton's interpreter; a copy, so that a card keeps the true one."""
    pytest.importorskip("triton", reason="needs Triton")
    spec = find_spec("keyweave.maths.kernel")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        spec.loader.exec_module(module)
    # The interpreter computes with NumPy, which warns of what a card passes over in silence.
    return np.errstate(all="ignore")(module.splat_in_blocks)
