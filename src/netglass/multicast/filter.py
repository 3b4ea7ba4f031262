"""Which sources of a group somebody listens to: only these (INCLUDE), or all but these (EXCLUDE). RFC 3376 §3."""

from __future__ import annotations


class SourceFilter:
    """INCLUDE of nothing means: not a member."""

    __slots__ = ("exclude", "sources")

    def __init__(self, exclude: bool, sources: tuple[bytes, ...] = ()) -> None:
        self.exclude: bool = exclude
        self.sources: tuple[bytes, ...] = tuple(sorted(set(sources)))

    @property
    def empty(self) -> bool:
        return not self.exclude and not self.sources

    def allows(self, source: bytes) -> bool:
        return (source in self.sources) is not self.exclude

    def same(self, other: SourceFilter) -> bool:
        return self.exclude is other.exclude and self.sources == other.sources


NOBODY = SourceFilter(False)


def merge(filters: list[SourceFilter]) -> SourceFilter:
    """What the interface must let in for all of them (RFC 3376 §3.2): if anybody excludes, all but what every
    excluder excludes and nobody includes."""
    included: set[bytes] = set()
    excluded: set[bytes] | None = None
    for one in filters:
        if not one.exclude:
            included.update(one.sources)
        elif excluded is None:
            excluded = set(one.sources)
        else:
            excluded.intersection_update(one.sources)
    if excluded is None:
        return SourceFilter(False, tuple(included))
    return SourceFilter(True, tuple(excluded - included))
