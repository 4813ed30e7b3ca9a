"""The administrators' pages: for staff, and for nobody else."""

import json
from typing import Any

import pytest

from streampay_sandbox.service.auth import STAFF_ROLES
from tests.unit.sandbox_service.conftest import API_KEY

PAGES = ("/api/admin/pause", "/api/admin/quotas", "/api/audit")


@pytest.mark.parametrize("role", sorted(STAFF_ROLES))
def test_staff_sees_them(deployment: Any, role: str) -> None:
    token = deployment.forged(role=role)
    replies = [deployment.user("GET", page, token=token) for page in PAGES]
    assert [reply.status for reply in replies] == [200] * 3
    state = json.loads(replies[0].content)["data"]
    assert state == {"paused": False, "pausedAt": None, "adminAddress": deployment.treasury.operator_address}


@pytest.mark.parametrize("page", PAGES)
def test_nobody_else_does(deployment: Any, page: str) -> None:
    claim = {"actor-wallet-address": deployment.treasury.operator_address, "x-streampay-actor-role": "admin"}
    assert deployment.send("GET", page).status == 401
    assert deployment.send("GET", page, headers=claim).status == 401
    assert deployment.user("GET", page, headers=claim).status == 403
    assert deployment.user("GET", page, token=deployment.forged(role="user")).status == 403
    assert deployment.user("GET", page, token=deployment.forged(role="admin", secret="s" * 64)).status == 401
    assert deployment.send("GET", page, headers={"x-api-key": API_KEY}).status == 403
    assert "adminAddress" not in deployment.user("GET", page).text
    assert deployment.user("POST", page, json={"paused": True}).status == 405
