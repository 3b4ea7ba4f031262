"""The congestion controls by name. One from outside joins with one line: `register("mine", Mine)`."""

from __future__ import annotations

from typing import Final

from netglass.errors import MisuseError
from netglass.tcp.congestion.base import CongestionControl
from netglass.tcp.congestion.cubic import Cubic
from netglass.tcp.congestion.reno import Reno

_CLASSES: Final[dict[str, type[CongestionControl]]] = {"cubic": Cubic, "reno": Reno}


def register(name: str, control: type[CongestionControl]) -> None:
    """Makes `control` known as `name` (TCP_CONGESTION). MisuseError if another class has the name already, or if
    `control` is no class that can be used."""
    if not name:
        raise MisuseError("a congestion control needs a name")
    _check(name, control)
    if _CLASSES.get(name, control) is not control:
        raise MisuseError(
            f"the congestion control {name!r} is {_CLASSES[name].__qualname__} already; take another name"
        )
    _CLASSES[name] = control


def _check(name: str, control: object) -> None:
    if not (isinstance(control, type) and issubclass(control, CongestionControl)):
        raise MisuseError(f"a congestion control is a subclass of CongestionControl; {name!r} is {control!r}")
    # Not by __abstractmethods__: a compiled parent has none.
    missing = [
        name for name in ("acked", "lost", "timed_out") if getattr(control, name) is getattr(CongestionControl, name)
    ]
    if missing:
        raise MisuseError(f"{control.__qualname__} lacks {', '.join(missing)} of CongestionControl")


def create(name: str, mss: int, initial_window: int) -> CongestionControl:
    """A new `name` for one connection; sizes in bytes. MisuseError names the known ones if this is none of them."""
    if name not in _CLASSES:
        raise MisuseError(f"no congestion control is called {name!r}; there are: {', '.join(names())}")
    return _CLASSES[name](mss, initial_window)


def names() -> list[str]:
    """All known names, sorted."""
    return sorted(_CLASSES)


__all__ = ["CongestionControl", "create", "names", "register"]
