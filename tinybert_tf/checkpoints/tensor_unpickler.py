"""Reads the pickles that PyTorch writes, without running what they say.

`pickle.load` calls any function that a pickle names. Here the opcodes are only parsed (by the
standard library's `pickletools`, which executes nothing) and replayed by a small machine that
knows containers, numbers, strings and PyTorch's tensor records. Everything else is refused.
"""

import pickletools
from dataclasses import dataclass
from typing import BinaryIO

from tinybert_tf.errors import TinyBertError

# Element types of storages, and how numpy reads them. bfloat16 is read as its bits, and bool as
# bytes, since any byte is a valid uint8 but not a valid bool.
ELEMENTS = {
    "Double": "f8",
    "Float": "f4",
    "Half": "f2",
    "BFloat16": "u2",
    "Long": "i8",
    "Int": "i4",
    "Short": "i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "u1",
}

# The names that a pickle may refer to. None of them is imported or called.
_ORDERED_DICT = "collections.OrderedDict"
_REBUILD_TENSOR = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
_REBUILD_PARAMETER = "torch._utils._rebuild_parameter"
_STORAGES = {
    f"{module}.{kind}Storage": kind for module in ("torch", "torch.cuda") for kind in ELEMENTS
}
_ADMITTED = {_ORDERED_DICT, *_REBUILD_TENSOR, _REBUILD_PARAMETER, *_STORAGES}

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
}
_MARK = object()


@dataclass(frozen=True)
class Name:
    """An admitted global of a pickle, by its dotted name; never the object itself."""

    dotted: str


@dataclass(frozen=True)
class StorageRecord:
    """Where a tensor's elements lie.

    Attributes:
        kind: string. The element type, such as `"Float"`.
        key: string. The storage's name in its file.
        count: int. Elements of the whole storage.
        view: a (start, length) pair in elements when the record means a part of it, else `None`.
    """

    kind: str
    key: str
    count: int
    view: tuple[int, int] | None = None


@dataclass(frozen=True)
class TensorRecord:
    """A tensor as written: a storage, and offset, shape and strides counted in elements."""

    storage: StorageRecord
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class CorruptPickle(Exception):
    """The opcodes make no sense: the file is damaged, or was never a checkpoint."""


def load_pickle(stream: BinaryIO, source: str) -> tuple[object, dict[str, StorageRecord]]:
    """Reads one pickle and leaves the stream behind it.

    Args:
        stream: binary file object. Positioned at the pickle.
        source: string. The file's name, for messages.

    Returns:
        A pair: what the pickle holds, made of dicts, lists, tuples, numbers, strings and
        `TensorRecord`s; and every storage that it refers to, by key.

    Raises:
        TinyBertError: If the pickle refers to anything but tensors; the message names it.
        CorruptPickle: If the pickle is truncated or malformed.
    """
    machine = _Machine(source)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            machine.step(opcode.name, argument)
        return machine.stack.pop(), machine.storages
    except TinyBertError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise CorruptPickle(str(error)) from error


def _refuse(source: str, what: str) -> TinyBertError:
    return TinyBertError(
        "Expected a PyTorch checkpoint that holds tensors only; nothing in it was executed. "
        f"Received: {source!r}, which contains {what}"
    )


