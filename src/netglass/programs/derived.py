"""Classes that were derived from `socket.socket` before the run, by a library (PySocks) or by the test's own module.

Who makes one of their objects in a run gets an object of a class below: theirs first, then ours, so that wherever they
ask their base, `LabSocket` answers. `tls.LabSSLSocket` is of the same make.
"""

from __future__ import annotations

from typing import Any, Final

from netglass.programs import current
from netglass.programs.patches import Patch
from netglass.programs.socket import LabSocket, RealSocket

_NEW: Final[Any] = RealSocket.__new__


def patches() -> list[Patch]:
    made: dict[type, type] = {}

    def new(cls: Any, *args: Any, **options: Any) -> Any:
        if cls is not RealSocket and current.kernel() is not None:
            if cls not in made:
                made[cls] = _over_ours(cls)
            cls = made[cls]
        return _NEW(cls, *args, **options)

    return [Patch(RealSocket, "__new__", staticmethod(new), aliases=False)]


def _over_ours(cls: type) -> type:
    names = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls.__name__, (cls, LabSocket), names)
