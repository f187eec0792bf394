"""By which path do PyTorch's scripts import ``Parameter``? By this one."""

from .module import Parameter

__all__ = ["Parameter"]
