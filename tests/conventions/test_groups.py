"""Tests of a group run in one worker, so that what they share is made once."""

from __future__ import annotations

import os

import pytest


@pytest.mark.xdist_group("heeded")
def test_groups_are_heeded_by_the_workers(request: pytest.FixtureRequest) -> None:
    parted = "PYTEST_XDIST_WORKER" in os.environ
    assert request.node.nodeid.endswith("@heeded") == parted
