"""Where and how precisely to compute: one choice, measured or asked for."""

import platform
import time

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.models import devices
from keyweave.models.devices import Place, choose, free_bytes, hardware, place_weights, room_for_work


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch):
    """Pretend that there are two CUDA GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3, 10))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 6)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1)


@pytest.fixture
def none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_cuda_comes_before_mps_before_cpu(none, monkeypatch: pytest.MonkeyPatch):
    assert choose(dtype="float32") == Place("cpu", "float32")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose() == Place("mps", "float16")
    assert choose("mps", "float32") == Place("mps", "float32")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for able, dtype in ((True, "bfloat16"), (False, "float16")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *, including_emulation, able=able: able)
        assert choose() == Place("cuda:0", dtype)
    assert choose("cpu", "float16") == Place("cpu", "float16")


def test_what_was_asked_for_is_taken(gpus):
    assert choose("cuda", "float16") == Place("cuda:0", "float16")
    assert choose("cuda:1", "bfloat16") == Place("cuda:1", "bfloat16")
    assert free_bytes("cpu") is free_bytes("mps") is None


def test_what_pytorch_holds_ready_is_free(gpus):
    assert free_bytes("cuda:1") == room_for_work("cuda:1") == 3 + (6 - 1)


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_work_may_take_half_of_the_memory_that_is_shared(device: str):
    assert room_for_work(device) == psutil.virtual_memory().total // 2


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:", "cuda:-1", "cpu:0", "", "CUDA"])
def test_no_device(device: str, gpus):
    with pytest.raises(
        InputError, match=f"^--device: '{device}' is no device. Choose from: cpu, cuda, cuda:N or mps.$"
    ):
        choose(device)


def test_a_device_that_is_not_there(none, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match="^--device: this PyTorch sees no CUDA GPU. Leave --device out"):
        choose("cuda")
    with pytest.raises(InputError, match=r"^--device: this PyTorch sees no Apple GPU \(mps\). Leave --device out"):
        choose("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(InputError, match="^--device: there is no cuda:2; this machine has 2, counted from cuda:0.$"):
        choose("cuda:2")


def test_no_precision():
    with pytest.raises(InputError, match="^--dtype: 'half' is no precision. Choose from: float32, bfloat16, float16.$"):
        choose("cpu", "half")


@pytest.mark.parametrize(("slower", "dtype"), [(80, "float32"), (1, "float32"), (0.9, "float32"), (0.25, "bfloat16")])
def test_half_precision_must_be_worth_it(slower: float, dtype: str, monkeypatch: pytest.MonkeyPatch):
    """The clock stands still but for the products, whose cost is known."""
    now = [0.0]
    plain = torch.Tensor.__matmul__

    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        now[0] += slower if a.dtype == torch.bfloat16 else 1
        return plain(a, b)

    monkeypatch.setattr(torch.Tensor, "__matmul__", product)
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    devices._best_dtype_of_cpu.cache_clear()
    assert choose("cpu").dtype == dtype
    spent = now[0]
    assert choose("cpu").dtype == dtype
    assert now[0] == spent  # measured once
    devices._best_dtype_of_cpu.cache_clear()


@pytest.mark.parametrize(("slower", "dtype"), [(0.8, "float32"), (0.25, "bfloat16")])
@given(data=st.data())
def test_a_busy_neighbour_does_not_change_the_choice(slower: float, dtype: str, data: st.DataObject):
    """Else the same job would come out otherwise from one run to the next. Four products in five take longer."""
    now = [0.0]
    held_up = iter(data.draw(st.permutations([5.0] * 82 + [0.0] * 20)))
    plain = torch.Tensor.__matmul__

    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        now[0] += (slower if a.dtype == torch.bfloat16 else 1) + next(held_up)
        return plain(a, b)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "__matmul__", product)
        patch.setattr(time, "perf_counter", lambda: now[0])
        devices._best_dtype_of_cpu.cache_clear()
        assert choose("cpu").dtype == dtype
    devices._best_dtype_of_cpu.cache_clear()


def test_the_measurement_is_short_and_leaves_threads_alone():
    torch.set_num_threads(2)
    devices._best_dtype_of_cpu.cache_clear()
    start = time.perf_counter()
    assert choose("cpu").dtype in ("float32", "bfloat16")
    assert time.perf_counter() - start < 1
    assert torch.get_num_threads() == 2


@given(model=st.integers(0, 10**11), free=st.integers(0, 10**11), more=st.integers(0, 10**11))
def test_more_memory_never_means_less_on_the_device(model: int, free: int, more: int):
    if place_weights(model, free) == "all on device":
        assert place_weights(model, free + more) == "all on device"
        assert model <= free


def test_released_sizes_are_placed_as_they_should():
    svd = 4_500_000_000  # in half precision
    assert place_weights(svd, 24 << 30) == place_weights(svd, 16 << 30) == "all on device"
    assert place_weights(svd, 8 << 30) == "model offload"
    assert place_weights(30_000_000, 1 << 30) == "all on device"


def test_hardware_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"a card, as {device}")
    assert hardware(torch.device("cpu")) == hardware("cpu") == f"a CPU ({platform.machine()})"
    assert hardware("cuda:1") == "a card, as cuda:1"
