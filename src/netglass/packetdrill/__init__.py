"""The packetdrill language, played against one netglass host in virtual time, without root."""

from __future__ import annotations

from netglass.packetdrill.parser import parse_script
from netglass.packetdrill.result import Failure, Result
from netglass.packetdrill.runner import run_script
from netglass.packetdrill.script import Script, ScriptError, Setting

__all__ = ["Failure", "Result", "Script", "ScriptError", "Setting", "parse_script", "run_script"]
