"""Hosts in real time, over real links."""

from netglass.drive.drive import Drive, DriveHost

__all__ = ["Drive", "DriveHost"]
