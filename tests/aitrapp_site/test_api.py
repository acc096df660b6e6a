"""The REST API as a whole. After a change meant: UPDATE_OPENAPI=1 pytest tests/aitrapp_site/test_api.py"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

SNAPSHOT = Path(__file__).with_name("openapi.json")
ROUTES = {
    "GET": {
        "/state", "/health", "/ready", "/positions", "/orders", "/signals", "/decisions", "/trades", "/oco", "/risk",
        "/burnin", "/gate", "/locks", "/rules", "/approvals", "/metrics", "/audit", "/kite/login", "/kite/callback",
    },
    "POST": {"/mode", "/pause", "/resume", "/flatten", "/kite/postback", "/locks/{lock_id}/lift",
        "/approvals/{approval_id}", "/positions/{trade_id}/close", "/oco/{group_id}/stop",
    },
}  # fmt: skip


def document(client) -> dict[str, Any]:
    answer: dict[str, Any] = client.get("/openapi.json").json()
    return answer


def test_an_api_change_is_visible_in_the_committed_document(client):
    now = document(client)
    if os.environ.get("UPDATE_OPENAPI"):
        SNAPSHOT.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n")
    assert now == json.loads(SNAPSHOT.read_text())


def test_every_route_of_the_design_is_there_and_no_other(client):
    paths = document(client)["paths"]
    found: dict[str, set[str]] = {"GET": set(), "POST": set()}
    for path, operations in paths.items():
        for method in operations:
            found[method.upper()].add(path)
    assert found == ROUTES


def test_only_health_and_kites_postback_take_strangers(client):
    open_to_all = {
        path
        for path, operations in document(client)["paths"].items()
        for operation in operations.values()
        if not operation.get("security")
    }
    assert open_to_all == {"/health", "/ready", "/kite/postback"}


def test_every_route_says_what_it_does(client):
    silent = [
        path
        for path, operations in document(client)["paths"].items()
        for operation in operations.values()
        if not operation.get("description")
    ]
    assert silent == []


def test_the_document_page_needs_nothing_from_elsewhere(client):
    page = client.get("/docs").content.decode()
    assert "swagger" in page
    assert "https://cdn" not in page


@pytest.mark.django_db
def test_the_front_door_leads_to_the_console(client):
    assert client.get("/").headers["Location"] == "/admin/"
