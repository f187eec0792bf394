"""How do queries look at keys and values? ``MultiheadAttention``, and the Transformer made of it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..nn import functional as f
from ..nn import init
from ..nn.layers import Dropout, LayerNorm, Linear
from ..nn.module import Module, ModuleList, Parameter
from ..nn.placing import placed
from ..tensors import Tensor, as_tensor, get_default_dtype
from ..tensors.making import zeros


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(Q K^T / sqrt(d) + mask) V``: (..., L, d), (..., S, d), (..., S, v) give (..., L, v).

    A boolean mask says where a query may look, a float one is added; ``is_causal`` lets it look back alone.

    >>> import tinygrad_rnn as tg
    >>> x = tg.ones(1, 2, 3)
    >>> tg.nn.functional.scaled_dot_product_attention(x, x, x).shape
    (1, 2, 3)
    """
    if enable_gqa:
        raise ValueError("scaled_dot_product_attention: enable_gqa is not there")
    q, k, v = as_tensor(query), as_tensor(key), as_tensor(value)
    scores = q @ k.mT * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        if attn_mask is not None:
            raise ValueError("scaled_dot_product_attention takes attn_mask or is_causal, not both")
        attn_mask = Tensor._made(np.tri(q.shape[-2], k.shape[-2], dtype=bool))
    if attn_mask is not None:
        mask = as_tensor(attn_mask)
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype.kind == "b" else scores + mask
    weights = f.softmax(scores, -1)
    return (f.dropout(weights, dropout_p) if dropout_p else weights) @ v


def _added(mask: Any, like: Tensor) -> Tensor | None:
    """A mask as what is added to scores: -inf where a boolean one is true."""
    if mask is None:
        return None
    m = as_tensor(mask)
    if m.dtype.kind == "f":
        return m.to(like.dtype)
    return zeros(*m.shape, dtype=like.dtype).masked_fill(m.to(np.bool_), -math.inf)


@placed
class MultiheadAttention(Module):
    """``softmax(Q K^T / sqrt(d)) V`` in ``num_heads`` parts of the features (Vaswani et al. 2017).

    Query (L, N, E), key and value (S, N, E) (batch first with ``batch_first``; or without a batch) give
    (L, N, E) and, with ``need_weights``, the weights (N, L, S), averaged over heads unless
    ``average_attn_weights=False``. ``key_padding_mask`` (N, S) and ``attn_mask`` (L, S) or (N heads, L, S)
    are true where a query must not look, or floats that are added. Names and shapes of weights are
    PyTorch's. Raises ValueError where sizes do not fit.

    >>> import tinygrad_rnn as tg
    >>> attend = tg.nn.MultiheadAttention(4, num_heads=2)
    >>> y, weights = attend(tg.ones(3, 1, 4), tg.ones(5, 1, 4), tg.ones(5, 1, 4))
    >>> y.shape, weights.shape
    ((3, 1, 4), (1, 3, 5))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
    ) -> None:
        super().__init__()
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ValueError(f"MultiheadAttention: {embed_dim} features in {num_heads} heads")
        if add_bias_kv or add_zero_attn:
            raise ValueError("MultiheadAttention: add_bias_kv and add_zero_attn are not there")
        self.embed_dim, self.num_heads, self.dropout = embed_dim, num_heads, dropout
        self.head_dim, self.batch_first = embed_dim // num_heads, batch_first
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim
        self._same = self.kdim == self.vdim == embed_dim
        dtype = get_default_dtype()

        def weight(inner: int, out: int = embed_dim) -> Parameter:
            return Parameter(np.zeros((out, inner)), dtype=dtype)

        shared = weight(embed_dim, 3 * embed_dim) if self._same else None
        self.register_parameter("in_proj_weight", shared)
        for name, inner in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
            own = None if self._same else weight(inner)
            self.register_parameter(f"{name}_proj_weight", own)
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if getattr(self, name) is not None:
                init.xavier_uniform_(getattr(self, name))
        started = Parameter(np.zeros(3 * embed_dim), dtype=dtype) if bias else None
        self.register_parameter("in_proj_bias", started)
        self.out_proj = Linear(embed_dim, embed_dim, bias)
        if self.out_proj.bias is not None:
            init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Queries, keys and values in, what they saw and how they looked out."""
        inputs = [as_tensor(t) for t in (query, key, value)]
        alone = inputs[0].ndim == 2
        if alone:
            inputs = [t.unsqueeze(0) for t in inputs]
        elif not self.batch_first:
            inputs = [t.transpose(0, 1) for t in inputs]
        for t, size in zip(inputs, (self.embed_dim, self.kdim, self.vdim), strict=True):
            if t.ndim != 3 or t.shape[-1] != size:
                raise ValueError(f"MultiheadAttention: {size} features expected, got {t.shape}")
        n, length, source = len(inputs[0]), inputs[0].shape[1], inputs[1].shape[1]
        if is_causal and attn_mask is None:
            raise ValueError("MultiheadAttention: is_causal needs an attn_mask, as in PyTorch")
        q, k, v = (
            part.reshape(n, part.shape[1], self.num_heads, self.head_dim).transpose(1, 2)
            for part in self._projected(inputs)
        )
        scores = (q * (1 / math.sqrt(self.head_dim))) @ k.mT
        looks = _added(attn_mask, scores)
        if looks is not None:
            if looks.ndim == 3:
                looks = looks.reshape(n, self.num_heads, length, source)
            scores = scores + looks
        padding = _added(key_padding_mask, scores)
        if padding is not None:
            scores = scores + padding.reshape(n, 1, 1, source)
        weights = f.softmax(scores, -1)
        seen = f.dropout(weights, self.dropout, self.training) if self.dropout else weights
        y = self.out_proj((seen @ v).transpose(1, 2).reshape(n, length, self.embed_dim))
        shown = weights.mean(1) if average_attn_weights else weights
        if alone:
            return y.squeeze(0), shown.squeeze(0) if need_weights else None
        return (y if self.batch_first else y.transpose(0, 1)), shown if need_weights else None

    def _projected(self, inputs: list[Tensor]) -> list[Tensor]:
        if self._same:
            weights = list(self.in_proj_weight.chunk(3))
        else:
            weights = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        bias = self.in_proj_bias
        biases = [None] * 3 if bias is None else list(bias.chunk(3))
        triples = zip(inputs, weights, biases, strict=True)
        return [f.linear(self._cast(t, w), w, b) for t, w, b in triples]


