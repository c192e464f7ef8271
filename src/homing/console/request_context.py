"""One request: who asks, in which language and zone, and what a page's functions answer with."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from homing import errors, limits
from homing.admin.account_settings import as_id, find_account
from homing.admin.setting_warnings import SettingWarning
from homing.audit import act_as
from homing.common.crypto import same
from homing.common.storable_text import storable_text
from homing.console.app_state import ConsoleState
from homing.console.formats import Formats, zone_named
from homing.console.languages import Language
from homing.console.security import local_path
from homing.i18n.phrases import Phrase, tell
from homing.model import UserRole
from homing.store.database import DatabaseConnection
from homing.store.statements.admin import AccountRow
from homing.users.admin import ConsoleUser
from homing.users.sessions import UserSession
from homing.users.tokens import bound, make_token

CONSOLE_BODY_BYTES_MAX: Final = 1024 * 1024  # a form; a sheet of prices is the largest
CONSOLE_STRANGER_BODY_BYTES_MAX: Final = 16 * 1024  # a form of somebody who is not signed in
CONSOLE_FIELDS_MAX: Final = 200  # of a form
CONSOLE_COOKIE_S: Final = 31_536_000  # language, theme and zone are remembered
SESSION_COOKIE: Final = "homing_session"
VISITOR_COOKIE: Final = "homing_visitor"
FLASH_COOKIE: Final = "homing_said"
LANGUAGE_COOKIE: Final = "homing_language"
THEME_COOKIE: Final = "homing_theme"
ZONE_COOKIE: Final = "homing_zone"
THEMES: Final = ("auto", "light", "dark")


class PageNotFound(Exception):
    """There is nothing of that name, or nothing that this viewer may know of."""


class StaleForm(errors.InvalidInput):
    """What the form was made of has changed: it is shown as it is now, without what was entered."""


class RequestContext:
    """A page's functions get one of these and answer with its `page` or `go`.

    `trouble` is what the last try to change something failed with, and `filled` what was entered then.
    """

    def __init__(
        self, *, request: Request, shared: ConsoleState, session: UserSession | None, address: str, now: datetime
    ) -> None:
        self.request = request
        self.shared = shared
        self.database = shared.database
        self.session = session
        self.address = address
        self.now = now
        self.trouble: str | None = None
        self.filled: Mapping[str, str] = {}
        cookies = request.cookies
        self.language: Language = shared.languages.choose(
            cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", "")
        )
        self.zone = zone_named(cookies.get(ZONE_COOKIE))
        self.formats = Formats(self.language, self.zone, now)
        theme = cookies.get(THEME_COOKIE, "")
        self.theme = theme if theme in THEMES else "auto"
        self.is_secure = shared.is_secure
        self._token = cookies.get(self.cookie(SESSION_COOKIE)) if session else None
        self._visitor = cookies.get(self.cookie(VISITOR_COOKIE))
        self._form: Mapping[str, list[str]] | None = None
        self._cookies: list[tuple[str, str, float | None]] = []

    # --- who asks -----------------------------------------------------------------------------------------------

    @property
    def clocks(self) -> tuple[datetime, datetime]:
        """Now, by the process's clock and by the machine's, for what is held against another one, such as a phone's:
        where the machine's was stepped, either may be right.
        """
        return self.now, datetime.now(UTC)

    @property
    def user(self) -> ConsoleUser:
        """Whoever is signed in; on a page for which somebody has to be."""
        assert self.session is not None
        assert self.session.is_complete
        return self.session.user

    @property
    def is_signed_in(self) -> bool:
        return self.session is not None and self.session.is_complete

    @property
    def session_token(self) -> str | None:
        return self._token

    @property
    def scope(self) -> int | None:
        """The one account that a customer may see; None: all. It goes into every statement that reads."""
        return self.user.account_id if self.user.role is UserRole.CUSTOMER else None

    def may(self, *roles: str) -> bool:
        """For templates: whether the viewer has one of these roles."""
        return self.is_signed_in and self.user.role.name.lower() in roles

    async def account(self, name_or_id: str) -> AccountRow:
        """An account by its name or id, if the viewer may see it. Raises `PageNotFound`."""
        try:
            row = await find_account(self.database, name_or_id)
        except errors.InvalidInput:
            raise PageNotFound from None
        if self.scope is not None and row.account_id != self.scope:
            raise PageNotFound
        return row

    # --- what is asked ------------------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        return self.request.url.path

    @property
    def here(self) -> str:
        """The path with its query: where a switch comes back to. A page that only a form leads to has none."""
        query = self.request.url.query
        return self.path + (f"?{query}" if query else "")

    def part(self, name: str) -> str:
        """A piece of the path, such as `{message_id}`, without what a database cannot hold."""
        return storable_text(str(self.request.path_params[name]), limits.CONSOLE_TEXT_CHARS_MAX)

    def asked(self, name: str, default: str = "") -> str:
        """A parameter of the query, without what a database cannot hold."""
        return storable_text(self.request.query_params.get(name, default), limits.CONSOLE_TEXT_CHARS_MAX).strip()

    def asked_id(self, name: str) -> int | None:
        """Likewise, as a row's id; None where it is none."""
        return as_id(self.asked(name))

    def query(self, **changes: object) -> str:
        """The query as it is, with changes; None leaves one out."""
        asked = {name: value for name, value in self.request.query_params.items() if name not in changes}
        asked.update({name: str(value) for name, value in changes.items() if value is not None})
        return "?" + urlencode(asked) if asked else self.path

    def field(self, name: str, default: str = "") -> str:
        """What a form's field holds, without spaces around it."""
        return self.secret_field(name, default).strip()

    def secret_field(self, name: str, default: str = "") -> str:
        """Likewise, with them: a password is what was typed."""
        found = (self._form or {}).get(name)
        return storable_text(found[0]) if found else default

    def fields(self, name: str) -> list[str]:
        """All values of a field that can be given more than once."""
        return [storable_text(value) for value in (self._form or {}).get(name, ())]

    async def read_form(self) -> None:
        """Reads a URL-encoded body of bounded size. Raises `InvalidInput` when it is too large or no form."""
        body = bytearray()
        bytes_max = CONSOLE_BODY_BYTES_MAX if self.is_signed_in else CONSOLE_STRANGER_BODY_BYTES_MAX
        try:
            async with asyncio.timeout(limits.HTTP_BODY_TIMEOUT_S):
                async for chunk in self.request.stream():
                    body += chunk
                    if len(body) > bytes_max:
                        raise errors.InvalidInput(self.say("The form is too large."))
        except TimeoutError:
            raise errors.InvalidInput(self.say("The form took too long to arrive.")) from None
        form: dict[str, list[str]] = {}
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=CONSOLE_FIELDS_MAX)
        except (ValueError, UnicodeDecodeError):
            raise errors.InvalidInput(self.say("The form could not be read.")) from None
        for name, value in pairs:
            form.setdefault(name, []).append(value)
        self._form = form

    def refill(self, error: errors.InvalidInput) -> None:
        """Says what went wrong; what was entered is shown again, but no secrets."""
        self.trouble = self.word(error)
        if not isinstance(error, StaleForm):
            self.filled = {name: values[0] for name, values in (self._form or {}).items() if not _is_secret(name)}

    @staticmethod
    def version(row: Mapping[str, Any] | msgspec.Struct) -> str:
        """What a form that changes a row carries along in a hidden field `version`."""
        members = msgspec.structs.asdict(row) if isinstance(row, msgspec.Struct) else row
        return hashlib.sha256(repr(sorted(members.items())).encode()).hexdigest()[:16]

    def check_version(self, row: Mapping[str, Any] | msgspec.Struct) -> None:
        """Raises `StaleForm` when the row, read again under its lock, is no longer what the form was made of."""
        if not same(self.field("version"), self.version(row)):
            raise StaleForm(
                self.say(
                    "Someone else has changed this in the meantime. Your changes were not saved; the current"
                    " values are shown below."
                )
            )

    # --- changes ------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def changing(self, actor: str | None = None) -> AsyncIterator[DatabaseConnection]:
        """A transaction whose changes the audit knows as the viewer's."""
        async with self.database.transaction() as transaction:
            await act_as(transaction, actor or self.user.name, self.address)
            yield transaction

    @property
    def _key(self) -> str:
        """What forms and notes are bound to: the session, and before there is one the visit."""
        if self._token:
            return self._token
        if self._visitor is None or len(self._visitor) < 32:
            self._visitor = make_token()
            self.set_cookie(VISITOR_COOKIE, self._visitor, None)
        return self._visitor

    def form_token(self) -> str:
        return bound(self._key, "form")

    def holds_form_token(self) -> bool:
        return same(self.secret_field("form_token"), self.form_token())

    def keep_session(self, token: str) -> None:
        """The viewer's session from now on: one of before a sign-in must not become one of after it."""
        self._token = token
        self.set_cookie(SESSION_COOKIE, token, None)

    def leave_session(self) -> None:
        self._token = None
        self.session = None
        self.set_cookie(SESSION_COOKIE, "", 0)

    # --- answers ------------------------------------------------------------------------------------------------

    def say(self, text: str, **values: object) -> str:
        return self.language.say(text, **values)

    def tell(self, phrases: Iterable[Phrase]) -> str:
        return tell(phrases, self.language.say, self.formats.time)

    def word(self, error: errors.InvalidInput | SettingWarning) -> str:
        """What an error or a warning says, in the viewer's language where the catalogue has it; as a sentence."""
        said = self.language.say(error.text, **error.values)
        ends = said.endswith((".", "?", "!", "。"))
        return said[:1].upper() + said[1:] + ("" if ends else "." if said.isascii() else "。")

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A rendered template."""
        if self.trouble and status == 200:
            status = 422
        said = self._take_flash()
        text = self.shared.templates.render(template, self, said=said, **values)
        return self.finish(HTMLResponse(text, status))

    def go(self, path: str, said: str = "", warnings: Iterable[SettingWarning] = ()) -> Response:
        """Elsewhere, with a note that is shown there: what was done, and what of it will not work."""
        said = " ".join([said, *(self.say("Warning: {warning}", warning=self.word(one)) for one in warnings)])
        if said:
            value = json.dumps(said)
            self.set_cookie(FLASH_COOKIE, f"{bound(self._key, 'said' + value)}.{value.encode().hex()}", 60)
        return self.finish(RedirectResponse(local_path(path), 303))

    def finish(self, response: Response) -> Response:
        """Puts the cookies in."""
        for name, value, lasts_s in self._cookies:
            response.set_cookie(
                self.cookie(name),
                value,
                max_age=None if lasts_s is None else int(lasts_s),
                path="/",
                secure=self.is_secure,
                httponly=name != ZONE_COOKIE,
                samesite="lax",
            )
        return response

    def cookie(self, name: str) -> str:
        """Over TLS a cookie's name itself keeps other hosts from setting it."""
        is_ours_alone = self.is_secure and name in (SESSION_COOKIE, VISITOR_COOKIE, FLASH_COOKIE)
        return f"__Host-{name}" if is_ours_alone else name

    def set_cookie(self, name: str, value: str, lasts_s: float | None = CONSOLE_COOKIE_S) -> None:
        """`lasts_s`: None until the browser is closed, 0 for a cookie that is to go."""
        self._cookies = [one for one in self._cookies if one[0] != name] + [(name, value, lasts_s)]

    def _take_flash(self) -> Markup | str:
        given = self.request.cookies.get(self.cookie(FLASH_COOKIE))
        if not given:
            return ""
        self.set_cookie(FLASH_COOKIE, "", 0)
        seal, _dot, text = given.partition(".")
        try:
            value = bytes.fromhex(text).decode()
        except ValueError:
            return ""
        return str(json.loads(value)) if same(seal, bound(self._key, "said" + value)) else ""


def _is_secret(name: str) -> bool:
    return "password" in name or "code" in name or "token" in name or "secret" in name
