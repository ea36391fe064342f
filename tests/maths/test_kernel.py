"""The kernel for graphics cards: run by Triton's interpreter, compiled for true cards, and left where it cannot be."""

import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from torch.autograd import gradcheck

from keyweave.maths import splatting
from keyweave.maths.splatting import splat_plainly, splat_with_weight

CARD = torch.device("cuda", 0)


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    built = splatting._built
    built.cache_clear()
    yield
    built.cache_clear()


def given(count: int, channels: int, height: int, width: int, kind: torch.dtype) -> list[torch.Tensor]:
    """Return a source, a flow with pixels that have no place, a metric and peaks near it."""
    source, metric = torch.randn(count, channels, height, width), 40 * torch.randn(count, 1, height, width)
    flow = torch.randn(count, 2, height, width) * 4
    flow[:, 0, 0, :3] = torch.tensor([torch.nan, torch.inf, -1e30])
    peak = 40 * torch.randn(count, 1, (height + 4) * (width + 4))
    peak[..., ::7] = -torch.inf
    return [tensor.to(kind) for tensor in (source, flow, metric, peak)]


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [(2, 3, 31, 17), (1, 1, 1, 300), (1, 5, 16, 16)])
def test_it_is_the_plain_construction(size: tuple[int, int, int, int], kind: torch.dtype, interpreted_splat):
    source, flow, metric, peak = given(*size, kind)
    for arguments in ((None, None), (metric, None), (metric, peak)):
        expected = splat_plainly(source, flow, *arguments).double()
        got = interpreted_splat(source, flow, *arguments)
        assert got.dtype == kind
        close = 1e-5 if kind == torch.float32 else 1e-13
        torch.testing.assert_close(got.double(), expected, rtol=close, atol=close * float(expected.abs().max()))


def test_a_pixel_adds_only_where_it_has_a_share(interpreted_splat):
    source = torch.ones(1, 1, 3, 3)
    source[0, 0, 1, 1] = torch.inf
    assert torch.equal(interpreted_splat(source, torch.zeros(1, 2, 3, 3), None, None)[:, :1], source)


def test_no_pictures_give_none(interpreted_splat):
    for size in ((0, 3, 4, 5), (1, 0, 4, 5), (2, 3, 0, 5)):
        source = torch.zeros(size)
        flow = torch.zeros(size[0], 2, *size[2:])
        assert torch.equal(interpreted_splat(source, flow, None, None), splat_plainly(source, flow, None, None))


def test_gradients_do_not_ask_which_way_was_taken(interpreted_splat, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(splatting, "splat_in_strips", interpreted_splat)
    shapes = (1, 1, 2, 3), (1, 2, 2, 3), (1, 1, 2, 3)
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert gradcheck(lambda *tensors: splat_with_weight(*tensors, mode="softmax"), inputs)


@pytest.mark.parametrize("kind", ["fp32", "fp64"])
@pytest.mark.parametrize("without", [("metric", "peak"), ("peak",), ("width",)])
def test_it_compiles_for_a_card_that_is_not_here(
    kind: str, without: tuple[str, ...], tmp_path, monkeypatch: pytest.MonkeyPatch
):
    """What the interpreter runs the compiler may still refuse."""
    compiler = pytest.importorskip("triton.compiler", reason="needs Triton")
    from triton.backends.compiler import GPUTarget  # pyright: ignore[reportMissingImports]

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = pytest.importorskip("keyweave.maths.kernel")._splat_block
    fixed = {name: 1 if name == "width" else None for name in without}
    types = {
        name: f"*{kind}" if name in {"source", "flow", "metric", "peak", "sums"} else "i32" for name in kernel.arg_names
    }
    source = compiler.ASTSource(
        kernel,
        signature=types | dict.fromkeys(fixed, "constexpr"),
        constexprs={(kernel.arg_names.index(name),): value for name, value in fixed.items()},
    )
    made = compiler.compile(source, target=GPUTarget("cuda", 80, 32), options={"enable_fp_fusion": False})
    assert f"red.global.gpu.relaxed.add.f{kind[2:]}" in made.asm["ptx"]


def test_without_triton_a_card_takes_the_plain_way(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setitem(sys.modules, "triton", None)
    assert splatting._construction(CARD) is splat_plainly
    assert not caplog.records


def test_a_triton_that_fails_is_named_once_and_passed_by(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail(*_: object) -> None:
        raise RuntimeError("no C compiler")

    monkeypatch.setattr(splatting, "installed", lambda _: True)
    monkeypatch.setitem(sys.modules, "keyweave.maths.kernel", SimpleNamespace(splat_in_blocks=fail))
    here = torch.device("cpu")  # where a first pixel can be moved
    assert splatting._built(here) is None
    assert splatting._built(here) is None
    (record,) = caplog.records
    assert record.getMessage() == (
        "Splatting on cpu takes the plain way, since Triton cannot build its kernel: no C compiler"
    )


def test_the_kernel_is_taken_where_it_was_built_and_any_order_will_do(monkeypatch: pytest.MonkeyPatch):
    tried = []

    def blocks(*arguments: object) -> None:
        tried.append(arguments)

    monkeypatch.setattr(splatting, "installed", lambda _: True)
    monkeypatch.setitem(sys.modules, "keyweave.maths.kernel", SimpleNamespace(splat_in_blocks=blocks))
    assert splatting._built(torch.device("cpu")) is blocks
    assert len(tried) == 1
    monkeypatch.setattr(splatting, "_built", lambda _: blocks)
    assert splatting._construction(CARD) is blocks
    assert splatting._construction(torch.device("mps")) is splat_plainly
    assert splatting._construction(torch.device("cpu")) is splatting.splat_in_strips
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
    assert splatting._construction(CARD) is splat_plainly
