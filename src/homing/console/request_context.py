"""A request to the console: its viewer, language and time zone, its parameters, and the responses to it."""

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
from homing.console.console_state import ConsoleState
from homing.console.formats import Formats, zone_named
from homing.console.languages import Language
from homing.console.security import local_path
from homing.i18n.phrases import Phrase, render_phrases
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
NOTICE_COOKIE: Final = "homing_said"
LANGUAGE_COOKIE: Final = "homing_language"
THEME_COOKIE: Final = "homing_theme"
ZONE_COOKIE: Final = "homing_zone"
THEMES: Final = ("auto", "light", "dark")


class PageNotFound(Exception):
    """Nothing has this name, or the viewer may not know of it."""


class StaleForm(errors.InvalidInput):
    """The row that a form edits has changed since: the form is shown with the new values, without the entered ones."""


class RequestContext:
    """The argument of a page's functions, which respond with its `page` or `redirect`.

    After a change that failed, `error` is the message and `form_values` are the values entered.
    """

    def __init__(
        self, *, request: Request, console_state: ConsoleState, session: UserSession | None, address: str, now: datetime
    ) -> None:
        self.request = request
        self.console_state = console_state
        self.database = console_state.database
        self.session = session
        self.address = address
        self.now = now
        self.error: str | None = None
        self.form_values: Mapping[str, str] = {}
        cookies = request.cookies
        self.language: Language = console_state.languages.choose(
            cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", "")
        )
        self.zone = zone_named(cookies.get(ZONE_COOKIE))
        self.formats = Formats(self.language, self.zone, now)
        theme = cookies.get(THEME_COOKIE, "")
        self.theme = theme if theme in THEMES else "auto"
        self.is_secure = console_state.is_secure
        self._token = cookies.get(self.cookie(SESSION_COOKIE)) if session else None
        self._visitor = cookies.get(self.cookie(VISITOR_COOKIE))
        self._form: Mapping[str, list[str]] | None = None
        self._cookies: list[tuple[str, str, float | None]] = []

    # --- viewer -------------------------------------------------------------------------------------------------

    @property
    def clocks(self) -> tuple[datetime, datetime]:
        """The time by the process's clock and by the system's, to compare with another device's, such as a phone's:
        after the system's clock was stepped, either may be right.
        """
        return self.now, datetime.now(UTC)

    @property
    def user(self) -> ConsoleUser:
        """Of the session; only on pages that require one."""
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
        """Id of the only account that a customer may see; None: all. A parameter of every statement that reads."""
        return self.user.account_id if self.user.role is UserRole.CUSTOMER else None

    def may(self, *roles: str) -> bool:
        """Whether the viewer has one of these roles (by name); for templates."""
        return self.is_signed_in and self.user.role.name.lower() in roles

    async def account(self, name_or_id: str) -> AccountRow:
        """Raises `PageNotFound`, also when the viewer may not see the account."""
        try:
            row = await find_account(self.database, name_or_id)
        except errors.InvalidInput:
            raise PageNotFound from None
        if self.scope is not None and row.account_id != self.scope:
            raise PageNotFound
        return row

    # --- parameters ---------------------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        return self.request.url.path

    @property
    def url(self) -> str:
        """Path and query, for forms that return to the same page."""
        query = self.request.url.query
        return self.path + (f"?{query}" if query else "")

    def path_part(self, name: str) -> str:
        """A parameter of the path, such as `{message_id}`, without characters that PostgreSQL cannot store."""
        return storable_text(str(self.request.path_params[name]), limits.CONSOLE_TEXT_CHARS_MAX)

    def query_value(self, name: str, default: str = "") -> str:
        """A parameter of the query, without characters that PostgreSQL cannot store."""
        return storable_text(self.request.query_params.get(name, default), limits.CONSOLE_TEXT_CHARS_MAX).strip()

    def query_id(self, name: str) -> int | None:
        """Likewise, as a row's id; None for any other text."""
        return as_id(self.query_value(name))

    def query(self, **changes: object) -> str:
        """The current query with changes; None removes a parameter."""
        parameters = {name: value for name, value in self.request.query_params.items() if name not in changes}
        parameters.update({name: str(value) for name, value in changes.items() if value is not None})
        return "?" + urlencode(parameters) if parameters else self.path

    def field(self, name: str, default: str = "") -> str:
        """The value of a form field, stripped."""
        return self.raw_field(name, default).strip()

    def raw_field(self, name: str, default: str = "") -> str:
        """Likewise, not stripped: for passwords and for values that a form carries along."""
        values = (self._form or {}).get(name)
        return storable_text(values[0]) if values else default

    def fields(self, name: str) -> list[str]:
        """All values of a field that can occur more than once."""
        return [storable_text(value) for value in (self._form or {}).get(name, ())]

    async def read_form(self) -> None:
        """Reads a URL-encoded body of bounded size. Raises `InvalidInput` when it is too large or malformed."""
        body = bytearray()
        bytes_max = CONSOLE_BODY_BYTES_MAX if self.is_signed_in else CONSOLE_STRANGER_BODY_BYTES_MAX
        try:
            async with asyncio.timeout(limits.HTTP_BODY_TIMEOUT_S):
                async for chunk in self.request.stream():
                    body += chunk
                    if len(body) > bytes_max:
                        raise errors.InvalidInput(self.translate("The form is too large."))
        except TimeoutError:
            raise errors.InvalidInput(self.translate("The form took too long to arrive.")) from None
        form: dict[str, list[str]] = {}
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=CONSOLE_FIELDS_MAX)
        except (ValueError, UnicodeDecodeError):
            raise errors.InvalidInput(self.translate("The form could not be read.")) from None
        for name, value in pairs:
            form.setdefault(name, []).append(value)
        self._form = form

    def refill(self, error: errors.InvalidInput) -> None:
        """Has the page show the error, and the entered values again, except secrets."""
        self.error = self.sentence(error)
        if not isinstance(error, StaleForm):
            self.form_values = {name: values[0] for name, values in (self._form or {}).items() if not _is_secret(name)}

    @staticmethod
    def version(row: Mapping[str, Any] | msgspec.Struct) -> str:
        """Hash of a row's values: the hidden field `version` of a form that changes the row."""
        members = msgspec.structs.asdict(row) if isinstance(row, msgspec.Struct) else row
        return hashlib.sha256(repr(sorted(members.items())).encode()).hexdigest()[:16]

    def check_version(self, row: Mapping[str, Any] | msgspec.Struct) -> None:
        """Raises `StaleForm` when the row, read again under its lock, differs from the one that the form shows."""
        if not same(self.field("version"), self.version(row)):
            raise StaleForm(
                self.translate(
                    "Someone else has changed this in the meantime. Your changes were not saved; the current"
                    " values are shown below."
                )
            )

    # --- changes ------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def changing(self, actor: str | None = None) -> AsyncIterator[DatabaseConnection]:
        """A transaction whose changes are audited under the viewer's name."""
        async with self.database.transaction() as transaction:
            await act_as(transaction, actor or self.user.name, self.address)
            yield transaction

    @property
    def _key(self) -> str:
        """Binds forms and notices to the session, or before sign-in to the visitor's cookie."""
        if self._token:
            return self._token
        if self._visitor is None or len(self._visitor) < 32:
            self._visitor = make_token()
            self.set_cookie(VISITOR_COOKIE, self._visitor, None)
        return self._visitor

    def form_token(self) -> str:
        return bound(self._key, "form")

    def has_valid_form_token(self) -> bool:
        return same(self.raw_field("form_token"), self.form_token())

    def start_session(self, token: str) -> None:
        """Replaces the session: a token from before the sign-in must not be valid after it (session fixation)."""
        self._token = token
        self.set_cookie(SESSION_COOKIE, token, None)

    def end_session(self) -> None:
        self._token = None
        self.session = None
        self.set_cookie(SESSION_COOKIE, "", 0)

    # --- responses ----------------------------------------------------------------------------------------------

    def translate(self, text: str, **values: object) -> str:
        return self.language.translate(text, **values)

    def translate_phrases(self, phrases: Iterable[Phrase]) -> str:
        return render_phrases(phrases, self.language.translate, self.formats.time)

    def sentence(self, error: errors.InvalidInput | SettingWarning) -> str:
        """An error's or a warning's text as a sentence, in the viewer's language if the catalogue has it."""
        text = self.language.translate(error.text, **error.values)
        ends = text.endswith((".", "?", "!", "。"))
        return text[:1].upper() + text[1:] + ("" if ends else "." if text.isascii() else "。")

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A rendered template."""
        if self.error and status == 200:
            status = 422
        html = self.console_state.templates.render(template, self, notice=self._take_notice(), **values)
        return self.finish(HTMLResponse(html, status))

    def redirect(self, path: str, notice: str = "", warnings: Iterable[SettingWarning] = ()) -> Response:
        """A redirect; the next page shows the notice and the warnings."""
        notice = " ".join(
            [notice, *(self.translate("Warning: {warning}", warning=self.sentence(warning)) for warning in warnings)]
        )
        if notice:
            value = json.dumps(notice)
            self.set_cookie(NOTICE_COOKIE, f"{bound(self._key, 'said' + value)}.{value.encode().hex()}", 60)
        return self.finish(RedirectResponse(local_path(path), 303))

    def finish(self, response: Response) -> Response:
        """Adds the cookies."""
        for name, value, lifetime_s in self._cookies:
            response.set_cookie(
                self.cookie(name),
                value,
                max_age=None if lifetime_s is None else int(lifetime_s),
                path="/",
                secure=self.is_secure,
                httponly=name != ZONE_COOKIE,
                samesite="lax",
            )
        return response

    def cookie(self, name: str) -> str:
        """A cookie's name; over TLS with the prefix `__Host-`, under which no other host can set it."""
        is_host_bound = self.is_secure and name in (SESSION_COOKIE, VISITOR_COOKIE, NOTICE_COOKIE)
        return f"__Host-{name}" if is_host_bound else name

    def set_cookie(self, name: str, value: str, lifetime_s: float | None = CONSOLE_COOKIE_S) -> None:
        """`lifetime_s`: None until the browser is closed, 0 deletes the cookie."""
        self._cookies = [cookie for cookie in self._cookies if cookie[0] != name] + [(name, value, lifetime_s)]

    def _take_notice(self) -> Markup | str:
        sealed = self.request.cookies.get(self.cookie(NOTICE_COOKIE))
        if not sealed:
            return ""
        self.set_cookie(NOTICE_COOKIE, "", 0)
        seal, _dot, text = sealed.partition(".")
        try:
            value = bytes.fromhex(text).decode()
        except ValueError:
            return ""
        return str(json.loads(value)) if same(seal, bound(self._key, "said" + value)) else ""


def _is_secret(name: str) -> bool:
    return "password" in name or "code" in name or "token" in name or "secret" in name
