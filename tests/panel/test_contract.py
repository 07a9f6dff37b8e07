"""The HTTP API, asked for what nobody thought of: no fault, and no answer that openapi.yaml does not know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.panel.places import staged
from tests.support.panel import PASSWORD

FILE = Path(__file__).parent.parent.parent / "edgevpn/web/openapi.yaml"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 25
ENDLESS = "events"
"""The stream of events has no end that a client could wait for."""
LAST = ("totp", "totp/remove", "password", "setup", "login", "ticket", "logout")
"""What is throttled, as it can be guessed, and what ends the session."""


def operations() -> list[Any]:
    schema = schemathesis.openapi.from_path(str(FILE))
    results: list[Any] = list(schema.get_all_operations())
    found = [each.ok() for each in results]
    wanted = [each for each in found if not each.path.endswith(ENDLESS)]
    return sorted(
        wanted, key=lambda each: next((at for at, word in enumerate(LAST) if each.path.endswith(f"v1/{word}")), -1)
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with staged(tmp_path_factory.mktemp("panel"), https=False) as made:
        yield made.base


@pytest.fixture(scope="module")
def session(base: str) -> requests.Session:
    """A client that is logged in."""
    client = requests.Session()
    answer = client.post(f"{base}/api/v1/login", json={"password": PASSWORD})
    assert answer.status_code == 200, answer.text
    client.headers["X-CSRF-Token"] = answer.json()["csrf"]
    return client


def asked() -> Iterator[Any]:
    """Each operation as it is described, and, where something can be wrong in it, as it is not."""
    for each in operations():
        yield pytest.param(each, GenerationMode.POSITIVE, id=each.label)
        if each.body or list(each.iter_parameters()):
            yield pytest.param(each, GenerationMode.NEGATIVE, id=f"{each.label} wrongly")


@pytest.mark.parametrize(("operation", "mode"), list(asked()))
def test_whatever_is_asked(base: str, session: requests.Session, operation: Any, mode: GenerationMode) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=base, session=session, checks=CHECKS)

    ask()


def test_the_document_is_json_too() -> None:
    """As programs that make clients of it want."""
    assert json.loads(json.dumps(schemathesis.openapi.from_path(str(FILE)).raw_schema))["openapi"].startswith("3.1")
