"""Which calls may go up a floor? Those named here: a graph draws itself, a ledger shows itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from .engine.signatures import written

DOORS = {
    "to_dot": "drawing.draw",
    "render": "drawing.draw",
    "to_svg": "drawing.draw",
    "to_html": "page.html",
    "live_html": "page.html",
    "compiler": "scan.compiler",
    "row_loop": "scan.row_loops",
    "run_foreign": "interop.twins",
    "to_onnx": "interop",
    "Ledger": "graphs.ledger",
    "backward_steps": "graphs.replay",
    "ledger_html": "plots.ledger_card",
    "module_html": "plots.cards",
    "packed_module": "compat.whole",
    "unpacked_module": "compat.whole",
}


def door(name: str) -> Callable[..., Any]:
    """A function of a floor above, imported when it is asked for.

    >>> door("to_dot").__module__
    'tinygrad_rnn.drawing.draw'
    """
    found: Callable[..., Any] = getattr(import_module(f"{__package__}.{DOORS[name]}"), name)
    return found


def typed(name: str) -> Callable[..., Any]:
    """A function of the room of PyTorch's typed constructors."""
    found: Callable[..., Any] = getattr(import_module(f"{__package__}.compat.typed"), name)
    return found


# PyTorch's names that only its scripts ask for, by the module that has them, and the rooms where they are.
# First those that are functions and methods of a tensor, then those that stand in nn.functional too.
_ELEMENTWISE = (
    "absolute acos acosh addcdiv addcmul arccos arccosh arcsin arcsinh arctan arctanh asin asinh "
    "atan atanh bitwise_and bitwise_not bitwise_or bitwise_xor clamp_max clamp_min copysign cosh "
    "deg2rad dist erfc exp2 fix float_power floor_divide fmax fmin fmod frac greater greater_equal "
    "heaviside hypot isclose isneginf isposinf isreal less less_equal log10 log2 logaddexp logit "
    "negative not_equal positive rad2deg reciprocal remainder rsqrt sgn signbit sinc sinh tan trunc "
    "xlogy"
)
_SHAPING = (
    "argwhere diag diag_embed diagonal fliplr flipud hsplit index_add index_copy index_fill "
    "index_put masked_scatter moveaxis movedim put repeat_interleave rot90 select sum_to_size take "
    "tensor_split unflatten vsplit"
)
_REDUCING = (
    "aminmax corrcoef count_nonzero cov histc kthvalue logcumsumexp mode msort nanmean nanmedian "
    "nanquantile nansum quantile std_mean trace unique_consecutive var_mean"
)
_PRODUCTS = "addbmm addmv addr baddbmm cross det ger inner inverse kron logdet matrix_power slogdet"
_ACTIVATIONS = "alpha_dropout celu prelu rrelu selu threshold"
_CONVOLUTIONS = (
    "adaptive_avg_pool1d avg_pool1d conv1d conv2d conv_transpose1d conv_transpose2d max_pool1d "
    "max_pool2d"
)
_NORMS = "group_norm instance_norm rms_norm"
FOR_SCRIPTS = {
    "": {
        "typed": (
            "BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor HalfTensor IntTensor "
            "LongTensor ShortTensor"
        ),
        "choosing": (
            "asarray bernoulli cosine_similarity logspace masked_select narrow nonzero randint_like "
            "range typename"
        ),
        "settings": (
            "Generator accelerator compile e finfo get_num_threads iinfo initial_seed jit newaxis "
            "onnx promote_types result_type serialization seed set_default_tensor_type "
            "set_num_threads set_printoptions use_deterministic_algorithms"
        ),
        "elementwise": _ELEMENTWISE
        + " eq ge gt is_complex is_floating_point is_nonzero isin le lt ne rsub",
        "shaping": _SHAPING
        + " atleast_1d atleast_2d atleast_3d block_diag broadcast_shapes broadcast_tensors "
        "cartesian_prod column_stack combinations concatenate dstack hstack row_stack "
        "tril_indices triu_indices vstack",
        "reducing": _REDUCING + " bucketize cumulative_trapezoid searchsorted trapezoid trapz",
        "products": _PRODUCTS + " cdist chain_matmul pairwise_distance tensordot",
        "activations": _ACTIVATIONS,
        "convolutions": _CONVOLUTIONS,
        "norms": _NORMS,
    },
    "tensors.Tensor": {
        "elementwise": _ELEMENTWISE + " divide multiply subtract true_divide",
        "shaping": _SHAPING
        + " apply_ char element_size get_device is_contiguous map_ ndimension pin_memory "
        "share_memory_ short storage_offset stride swapdims unfold",
        "reducing": _REDUCING,
        "products": _PRODUCTS,
        "activations": "hardshrink prelu",
    },
    "linalg": {
        "products": "cross det inv matrix_power multi_dot slogdet solve",
    },
    "autograd": {
        "variable": "Variable",
        "custom": "Function",
        "settings": "detect_anomaly set_detect_anomaly",
        "derivatives": "backward functional gradcheck",
    },
    "nn": {
        "surroundings": (
            "Bilinear ConstantPad1d ConstantPad2d EmbeddingBag ReflectionPad1d ReplicationPad1d "
            "Unflatten Upsample ZeroPad1d ZeroPad2d"
        ),
        "containers": "DataParallel ModuleDict ParameterDict ParameterList",
        "layers": (
            "BatchNorm1d CosineSimilarity Dropout1d Dropout2d NonDynamicallyQuantizableLinear"
        ),
        "activations": (
            "AlphaDropout CELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh LogSigmoid Mish PReLU "
            "ReLU6 SELU Softmax2d Softmin Softshrink Softsign Tanhshrink Threshold"
        ),
        "losses": (
            "CTCLoss CosineEmbeddingLoss GaussianNLLLoss HingeEmbeddingLoss KLDivLoss "
            "MarginRankingLoss MultiLabelSoftMarginLoss MultiMarginLoss PairwiseDistance "
            "PoissonNLLLoss SoftMarginLoss TripletMarginLoss"
        ),
        "convolutions": (
            "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool1d AdaptiveMaxPool2d AvgPool1d "
            "AvgPool2d Conv1d Conv2d ConvTranspose1d ConvTranspose2d MaxPool1d MaxPool2d"
        ),
        "attention": (
            "MultiheadAttention Transformer TransformerDecoder TransformerDecoderLayer "
            "TransformerEncoder TransformerEncoderLayer"
        ),
        "norms": "BatchNorm2d GroupNorm InstanceNorm1d InstanceNorm2d RMSNorm",
    },
    "nn.functional": {
        "surroundings": "bilinear gumbel_softmax interpolate upsample",
        "layers": "batch_norm cosine_similarity dropout1d dropout2d",
        "products": "normalize pairwise_distance",
        "activations": _ACTIVATIONS
        + " glu hardshrink hardsigmoid hardswish hardtanh logsigmoid mish relu6 softmin "
        "softshrink softsign tanhshrink",
        "losses": (
            "cosine_embedding_loss ctc_loss gaussian_nll_loss hinge_embedding_loss kl_div "
            "margin_ranking_loss multi_margin_loss multilabel_soft_margin_loss poisson_nll_loss "
            "soft_margin_loss triplet_margin_loss"
        ),
        "convolutions": _CONVOLUTIONS
        + " adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool2d avg_pool2d",
        "attention": "scaled_dot_product_attention",
        "norms": _NORMS,
    },
    "nn.init": {
        "starting": "dirac_ sparse_ trunc_normal_",
    },
    "nn.utils": {
        "vectors": (
            "clip_grad_norm get_total_norm parameters_to_vector vector_to_parameters weight_norm"
        ),
    },
    "optim": {
        "optimizers": "Adadelta Adagrad Adamax NAdam",
    },
    "optim.lr_scheduler": {
        "schedules": (
            "ConstantLR CosineAnnealingWarmRestarts CyclicLR LinearLR MultiplicativeLR PolynomialLR "
            "SequentialLR"
        ),
    },
    "utils.data": {
        "datasets": "ConcatDataset default_collate get_worker_info",
    },
}