def _activation(given: Any) -> Callable[[Any], Tensor]:
    known: dict[str, Any] = {"relu": f.relu, "gelu": f.gelu}
    if isinstance(given, str):
        if given not in known:
            raise ValueError(f"activation is 'relu', 'gelu' or a function, not {given!r}")
        return known[given]  # type: ignore[no-any-return]
    return given  # type: ignore[no-any-return]


class _Block(Module):
    """What encoder and decoder layers share: attention and a small network, each added to its input."""

    _attentions: tuple[str, ...]

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Any = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        for name in self._attentions:
            attention = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first)
            setattr(self, name, attention)
        self.linear1, self.dropout = Linear(d_model, dim_feedforward, bias), Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias)
        for k in range(1, len(self._attentions) + 2):
            setattr(self, f"norm{k}", LayerNorm(d_model, layer_norm_eps, bias=bias))
        for k in range(1, len(self._attentions) + 2):
            setattr(self, f"dropout{k}", Dropout(dropout))
        self.norm_first, self.activation = norm_first, _activation(activation)

    def _with(self, k: int, x: Tensor, part: Callable[[Tensor], Tensor]) -> Tensor:
        """x + part(x), with the k-th norm before the part or after the sum."""
        norm, dropout = getattr(self, f"norm{k}"), getattr(self, f"dropout{k}")
        if self.norm_first:
            return x + dropout(part(norm(x)))  # type: ignore[no-any-return]
        return norm(x + dropout(part(x)))  # type: ignore[no-any-return]

    def _network(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


@placed
class TransformerEncoderLayer(_Block):
    """Self-attention, then two linear layers, each added to its input and normed (Vaswani et al. 2017).

    Arguments, defaults and the names of weights are PyTorch's.

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.TransformerEncoderLayer(d_model=4, nhead=2, dim_feedforward=8)
    >>> layer(tg.ones(5, 1, 4)).shape
    (5, 1, 4)
    """

    _attentions = ("self_attn",)

    def forward(
        self,
        src: Any,
        src_mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool = False,
    ) -> Tensor:
        """(L, N, E) in, (L, N, E) out."""

        def attend(x: Tensor) -> Tensor:
            return self.self_attn(  # type: ignore[no-any-return]
                x, x, x, src_key_padding_mask, need_weights=False, attn_mask=src_mask
            )[0]

        return self._with(2, self._with(1, as_tensor(src), attend), self._network)


@placed
class TransformerDecoderLayer(_Block):
    """Self-attention, attention to a memory, then two linear layers; see ``TransformerEncoderLayer``.

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.TransformerDecoderLayer(d_model=4, nhead=2, dim_feedforward=8)
    >>> layer(tg.ones(5, 1, 4), tg.ones(3, 1, 4)).shape
    (5, 1, 4)
    """

    _attentions = ("self_attn", "multihead_attn")

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """(L, N, E) and a memory (S, N, E) in, (L, N, E) out."""

        def attend(x: Tensor) -> Tensor:
            return self.self_attn(  # type: ignore[no-any-return]
                x, x, x, tgt_key_padding_mask, need_weights=False, attn_mask=tgt_mask
            )[0]

        def remember(x: Tensor) -> Tensor:
            return self.multihead_attn(  # type: ignore[no-any-return]
                x,
                memory,
                memory,
                memory_key_padding_mask,
                need_weights=False,
                attn_mask=memory_mask,
            )[0]

        x = self._with(1, as_tensor(tgt), attend)
        return self._with(3, self._with(2, x, remember), self._network)


class TransformerEncoder(Module):
    """``num_layers`` copies of an encoder layer, one after the other, then a norm.

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.TransformerEncoderLayer(d_model=4, nhead=2, dim_feedforward=8)
    >>> tg.nn.TransformerEncoder(layer, 2)(tg.ones(5, 1, 4)).shape
    (5, 1, 4)
    """

    def __init__(
        self,
        encoder_layer: Any,
        num_layers: int,
        norm: Any = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(encoder_layer) for _ in range(num_layers)])
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: Any = None
    ) -> Tensor:
        """(L, N, E) in, (L, N, E) out."""
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask)
        return src if self.norm is None else self.norm(src)  # type: ignore[no-any-return]


