"""Homing's own API against its OpenAPI description: calls are drawn from it, and each answer is held against it."""

import asyncio
import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from homing.dialects.v1.openapi import openapi_document
from homing.dialects.v1.operations import OPERATIONS, Operation
from tests.support.server import Server
from tests.support.v1 import v1_client

EXAMPLES = 40


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_every_answer_is_one_that_the_description_names(server: Server, operation: Operation) -> None:
    client = await v1_client(server, balance="1000")
    schema = schemathesis.openapi.from_dict(json.loads(openapi_document()))
    called = schema[operation.path][operation.method]

    @given(case=called.as_strategy())
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def calls(case: Any) -> None:
        response = case.call(base_url=server.url, headers={"Authorization": f"Bearer {client.token}"})
        case.validate_response(
            response,
            checks=[
                not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_schema_conformance,
            ],
        )

    await asyncio.to_thread(calls)
