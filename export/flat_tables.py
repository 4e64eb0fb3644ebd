"""Flatbuffer tables without generated code: values by field number, written and read.

Enough of the format for the TFLite metadata schema: strings, bytes (enums), vectors of tables,
vectors of floats and nested tables. A table is a dict from field number to value.
"""

from dataclasses import dataclass

import flatbuffers
from flatbuffers import number_types
from flatbuffers.table import Table


@dataclass(frozen=True)
class Byte:
    """A byte-sized field, such as an enum; flatbuffers omit it when it is the default 0."""

    value: int


def write_root(fields: dict, file_identifier: bytes) -> bytes:
    """Serializes a root table.

    Args:
        fields: dict. Field numbers to `str`, `Byte`, `dict` (a table), `list` of dicts (tables)
            or `list` of floats.
        file_identifier: bytes. The schema's four characters.
    """
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write_table(builder, fields), file_identifier)
    return bytes(builder.Output())


def _write_table(builder: flatbuffers.Builder, fields: dict) -> int:
    """Writes what the table refers to, then the table; returns its offset."""
    ready = {
        number: value if isinstance(value, Byte) else _write_value(builder, value)
        for number, value in fields.items()
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for number, value in ready.items():
        if isinstance(value, Byte):
            builder.PrependUint8Slot(number, value.value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(number, value, 0)
    return builder.EndObject()


def _write_value(builder: flatbuffers.Builder, value) -> int:
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, dict):
        return _write_table(builder, value)
    floats = bool(value) and isinstance(value[0], float)
    items = value if floats else [_write_table(builder, item) for item in value]
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        if floats:
            builder.PrependFloat32(item)
        else:
            builder.PrependUOffsetTRelative(item)
    return builder.EndVector()


class TableReader:
    """Reads the fields of one serialized table by number; absent fields read as empty.

    Malformed bytes raise `struct.error`, `IndexError`, `TypeError` or `ValueError`.
    """

    def __init__(self, data: bytes, position: int):
        self._table = Table(data, position)

    @classmethod
    def root(cls, data: bytes) -> "TableReader":
        """The root table of a buffer."""
        return cls(data, flatbuffers.encode.Get(flatbuffers.packer.uoffset, data, 0))

    def _offset(self, number: int) -> int:
        """Position of a field relative to the table, 0 when absent."""
        return self._table.Offset(4 + 2 * number)

    def string(self, number: int) -> str:
        """A string field, `""` when absent."""
        offset = self._offset(number)
        return self._table.String(self._table.Pos + offset).decode("utf-8") if offset else ""

    def byte(self, number: int) -> int:
        """A byte or enum field, 0 when absent."""
        return self._table.GetSlot(4 + 2 * number, 0, number_types.Uint8Flags)

    def table(self, number: int) -> "TableReader | None":
        """A nested table, or the table of a union, `None` when absent."""
        offset = self._offset(number)
        if not offset:
            return None
        return TableReader(self._table.Bytes, self._table.Indirect(self._table.Pos + offset))

    def tables(self, number: int) -> list["TableReader"]:
        """A vector of tables, empty when absent."""
        offset = self._offset(number)
        if not offset:
            return []
        start = self._table.Vector(offset)
        return [
            TableReader(self._table.Bytes, self._table.Indirect(start + 4 * index))
            for index in range(self._table.VectorLen(offset))
        ]
