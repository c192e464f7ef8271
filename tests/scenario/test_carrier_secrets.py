"""Carriers' secrets lie sealed in the database, bound to their place, and are of use all the same."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from homing import errors
from homing.admin import carriers
from homing.admin.carrier_secrets import seal_stored
from homing.carriers.sealing import MARK, open_text
from homing.common.crypto import Vault
from homing.store.database import FREE_PLANS, Database
from homing.store.migrate import migrate
from tests.support.command import homing, homing_json
from tests.support.server import migrated_database

VAULT = Vault(bytes(range(32)))
SMPP = {"host": "127.0.0.1", "port": 2775, "system_id": "us", "password": "hush"}
HTTP = {
    "url": "https://api.example/send",
    "json": {"to": "{number}", "text": "{text}"},
    "reply": {"rules": [{"outcome": "accepted", "status": [200]}], "ref": {"at": "id"}},
    "secrets": {"token": "hush-token", "other": "hush-other"},
    "bearer": "{secret.token}",
    "push_token": "hush-hush-hush-hush",
}


@pytest.fixture
async def dsn(postgres: str, worker: str) -> str:
    made = await migrated_database(postgres, f"secrets_{worker}")
    await migrate(made)
    return made


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    made = Database(dsn=dsn, connections_max=2, plans=FREE_PLANS)
    await made.open()
    yield made
    await made.close()


async def stored(database: Database, name: str) -> Any:
    async with database.connection() as connection:
        return json.loads(await connection.raw.fetchval("SELECT settings::text FROM carrier WHERE name = $1", name))


async def everything(database: Database) -> str:
    async with database.connection() as connection:
        rows = await connection.raw.fetch(
            "SELECT settings::text AS it FROM carrier UNION ALL SELECT audit::text FROM audit"
        )
    return "\n".join(row["it"] for row in rows)


async def test_no_secret_of_a_carrier_stands_in_the_database_and_all_can_be_opened(database: Database) -> None:
    for name, kind, settings in (("one", "smpp", SMPP), ("two", "http", HTTP)):
        await carriers.add_carrier(database, name, kind, json.dumps(settings), VAULT)
        row = await carriers.find_carrier(database, name)
        assert json.loads(open_text(VAULT, name, kind, row.settings)) == settings
    async with database.transaction() as transaction:
        row = await carriers.find_carrier(transaction, "one")
        await carriers.change_carrier(transaction, row, {"password": "hush-two", "port": 2776}, VAULT)
    assert "hush" not in await everything(database)
    settings = await stored(database, "one")
    assert settings["password"].startswith(MARK)
    assert settings["port"] == 2776
    opened = json.loads(open_text(VAULT, "one", "smpp", json.dumps(settings)))
    assert opened == {**SMPP, "password": "hush-two", "port": 2776}


async def test_a_sealed_secret_opens_in_its_place_alone_and_with_its_key_alone(database: Database) -> None:
    await carriers.add_carrier(database, "one", "smpp", json.dumps(SMPP), VAULT)
    settings = json.dumps(await stored(database, "one"))
    with pytest.raises(errors.InvalidInput, match="cannot be decrypted"):
        open_text(VAULT, "two", "smpp", settings)
    with pytest.raises(errors.InvalidInput, match="cannot be decrypted"):
        open_text(Vault(bytes(32)), "one", "smpp", settings)
    moved = json.dumps({**HTTP, "push_token": json.loads(settings)["password"]})
    with pytest.raises(errors.InvalidInput, match="cannot be decrypted"):
        open_text(VAULT, "one", "http", moved)


async def test_what_was_stored_in_clear_is_sealed_at_the_next_start(database: Database) -> None:
    async with database.connection() as connection:
        for name, kind, settings in (("one", "smpp", SMPP), ("two", "http", HTTP), ("three", "simulator", {})):
            await connection.raw.execute(
                "INSERT INTO carrier (name, kind, settings) VALUES ($1, $2, $3::text::jsonb)",
                name,
                kind,
                json.dumps(settings),
            )
    assert await seal_stored(database, VAULT) == 2
    assert "hush" not in await everything(database)
    for name, kind, settings in (("one", "smpp", SMPP), ("two", "http", HTTP)):
        assert json.loads(open_text(VAULT, name, kind, json.dumps(await stored(database, name)))) == settings
    assert await seal_stored(database, VAULT) == 0


@pytest.mark.parametrize(
    ("literal", "place"),
    [
        ({"bearer": "hush-literal"}, "bearer"),
        ({"bearer": None, "basic": ["user", "hush-literal"]}, "basic"),
        ({"bearer": None, "headers": {"Authorization": "App hush-literal"}}, "the header Authorization"),
        ({"bearer": None, "headers": {"x-api-key": "hush-literal"}}, "the header x-api-key"),
    ],
)
async def test_a_secret_outside_of_secrets_is_refused(
    database: Database, literal: dict[str, object], place: str
) -> None:
    settings = {name: value for name, value in {**HTTP, **literal}.items() if value is not None}
    with pytest.raises(errors.InvalidInput, match=f"{place} contains the secret in plain text"):
        await carriers.add_carrier(database, "two", "http", json.dumps(settings), VAULT)


async def test_the_command_line_seals_shows_nothing_and_says_when_the_key_is_elsewhere(
    database: Database, dsn: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    await homing(dsn, "carrier", "add", "one", "--kind", "smpp", "--settings", json.dumps(SMPP), data=data)
    assert (await stored(database, "one"))["password"].startswith(MARK)
    await homing(dsn, "carrier", "set", "one", "--settings", '{"port": 2777}', data=data)
    shown = await homing_json(dsn, "carrier", "show", "one")
    assert (shown["settings"]["password"], shown["settings"]["port"]) == ("(hidden)", 2777)
    said = await homing(
        dsn, "carrier", "set", "one", "--settings", '{"port": 1}', data=tmp_path / "elsewhere", status=1
    )
    assert "the key of this database's secrets is not in" in said
