"""The pages *Users* and *Settings*."""

import re

from homing.model import UserRole
from homing.store import migrate
from tests.support.server import Server
from tests.support.viewer import PASSWORD, Seen, Viewer, accept, signed_in

LINK = re.compile(r"http://[\d.:]+(/welcome/[\w-]+)")


def version_of(page: Seen) -> str:
    found = re.search(r'name="version" value="(\w+)"', page.text)
    assert found
    return found[1]


async def id_of(server: Server, name: str) -> int:
    return int((await server.query_row("SELECT user_id FROM console_user WHERE name = $1", name))["user_id"])


async def test_a_user_is_made_and_the_link_is_shown_once_and_works(server: Server, console: str) -> None:
    account = await server.account()
    _name, viewer = await signed_in(console, server.database)
    await viewer.get("/users")
    made = await viewer.post("/users", {"name": "Till@Acme", "role": "3", "account": account.name})
    assert made.status == 200
    link = LINK.search(made.text)
    assert link
    assert "no-store" in made.headers["cache-control"]
    listed = await viewer.get("/users?name=till")
    assert f"till@acme no password yet Customer {account.name}" in listed.words
    assert "/welcome/" not in listed.text
    user_id = await id_of(server, "till@acme")
    assert "/welcome/" not in (await viewer.get(f"/users/{user_id}")).text
    assert "/welcome/" not in (await viewer.get("/audit")).text
    theirs = Viewer(console)
    assert (await accept(theirs, link[1], "till@acme")).goes_to == "/"
    assert (await theirs.get("/users")).status == 404


async def test_what_cannot_be_a_user_is_said(server: Server, console: str) -> None:
    name, viewer = await signed_in(console, server.database)
    await viewer.get("/users")
    for values, words in (
        ({"name": "a b", "role": "1"}, "is not a valid user name"),
        ({"name": name, "role": "1"}, "already"),
        ({"name": "new", "role": "3"}, "needs an account"),
        ({"name": "new", "role": "1", "account": (await server.account()).name}, "have none"),
        ({"name": "new", "role": "9"}, "Choose a role."),
        ({"name": "new", "role": "3", "account": "<script>"}, "Account <script> does not exist."),
    ):
        page = await viewer.post("/users", values)
        assert page.status == 422, values
        assert words in page.words, page.words
        assert "<script>." not in page.text
    assert (await viewer.get("/users?name=nobody-of-this-name")).words.count("No users found") == 1
    for path in ("/users/0", "/users/x", "/users/99999999999999999999"):
        assert (await viewer.get(path)).status == 404


async def test_a_user_gets_another_role_a_new_link_and_is_let_in_no_longer(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    name, other = await signed_in(console, server.database, UserRole.SUPPORT)
    path = f"/users/{await id_of(server, name)}"
    version = version_of(await viewer.get(path))
    assert (await other.get("/users")).status == 404
    assert (await viewer.post(path, {"do": "role", "role": "1", "version": version})).status == 303
    assert (await other.get("/users")).status == 200, "from the next page on"
    stale = await viewer.post(path, {"do": "disable", "version": version})
    assert stale.status == 422
    assert "Someone else has changed this" in stale.words
    assert (await other.get("/")).status == 200

    linked = await viewer.post(path, {"do": "link", "version": version_of(stale)})
    link = LINK.search(linked.text)
    assert link
    version = version_of(await viewer.get(path))
    assert (await viewer.post(path, {"do": "disable", "version": version})).status == 303
    assert (await other.get("/")).goes_to == "/sign-in", "sessions end at once"
    assert (await Viewer(console).get(link[1])).status == 410, "and links"
    version = version_of(await viewer.get(path))
    assert "enable the user before" in (await viewer.post(path, {"do": "link", "version": version})).words
    assert (await viewer.post(path, {"do": "enable", "version": version})).status == 303
    assert (await other.sign_in(name, PASSWORD)).goes_to == "/"
    acts = await server.query("SELECT act FROM audit WHERE kind = 'console_user' AND subject = $1", name)
    assert {"insert", "update", "link", "sign_in"} <= {row["act"] for row in acts}


async def test_nobody_takes_the_own_rights_away(server: Server, console: str) -> None:
    name, viewer = await signed_in(console, server.database)
    path = f"/users/{await id_of(server, name)}"
    for values in ({"do": "disable"}, {"do": "role", "role": "2"}):
        page = await viewer.get(path)
        refused = await viewer.post(path, {**values, "version": version_of(page)})
        assert refused.status == 422
        assert "your own permissions" in refused.words
    assert (await viewer.get("/users")).status == 200


async def test_settings_show_what_holds_and_how_the_installation_does(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    page = await viewer.get("/settings")
    assert page.status == 200
    assert "api-1" in page.words
    assert "link-1" in page.words
    assert "running" in page.words
    assert "up to date" in page.words
    for migration in migrate.available():
        assert migration.name in page.words
    assert 'trusted_proxies ["127.0.0.1"]' in page.words
    assert server.environment["HOMING_HTTP_ADDRESS"] in page.words
    password = server.dsn.split("://")[1].split("@")[0].split(":")[-1]
    assert password not in page.text
    assert server.environment["HOMING_DATABASE_URL"] not in page.text
    for role in (UserRole.SUPPORT, UserRole.CUSTOMER):
        account_id = (await server.account()).account_id if role is UserRole.CUSTOMER else None
        _name, other = await signed_in(console, server.database, role, account_id)
        for path in ("/settings", "/users", "/users/1"):
            assert (await other.get(path)).status == 404
            assert (await other.post(path, {"do": "disable"})).status in (404, 405)
