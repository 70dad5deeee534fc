"""Column types that warehouses write in several ways."""

from __future__ import annotations

import re

_SPELLINGS = {
    "integer": "int int4 int32 signed",
    "bigint": "int8 int64 long",
    "smallint": "int2 int16 short",
    "text": "varchar charactervarying string character char nvarchar bpchar",
    "boolean": "bool",
    "double": "float8 doubleprecision float64",
    "real": "float4 float",
    "timestamp": "timestampwithouttimezone datetime timestamp_ntz timestampntz",
    "timestamptz": "timestampwithtimezone timestamp_tz",
    "time": "timewithouttimezone",
    "decimal": "numeric number dec bignumeric",
    "blob": "bytea bytes binary varbinary",
    "json": "jsonb variant",
}
_PLAIN = {spelling: plain for plain, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_WIDER = {
    "snowflake": {
        **dict.fromkeys(("integer", "bigint", "smallint", "tinyint", "byteint"), "decimal"), "real": "double",
    },
    "bigquery": dict.fromkeys(("integer", "smallint", "tinyint", "byteint"), "bigint"),
}  # fmt: skip
"""Types that an adapter keeps as another one."""

_TYPE = re.compile(r"([^()<>\[\]]+)(?:\(([^()]*)\))?(.*)", re.DOTALL)


def is_same_type(declared: str, found: str, adapter: str | None) -> bool:
    """Tell whether two types are the same but for their spelling; a length or precision counts where both have one."""
    base, arguments, rest = _plain(declared, adapter)
    other_base, other_arguments, other_rest = _plain(found, adapter)
    if (base, rest) != (other_base, other_rest):
        return False
    return not arguments or not other_arguments or arguments == other_arguments


def _plain(written: str, adapter: str | None) -> tuple[str, str, str]:
    bare = re.sub(r"\s+", "", written.casefold())
    # timestamp(6) with time zone: what stands after the brackets belongs to the name.
    found = _TYPE.fullmatch(bare)
    if found is None:
        return bare, "", ""
    name, arguments, rest = found[1], found[2] or "", found[3]
    if rest and rest.isalpha():
        name, rest = name + rest, ""
    plain = _PLAIN.get(name, name)
    wider = _WIDER.get(adapter or "", {}).get(plain, plain)
    return wider, arguments if wider == plain else "", rest
