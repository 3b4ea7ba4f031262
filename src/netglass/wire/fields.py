"""What to tell a caller whose value does not fit into its header field."""

from __future__ import annotations

from netglass.errors import MisuseError


def misfit(header: str, fields: list[tuple[str, int, int]]) -> MisuseError:
    """The error for the first of `fields` (name, value, bits) that does not fit; asked when packing has failed."""
    for name, value, bits in fields:
        if not 0 <= value < 1 << bits:
            return MisuseError(f"{header}: {name} has {bits} bits, from 0 to {(1 << bits) - 1}; {value} does not fit")
    return MisuseError(f"{header}: a field does not fit")
