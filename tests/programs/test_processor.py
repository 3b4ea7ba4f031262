"""Threads of a run share one processor, and none is put aside for one that it wakes."""

from __future__ import annotations

import os
import threading

import pytest

import netglass
from netglass import Network
from netglass.programs.processor import Processor

pytestmark = pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="this system has no sched_setscheduler")


def scheduling():
    return os.sched_getaffinity(0), os.sched_getscheduler(0)


def test_all_threads_of_a_run_are_batch_threads_on_one_processor_and_afterwards_all_is_as_it_was():
    seen = []

    def main():
        seen.append(scheduling())
        thread = threading.Thread(target=lambda: seen.append(scheduling()))
        thread.start()
        thread.join()
        seen.append(scheduling())

    before = scheduling()
    netglass.run(Network().host("alone"), main)
    alone, other, together = seen
    assert alone == before  # nobody to hand over to
    assert other == together
    assert len(together[0]) == 1
    assert together[1] == os.SCHED_BATCH
    assert scheduling() == before


@pytest.mark.parametrize("name", ["sched_setaffinity", "sched_setscheduler", "sched_getaffinity"])
def test_a_system_that_forbids_it_is_left_as_it_is(monkeypatch, name):
    def forbidden(*arguments):
        raise PermissionError(1, "Operation not permitted")

    before = scheduling()
    with monkeypatch.context() as patched:
        patched.setattr(os, name, forbidden)
        processor = Processor()
        processor.keep()
    processor.leave()
    assert scheduling() == before


def test_whoever_has_a_policy_already_keeps_it():
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        processor = Processor()
        processor.keep()
        processor.leave()
        assert os.sched_getscheduler(0) == os.SCHED_BATCH
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
