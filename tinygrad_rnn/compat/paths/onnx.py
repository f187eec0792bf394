"""By which name do PyTorch's scripts write ONNX files? ``torch.onnx.export(model, args, path)``."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.doors import door
from tinygrad_rnn.engine.signatures import readable

__all__ = ["export"]


def export(
    model: Any,
    args: Any,
    f: Any,
    *,
    input_names: list[str] | None = None,
    output_names: list[str] | None = None,
    dynamic_axes: Any = None,
    **options: Any,
) -> None:
    """Write ``model(*args)`` to the ONNX file ``f``; see ``interop.to_onnx``.

    Options that say how PyTorch's own exporter works (``opset_version``, ``verbose``, ``dynamo``, ...)
    have no effect.
    """
    door("to_onnx")(
        model,
        f,
        *(args if isinstance(args, tuple) else (args,)),
        input_names=input_names,
        output_names=output_names,
        dynamic_axes=dynamic_axes,
    )


readable(__name__)
