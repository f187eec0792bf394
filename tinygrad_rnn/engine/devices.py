"""Where do tensors live? On the CPU. PyTorch's words for it, and an error for a GPU's."""

from __future__ import annotations

from typing import Any, NoReturn


class device:  # noqa: N801 (PyTorch's name)
    """A place for tensors: ``device("cpu")``. Raises RuntimeError for any other.

    >>> import tinygrad_rnn as tg
    >>> tg.zeros(2).to(tg.device("cpu")).device
    device(type='cpu')
    """

    type = "cpu"
    index = None

    def __init__(self, type: Any = "cpu", index: Any = None) -> None:
        check_device(type)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) or other == "cpu"

    def __hash__(self) -> int:
        return hash("cpu")

    def __str__(self) -> str:
        return "cpu"

    def __repr__(self) -> str:
        return "device(type='cpu')"


def is_device(value: Any) -> bool:
    """Whether an argument names a place and no dtype."""
    return isinstance(value, device) or (
        isinstance(value, str) and value.partition(":")[0] in ("cpu", "cuda", "mps", "xpu", "meta")
    )


def check_device(value: Any) -> None:
    """Raise RuntimeError for a place that is not the CPU."""
    if not (value is None or isinstance(value, device) or value in ("cpu", "cpu:0")):
        no_gpu(f"device {value!r}")


def no_gpu(what: str) -> NoReturn:
    """Say that there is no GPU here."""
    raise RuntimeError(
        f"{what}: tinygrad_rnn computes on the CPU alone; leave the device out, or choose it by "
        'device = "cuda" if torch.cuda.is_available() else "cpu"'
    )


CPU = device()


class NoDevices:
    """PyTorch's questions about devices of a kind, answered: there is none."""

    @staticmethod
    def is_available() -> bool:
        """False."""
        return False

    @staticmethod
    def device_count() -> int:
        """0."""
        return 0


class cuda(NoDevices):  # noqa: N801 (PyTorch's name)
    """PyTorch's questions about GPUs, answered: there is none.

    >>> import tinygrad_rnn as tg
    >>> tg.cuda.is_available()
    False
    """

    @staticmethod
    def manual_seed(seed: int) -> None:
        """Nothing: there is no GPU to seed (``torch.manual_seed`` seeds the library)."""

    @staticmethod
    def empty_cache() -> None:
        """Nothing: there is no GPU's memory."""

    @staticmethod
    def synchronize(device: Any = None) -> None:
        """Nothing: results are there when a call returns."""

    @staticmethod
    def manual_seed_all(seed: int) -> None:
        """Nothing: there is no GPU to seed (``manual_seed`` seeds the library)."""
