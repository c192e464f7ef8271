"""The OpenAPI 3.1 description, made from the table of operations and the structs that decode and encode."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from homing.dialects.v1.operations import OPERATIONS, Operation
from homing.dialects.v1.problems import PROBLEM_JSON, PROBLEMS, ProblemDocument

REFERENCES: Final = "#/components/schemas/{name}"
EVERY_CALL: Final = (401, 403, 500, 503)
WITH_BODY: Final = (400, 408, 413, 415)
ID: Final = {"type": "string", "description": "An id: digits."}
APP: Final = {"type": "string", "description": "An app of the account."}
NUMBER: Final = {"type": "string", "description": "A phone number with its country code."}
NULL: Final = {"type": "null"}
IDEMPOTENCY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body within 24 hours get the first answer, and nothing is done twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


def openapi_document() -> bytes:
    """JSON."""
    kinds = list(dict.fromkeys(kind for each in OPERATIONS for kind in (*each.bodies, *each.replies)))
    kinds.append(ProblemDocument)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REFERENCES)
    by_kind = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, by_kind)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Homing API",
                "version": "1",
                "description": "Messages and verifications. Errors are application/problem+json (RFC 9457).",
            },
            "servers": [{"url": "/"}],
            "security": [{"bearer": []}],
            "paths": paths,
            "components": {
                "schemas": {name: _without_null(schema) for name, schema in components.items()},
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer", "description": "hm_KEY_SECRET"},
                },
            },
        }
    )


def _operation(operation: Operation, schemas: Mapping[type[msgspec.Struct], dict[str, Any]]) -> dict[str, Any]:
    succeeded: dict[str, Any] = {"description": operation.summary}
    if operation.replies:
        schema = _any_of([schemas[kind] for kind in operation.replies])
        succeeded["content"] = {"application/json": {"schema": schema}}
    responses: dict[str, Any] = {str(operation.status): succeeded}
    if operation.other_success is not None:
        responses[str(operation.other_success)] = succeeded
    refused = [422, *EVERY_CALL, *operation.problems]
    if operation.bodies:
        refused += WITH_BODY
    if operation.method == "POST":
        refused.append(409)
    if operation.is_query:
        refused.append(429)
    for status in sorted(set(refused)):
        codes = ", ".join(problem.code for problem in PROBLEMS.values() if problem.status == status)
        responses[str(status)] = {
            "description": codes,
            "content": {PROBLEM_JSON: {"schema": schemas[ProblemDocument]}},
        }
    described: dict[str, Any] = {
        "operationId": operation.name.replace(".", "_"),
        "summary": operation.summary,
        "description": f"Needs the scope `{operation.scope}`.",
        "tags": [operation.path.split("/")[2]],
        "parameters": _parameters(operation),
        "responses": responses,
    }
    if operation.bodies:
        described["requestBody"] = {
            "required": operation.is_body_needed,
            "content": {"application/json": {"schema": _any_of([schemas[kind] for kind in operation.bodies])}},
        }
    return described


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A member without a value is left out of an answer, never null, and no body may have null either."""
    members = schema.get("properties", {})
    return {**schema, "properties": {name: _value_of(member) for name, member in members.items()}}


def _value_of(member: dict[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in member.get("anyOf", ()) if kind != NULL]
    if len(kinds) != 1:
        return member
    more = {name: value for name, value in member.items() if name != "anyOf" and (name, value) != ("default", None)}
    return {**kinds[0], **more}


def _any_of(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for name, schema in (("id", ID), ("app", APP), ("number", NUMBER)):
        if f"{{{name}}}" in operation.path:
            parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    parameters += [
        {"name": each.name, "in": "query", "required": False, "description": each.description, "schema": each.schema}
        for each in operation.parameters
    ]
    if operation.method == "POST":
        parameters.append(IDEMPOTENCY)
    return parameters