class TransformerDecoder(Module):
    """``num_layers`` copies of a decoder layer, one after the other, then a norm."""

    def __init__(self, decoder_layer: Any, num_layers: int, norm: Any = None) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(decoder_layer) for _ in range(num_layers)])
        self.num_layers, self.norm = num_layers, norm

    def forward(self, tgt: Any, memory: Any, *masks: Any, **options: Any) -> Tensor:
        """(L, N, E) and a memory (S, N, E) in, (L, N, E) out; masks as in the layer."""
        for layer in self.layers:
            tgt = layer(tgt, memory, *masks, **options)
        return tgt if self.norm is None else self.norm(tgt)  # type: ignore[no-any-return]


@placed
class Transformer(Module):
    """An encoder whose output a decoder looks at (Vaswani et al. 2017); arguments and names are PyTorch's.

    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.Transformer(4, 2, 1, 1, 8)
    >>> model(tg.ones(5, 1, 4), tg.ones(3, 1, 4)).shape
    (3, 1, 4)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Any = "relu",
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        sizes = (d_model, nhead, dim_feedforward)
        rest: Any = (dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*sizes, *rest),
            num_encoder_layers,
            LayerNorm(d_model, layer_norm_eps, bias=bias),
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*sizes, *rest),
            num_decoder_layers,
            LayerNorm(d_model, layer_norm_eps, bias=bias),
        )
        for p in self.parameters():
            if p.ndim > 1:
                init.xavier_uniform_(p)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: Any = None,
        tgt_is_causal: Any = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """(S, N, E) and (L, N, E) in, (L, N, E) out."""
        memory = self.encoder(src, src_mask, src_key_padding_mask)
        return self.decoder(  # type: ignore[no-any-return]
            tgt,
            memory,
            tgt_mask,
            memory_mask,
            tgt_key_padding_mask,
            memory_key_padding_mask,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """-inf above the diagonal, 0 elsewhere: what lets each place look back alone."""
        mask = np.triu(np.full((sz, sz), -np.inf), 1)
        return Tensor._made(mask, get_default_dtype() if dtype is None else dtype)
