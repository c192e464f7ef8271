"""The TypeScript client: its types are of the served document, and its own tests pass against a running server."""

import json
from pathlib import Path

import pytest

from homing.admin import code_settings
from tests.support.command import homing_json
from tests.support.server import QUEUED, REPLYING, Server
from tests.support.sink import Sink
from tests.support.typescript import CLIENT, TypeScriptProject, require_node
from tests.support.v1 import new_token
from tools.client_types import GENERATOR, TYPES, client_types, first_line

TESTER = "8613800138888"
STALE = "the OpenAPI document has changed: `make client-types` writes the client's types anew"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TypeScriptProject:
    require_node()
    return TypeScriptProject(tmp_path_factory.mktemp("typescript"))


def test_the_types_are_of_the_served_document() -> None:
    """Also where there is no Node.js."""
    assert TYPES.read_text(encoding="utf-8").startswith(first_line()), STALE


def test_nobody_edited_the_types() -> None:
    require_node()
    if not GENERATOR.exists():
        pytest.skip("the generator is not installed")
    assert TYPES.read_text(encoding="utf-8") == client_types(), STALE


def test_the_lock_file_names_no_registry_and_the_package_needs_no_other() -> None:
    lock = json.loads((CLIENT / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert not [name for name, package in packages.items() if "integrity" not in package]
    manifest = json.loads((CLIENT / "package.json").read_text(encoding="utf-8"))
    assert not manifest.keys() & {"dependencies", "peerDependencies", "optionalDependencies", "bundleDependencies"}


async def test_its_own_tests_pass_against_a_running_server(
    server: Server, sink: Sink, project: TypeScriptProject
) -> None:
    box = sink.box()
    account = await server.account(report_url=box.url)
    async with server.database.transaction() as transaction:
        await code_settings.set_test_number(transaction, account.account_id, TESTER, "123456")
    await server.settled()
    message = {"appId": account.app, "numbers": "8613800130001", "content": "hi"}
    assert (await server.client.laaffic(account, "POST", "/v3/sendSms", body=message)).json["status"] == "0"
    (push,) = await box.first()
    (shown, *_) = await homing_json(server.dsn, "webhook", "secret", "show", account.name, "--data", str(server.data))
    pushed = {"secret": shown["secret"], "body": push.body.decode(), "headers": push.headers}
    tests = {file.name.removesuffix(".ts"): file.read_text(encoding="utf-8") for file in _test_files()}
    project.compile(tests)
    printed = await project.run(
        "--test",
        *(f"{name}.js" for name in tests),
        HOMING_BASE_URL=f"{server.url}/v1",
        HOMING_KEY=await new_token(server, account),
        HOMING_TESTER=TESTER,
        HOMING_WAITING=f"{QUEUED}20000007",
        HOMING_REPLYING=f"{REPLYING}25550031",
        HOMING_SINK=sink.box().url,
        HOMING_PUSH=json.dumps(pushed),
    )
    assert "fail 0" in printed
    assert "skipped 0" in printed


def _test_files() -> list[Path]:
    files = sorted((CLIENT / "tests").glob("*.test.ts"))
    assert len(files) >= 3
    return files
