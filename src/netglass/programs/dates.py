"""`datetime.now` and `utcnow`, which ask the system for the time and not `time.time` (as `today` does).

`datetime` itself must stay what it is: a subclass in its place would be another type for `pickle`, for `type(x) is
datetime` and for whatever C code makes. So only these two methods change, in the dictionary of the type, which Python
does not show but the garbage collector knows. Where that is not so, they go on showing the real date.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import warnings
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from netglass.programs import current
from netglass.programs.kernel import Kernel
from netglass.times import EPOCH

_NOW: Final[Any] = vars(datetime)["now"]
_UTCNOW: Final[Any] = vars(datetime)["utcnow"]


def now(cls: type[datetime], tz: tzinfo | None = None) -> datetime:
    """datetime.now"""
    kernel = current.kernel()
    if kernel is None:
        return _NOW.__get__(None, cls)(tz)  # type: ignore[no-any-return]
    return cls.fromtimestamp(_seconds(kernel), tz)


def utcnow(cls: type[datetime]) -> datetime:
    """datetime.utcnow"""
    kernel = current.kernel()
    if kernel is None:
        return _UTCNOW.__get__(None, cls)()  # type: ignore[no-any-return]
    if sys.version_info >= (3, 12):
        text = "datetime.datetime.utcnow() is deprecated: datetime.datetime.now(datetime.UTC) tells its time zone too"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
    return cls.fromtimestamp(_seconds(kernel), UTC).replace(tzinfo=None)


def _seconds(kernel: Kernel) -> float:
    kernel.spin()
    return (kernel.now() + EPOCH) // 1000 / 1e6  # whole microseconds, which a float of this size still tells apart


def enter() -> None:
    """From now on dates in a run are the world's."""
    _put({"now": classmethod(now), "utcnow": classmethod(utcnow)})


def leave() -> None:
    _put({"now": _NOW, "utcnow": _UTCNOW})


def _put(methods: dict[str, Any]) -> None:
    found = gc.get_referents(vars(datetime))
    if sys.implementation.name == "cpython" and len(found) == 1 and type(found[0]) is dict:
        found[0].update(methods)
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime))
