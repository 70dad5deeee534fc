"""The compiled code that a manifest carries: the only place of it before dbt 1.7, whose results carry it themselves."""

from __future__ import annotations

import msgspec

from headwater.artifacts._json import REFUSED, Data, Faults, Shape, no_garbage_collection
from headwater.artifacts._sections import CODED, open_manifest, take_apart


class _Compiled(msgspec.Struct, gc=False):
    compiled_code: str | None = None
    compiled_sql: str | None = None


class _Coded(msgspec.Struct):
    nodes: dict[str, _Compiled] = {}
    functions: dict[str, _Compiled] = {}


_compiled_shape = Shape(_Compiled)
_decode = msgspec.json.Decoder(_Coded).decode


def read_compiled_code(data: Data) -> dict[str, str]:
    """Read the compiled code of a manifest by unique_id; a node that was not compiled is not among them.

    Raises ArtifactUnreadable where the file is no JSON object or another artifact.
    """
    with no_garbage_collection():
        found = _decode_all(data)
        codes = {unique_id: said.compiled_code or said.compiled_sql for unique_id, said in found.items()}
        return {unique_id: code for unique_id, code in codes.items() if code}


def _decode_all(data: Data) -> dict[str, _Compiled]:
    try:
        coded = _decode(data)
    except REFUSED:
        return _decode_each(data)
    return coded.nodes | coded.functions


def _decode_each(data: Data) -> dict[str, _Compiled]:
    """Decode node by node, where something in the file is not as dbt writes it; `read_manifest` notes what."""
    faults = Faults()
    _, sections = open_manifest(data, faults, take_apart)
    each = ((unique_id, raw) for name in CODED for unique_id, raw in getattr(sections, name).items())
    read = ((unique_id, _compiled_shape.read(raw, unique_id, faults)) for unique_id, raw in each)
    return {unique_id: said for unique_id, said in read if said is not None}