class _Machine:
    """Replays the opcodes of one pickle on a stack and a memo, as `pickle` does."""

    def __init__(self, source: str):
        self.source = source
        self.stack: list = []
        self.memo: dict[int, object] = {}
        self.storages: dict[str, StorageRecord] = {}

    def step(self, opcode: str, argument: object) -> None:
        """Runs one opcode."""
        if opcode in _LITERALS:
            self.stack.append(argument)
        elif opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode])
        else:
            handler = getattr(self, f"_op_{opcode.lower()}", None)
            if handler is None:
                raise _refuse(self.source, f"the pickle instruction {opcode}")
            handler(argument)

    def _ignore(self, argument: object) -> None:
        """Framing has no meaning here, and `genops` ends by itself."""

    _op_proto = _op_frame = _op_stop = _ignore

    def _pop(self, kind: type | tuple[type, ...]):
        value = self.stack.pop()
        if not isinstance(value, kind):
            raise CorruptPickle(f"unexpected {type(value).__name__} on the stack")
        return value

    def _pop_to_mark(self) -> list:
        position = len(self.stack) - 1
        while self.stack[position] is not _MARK:
            position -= 1
            if position < 0:
                raise CorruptPickle("no mark on the stack")
        items = self.stack[position + 1 :]
        del self.stack[position:]
        return items

    # === Containers ===

    def _op_mark(self, _):
        self.stack.append(_MARK)

    def _op_empty_dict(self, _):
        self.stack.append({})

    def _op_empty_list(self, _):
        self.stack.append([])

    def _op_tuple(self, _):
        self.stack.append(tuple(self._pop_to_mark()))

    def _push_tuple(self, size: int) -> None:
        if len(self.stack) < size:
            raise CorruptPickle("too few values for a tuple")
        items = self.stack[-size:]
        del self.stack[-size:]
        self.stack.append(tuple(items))

    def _op_tuple1(self, _):
        self._push_tuple(1)

    def _op_tuple2(self, _):
        self._push_tuple(2)

    def _op_tuple3(self, _):
        self._push_tuple(3)

    def _extend_list(self, items: list) -> None:
        target = self._pop(list)
        target.extend(items)
        self.stack.append(target)

    def _op_append(self, _):
        self._extend_list([self.stack.pop()])

    def _op_appends(self, _):
        self._extend_list(self._pop_to_mark())

    def _extend_dict(self, items: list) -> None:
        target = self._pop(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, (str, int)):
                raise _refuse(self.source, f"a dictionary key of type {type(key).__name__}")
            target[key] = value
        self.stack.append(target)

    def _op_setitem(self, _):
        value = self.stack.pop()
        self._extend_dict([self.stack.pop(), value])

    def _op_setitems(self, _):
        self._extend_dict(self._pop_to_mark())

    # === Memo ===

    def _op_binput(self, index):
        self.memo[index] = self.stack[-1]

    _op_long_binput = _op_binput

    def _op_memoize(self, _):
        self.memo[len(self.memo)] = self.stack[-1]

    def _op_binget(self, index):
        self.stack.append(self.memo[index])

    _op_long_binget = _op_binget

    # === Names and calls: where an ordinary unpickler would execute code ===

    def _push_name(self, dotted: str) -> None:
        if dotted not in _ADMITTED:
            raise _refuse(self.source, f"the object {dotted!r}")
        self.stack.append(Name(dotted))

    def _op_global(self, argument):
        self._push_name(argument.replace(" ", "."))

    def _op_stack_global(self, _):
        name, module = self._pop(str), self._pop(str)
        self._push_name(f"{module}.{name}")

    def _op_reduce(self, _):
        arguments, name = self._pop(tuple), self._pop(Name).dotted
        if name == _ORDERED_DICT:
            # Python 2 wrote the items as the only argument, Python 3 writes none.
            self.stack.append(dict((arguments or ([],))[0]))
        elif name in _REBUILD_TENSOR:
            self.stack.append(_tensor(*arguments[:4]))
        elif name == _REBUILD_PARAMETER:
            self.stack.append(arguments[0])
        else:
            raise _refuse(self.source, f"a call of {name!r}")

    def _op_build(self, _):
        # An OrderedDict's attributes; PyTorch keeps module versions there (`_metadata`).
        self.stack.pop()
        self.stack.append(self._pop(dict))

    def _op_binpersid(self, _):
        record = self.stack.pop()
        kind = record[0] if isinstance(record, tuple) and record else record
        if not isinstance(kind, str) or kind != "storage":
            shown = repr(kind[:40]) if isinstance(kind, str) else type(kind).__name__
            raise _refuse(self.source, f"the persistent id {shown}")
        _, name, key, _, count, *view = record
        if not isinstance(name, Name) or name.dotted not in _STORAGES:
            raise _refuse(self.source, "a storage of an unknown type")
        start_and_length = None
        if view and view[0] is not None:
            start_and_length = (_natural(view[0][1]), _natural(view[0][2]))
        if not isinstance(key, str):
            raise CorruptPickle("a storage without a name")
        storage = StorageRecord(_STORAGES[name.dotted], key, _natural(count), start_and_length)
        self.storages[key] = storage
        self.stack.append(storage)


def _natural(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**62:
        raise CorruptPickle("a tensor whose sizes are not natural numbers")
    return value


def _tensor(storage: object, offset: object, shape: object, strides: object) -> TensorRecord:
    if not isinstance(storage, StorageRecord):
        raise CorruptPickle("a tensor without a storage")
    if not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise CorruptPickle("a tensor without a shape")
    if len(shape) != len(strides):
        raise CorruptPickle("a tensor with more strides than axes, or fewer")
    return TensorRecord(
        storage,
        _natural(offset),
        tuple(_natural(size) for size in shape),
        tuple(_natural(stride) for stride in strides),
    )
