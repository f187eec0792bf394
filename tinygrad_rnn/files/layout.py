"""What is in a safetensors file? Eight bytes of length, a JSON header, the numbers. Read with distrust.

The library of that name would read and write the same bytes. Our own reader is here for what it does
not do: errors that name file, entry and fault, a checksum over header and numbers, duplicate keys
refused, bfloat16 without another package. The tests hold the two against each other.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from ..engine.values import Array

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
    "I8": "|i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
_CODES = {np.dtype(spelt): code for code, spelt in DTYPES.items() if code != "BF16"}
LONGEST_HEADER = 100_000_000  # the format's own limit, in bytes
OURS = "tinygrad_rnn."  # what our own keys in the metadata begin with
CHECKSUM = OURS + "sha256"
_UNKNOWN = "0" * 64  # stands in the header for the checksum while that is computed


class FileFormatError(ValueError):
    """A file that is no valid safetensors file, or is damaged: the message names file and fault.

    >>> import io, tinygrad_rnn as tg
    >>> try:
    ...     tg.load(io.BytesIO(b"junk"))
    ... except tg.FileFormatError as error:
    ...     print(error)
    the file: 4 bytes are too few for a safetensors file
    """


# ---- writing ------------------------------------------------------------------------------------


def encoded(
    arrays: Mapping[str, Array], metadata: Mapping[str, str]
) -> Iterator[bytes | memoryview]:
    """The file, piece by piece. Raises TypeError for a dtype that the format does not have."""
    entries: dict[str, Any] = {}
    plain = {name: _plain(name, array) for name, array in arrays.items()}
    placed = sorted(plain, key=lambda name: -plain[name].itemsize)  # every array lies aligned
    start, where = 0, {}
    for name in placed:
        where[name] = [start, start + plain[name].nbytes]
        start += plain[name].nbytes
    for name, array in plain.items():
        code, shape = _CODES[array.dtype], list(array.shape)
        entries[name] = {"dtype": code, "shape": shape, "data_offsets": where[name]}
    if "__metadata__" in entries:
        raise ValueError("'__metadata__' is the format's own key: give the tensor another name")
    words = {CHECKSUM: _UNKNOWN, **metadata}  # it comes first: nothing before it can look like it
    table = {"__metadata__": words, **entries}
    header = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > LONGEST_HEADER:
        raise ValueError(f"a header of {len(header)} bytes is more than the format's 100 MB")
    seal = hashlib.sha256(header)
    for name in placed:
        seal.update(plain[name].data if plain[name].size else b"")
    yield len(header).to_bytes(8, "little")
    yield header.replace(_UNKNOWN.encode(), seal.hexdigest().encode(), 1)
    for name in placed:
        if plain[name].size:
            yield plain[name].data.cast("B")


def _plain(name: str, array: Array) -> Array:
    """An array as it lies in the file: contiguous, little-endian."""
    if array.dtype.newbyteorder("<") not in _CODES:
        raise TypeError(f"a file holds numbers, not {array.dtype} (entry {name!r})")
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


# ---- reading ------------------------------------------------------------------------------------


def decoded(file: BinaryIO, size: int, who: str) -> tuple[dict[str, str], dict[str, Array]]:
    """Metadata and arrays of a file of ``size`` bytes; never allocates much beyond that size.

    Raises FileFormatError for what is not exactly the format, and where a file of ours does not have
    the checksum that it says.
    """
    header = _header(file, size, who)
    metadata, entries = _entries(header, size - 8 - len(header), who)
    seal, arrays = hashlib.sha256(header.replace(_sum(metadata, who), _UNKNOWN.encode(), 1)), {}
    for name, (code, shape, _, _) in sorted(entries.items(), key=lambda item: item[1][2:]):
        try:
            array = np.empty(shape, DTYPES[code])
        except ValueError as error:  # sides beyond what numpy can hold, beside one of 0
            raise FileFormatError(f"{who}: entry {name!r} has shape {shape}: {error}") from None
        if array.size:
            room = array.reshape(-1).view(np.uint8).data
            if _fill(file, room) != len(room):
                raise FileFormatError(f"{who} ends within entry {name!r}")
            seal.update(room)
        arrays[name] = array
    if CHECKSUM in metadata and seal.hexdigest() != metadata[CHECKSUM]:
        raise FileFormatError(f"{who} is damaged: its checksum is not that of its content")
    return metadata, {name: _native(arrays[name], entries[name][0], who, name) for name in entries}


def decoded_metadata(file: BinaryIO, size: int, who: str) -> dict[str, Any]:
    """The header alone: metadata, and dtype and shape of each entry."""
    header = _header(file, size, who)
    metadata, entries = _entries(header, size - 8 - len(header), who)
    tensors = {
        name: {"dtype": code, "shape": shape} for name, (code, shape, _, _) in entries.items()
    }
    return {"metadata": metadata, "tensors": tensors}


def _header(file: BinaryIO, size: int, who: str) -> bytes:
    if size < 8:
        raise FileFormatError(f"{who}: {size} bytes are too few for a safetensors file")
    first = file.read(8)
    length = int.from_bytes(first, "little")
    if length > min(size - 8, LONGEST_HEADER) or len(first) < 8:
        raise FileFormatError(
            f"{who} is no safetensors file: it says that its header has {length} bytes, and there are "
            f"{size - 8} (at most {LONGEST_HEADER})" + _other_kind(first)
        )
    header = file.read(length)
    if len(header) != length:
        raise FileFormatError(f"{who} ends within its header")
    if header[:1] != b"{":
        raise FileFormatError(f"{who}: the header does not begin with {{" + _other_kind(first))
    return header


def _other_kind(first: bytes) -> str:
    """What a file may be instead, by its first bytes."""
    if first[:2] in (b"PK", b"\x80\x02"):
        return (
            ". It looks like a file of torch.save or numpy: this library reads no pickle; in PyTorch "
            "write safetensors.torch.save_file(model.state_dict(), path)"
        )
    return ""


Entry = tuple[str, tuple[int, ...], int, int]


def _entries(header: bytes, room: int, who: str) -> tuple[dict[str, str], dict[str, Entry]]:
    """What a header says, checked against the room that there is."""

    def fail(fault: str) -> FileFormatError:
        return FileFormatError(f"{who}: {fault}")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            seen: set[str] = set()
            twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
            raise fail(f"the header has {twice!r} twice")
        return found

    def no_number(word: str) -> Any:
        raise fail(f"the header is no JSON: {word}")

    try:
        text = header.decode("utf-8")
        table = json.loads(text, object_pairs_hook=once, parse_constant=no_number)
    except UnicodeDecodeError:
        raise fail("the header is no UTF-8") from None
    except FileFormatError:
        raise
    except (ValueError, RecursionError) as error:
        raise fail(f"the header is no JSON ({error})") from None
    metadata = table.pop("__metadata__", None)
    metadata = {} if metadata is None else metadata  # null is none, as elsewhere
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise fail("__metadata__ must hold texts by name")
    entries = {name: _entry(name, given, fail) for name, given in table.items()}
    for word in (*metadata, *metadata.values(), *entries):
        try:
            word.encode("utf-8")
        except UnicodeEncodeError:
            raise fail(f"{word!r} is no text") from None
    end = 0
    for name, (_, _, start, stop) in sorted(entries.items(), key=lambda item: item[1][2:]):
        if start != end:
            kind = "overlaps what is before it" if start < end else "leaves a hole before it"
            raise fail(f"entry {name!r} begins at byte {start} and {kind}, which ends at {end}")
        end = stop
    if end != room:
        raise fail(f"the entries take {end} bytes, and the file has {room} after its header")
    return metadata, entries


def _entry(name: str, given: Any, fail: Any) -> Entry:
    """One entry of the header: dtype, shape, first and last byte."""
    if not isinstance(given, dict) or not {"dtype", "shape", "data_offsets"} <= set(given):
        raise fail(f"entry {name!r} must have dtype, shape and data_offsets")  # others may say more
    code, shape, offsets = given["dtype"], given["shape"], given["data_offsets"]
    if not isinstance(code, str) or code not in DTYPES:
        raise fail(f"entry {name!r} has dtype {code!r}: there are {', '.join(DTYPES)}")
    if not _counts(shape) or len(shape) > 64:
        raise fail(
            f"entry {name!r} has the shape {str(shape)[:80]}, not a list of at most 64 lengths"
        )
    if not _counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise fail(f"entry {name!r} has data_offsets {str(offsets)[:80]}, not [first, end]")
    size = math.prod(shape) * np.dtype(DTYPES[code]).itemsize
    if size != offsets[1] - offsets[0]:
        raise fail(
            f"entry {name!r}: shape {shape} of {code} takes {size} bytes, and data_offsets {offsets} "
            f"are {offsets[1] - offsets[0]}"
        )
    return code, tuple(shape), offsets[0], offsets[1]


def _counts(given: Any) -> bool:
    """Whether this is a list of integers from 0 to 2**63 - 1."""
    return isinstance(given, list) and all(type(n) is int and 0 <= n < 2**63 for n in given)


def _sum(metadata: dict[str, str], who: str) -> bytes:
    """The checksum that a file of ours must have; nothing (b" ") where it comes from elsewhere."""
    found = metadata.get(CHECKSUM)
    if found is None:
        if any(key.startswith(OURS) for key in metadata):
            raise FileFormatError(f"{who} is damaged: its checksum is missing")
        return _UNKNOWN.encode()
    return found.encode()


def _fill(file: BinaryIO, room: memoryview) -> int:
    """Read until the room is full or the file ends; returns how many bytes came."""
    done = 0
    while done < len(room):
        got = file.readinto(room[done:])  # type: ignore[attr-defined]
        if not got:
            break
        done += got
    return done


def _native(array: Array, code: str, who: str, name: str) -> Array:
    """An array in this machine's byte order; bfloat16 as the float32 of the same value."""
    if code == "BF16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    if code == "BOOL" and array.size and array.view(np.uint8).max() > 1:
        raise FileFormatError(f"{who}: entry {name!r} holds a bool that is neither 0 nor 1")
    return array.astype(array.dtype.newbyteorder("="), copy=False)