# Modules that scripts name by their path without importing them.
PATHS = {"nn": ("modules", "parameter"), "utils": ("data", "tensorboard")}


def for_scripts(module: str, name: str) -> Any:
    """What a module has for PyTorch's scripts, imported when it is asked for; raises AttributeError.

    >>> for_scripts("tinygrad_rnn", "LongTensor").dtype
    dtype('int64')
    """
    package = str(__package__)
    path = module.removeprefix(package).lstrip(".")
    for room, names in FOR_SCRIPTS.get(path, {}).items():
        if name in names.split():
            return written(getattr(import_module(f"{package}.compat.{room}"), name))
    if name in PATHS.get(path, ()):
        return import_module(f"{module}.{name}")
    words = ""
    if not name.startswith("_") and not path.startswith("tensors"):
        words = import_module(f"{package}.compat.elsewhere").of_a_module(path, name)
    known = sys.modules.get(module)  # for Python's own guess at a slip of the keyboard
    raise AttributeError(
        f"module {module!r} has no attribute {name!r}{words}", name=name, obj=known
    )


ASKED = "get_submodule get_parameter get_buffer buffers share_memory all_weights _all_weights _flat_weights"


def asked_by_scripts(module: Any, name: str) -> Any:
    """What PyTorch's scripts alone ask of a module; raises AttributeError."""
    if name not in ASKED.split():
        words = import_module(f"{__package__}.compat.elsewhere").of_a_model(name)
        raise AttributeError(f"{type(module).__name__} has no attribute {name!r}{words}")
    return import_module(f"{__package__}.compat.module_methods").asked(module, name)


def method_for_scripts(owner: str, tensor: Any, name: str) -> Any:
    """A method that PyTorch's scripts alone call, bound to a tensor; raises AttributeError.

    A name that ends in ``_`` and that no room has writes what the method without it returns.

    >>> import tinygrad_rnn as tg
    >>> tg.tensor([1.0, 8.0]).log2_()
    tensor([0., 3.])
    """
    try:
        function = for_scripts(owner, name)
    except AttributeError:
        words = f"'Tensor' object has no attribute {name!r}"
        plain = name.removesuffix("_")
        if plain == name or name.startswith("_"):
            raise AttributeError(words) from None
        try:
            base = getattr(tensor, plain)
        except AttributeError:
            raise AttributeError(words) from None
        if not callable(base) or not plain.isidentifier() or plain.endswith("_"):
            raise AttributeError(words) from None
        write = import_module(f"{__package__}.tensors.writing").become
        return lambda *args, **options: write(tensor, base(*args, **options), name)
    return lambda *args, **options: function(tensor, *args, **options)


def public_names(module: str, own: list[str]) -> list[str]:
    """What ``dir`` of a module lists: its own public names and those that scripts ask for.

    >>> "draw" in dir(__import__("tinygrad_rnn"))
    True
    """
    path = module.removeprefix(str(__package__)).lstrip(".")
    return sorted({*own, *" ".join(FOR_SCRIPTS[path].values()).split()})
