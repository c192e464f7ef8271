"""Jinja2 templates with autoescape, and the static files under URLs that contain a digest of their content."""

import hashlib
import mimetypes
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any, Final, Protocol

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from homing.console.formats import Formats
from homing.console.languages import Language, Languages
from homing.console.navigation import Navigation
from homing.i18n.phrases import Phrase
from homing.i18n.reasons import reason_phrase, reason_title
from homing.reasons import Reason, decode_reason
from homing.users.admin import ConsoleUser


class StaticFile(msgspec.Struct, frozen=True):
    """A static file, whole in memory."""

    url: str
    body: bytes
    content_type: str


def load_files() -> Mapping[str, StaticFile]:
    """By name. The URL contains a digest of the content, so that browsers may cache it without end."""
    files = {}
    for file in resources.files("homing.console").joinpath("static").iterdir():
        body = file.read_bytes()
        kind, _encoding = mimetypes.guess_type(file.name)
        digest = hashlib.sha256(body).hexdigest()[:12]
        files[file.name] = StaticFile(f"/static/{digest}/{file.name}", body, kind or "application/octet-stream")
    return files


class Viewer(Protocol):
    """Whom a page is rendered for: a request context."""

    language: Language
    formats: Formats

    @property
    def is_signed_in(self) -> bool: ...

    @property
    def user(self) -> ConsoleUser: ...

    def form_token(self) -> str: ...

    def translate_phrases(self, phrases: Iterable[Phrase]) -> str: ...


class Templates:
    """The template environment. Every template has `context` (the viewer), `format` (their Formats), `_` and `ngettext`
    (texts in their language), `reason` (the text of a Reason or of its JSON) and `reason_title`.

    `navigation` is set once the pages are known.
    """

    def __init__(self, languages: Languages) -> None:
        self.files: Final = load_files()
        self.navigation = Navigation()
        self._languages = languages
        self._environment = Environment(
            loader=PackageLoader("homing.console", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.do"],
        )
        self._environment.globals.update(file=lambda name: self.files[name].url, ngettext=_unbound, _=_unbound)

    def render(self, template: str, viewer: Viewer, **values: Any) -> str:
        def translate(text: str, **inner: object) -> Markup:
            """Values are escaped, unless they are markup."""
            html = escape(viewer.language.translate(text))
            return html.format(**inner) if inner else html

        def translate_plural(singular: str, plural: str, n: int, **inner: object) -> str:
            values = {"count": viewer.formats.number(n), **inner}
            return viewer.language.translate_plural(singular, plural, n, **values)

        def reason_text(reason: Reason | str) -> str:
            decoded = reason if isinstance(reason, Reason) else decode_reason(reason)
            return viewer.translate_phrases([reason_phrase(decoded)])

        return self._environment.get_template(template).render(
            context=viewer,
            format=viewer.formats,
            _=translate,
            ngettext=translate_plural,
            reason=reason_text,
            reason_title=lambda code: viewer.translate_phrases([reason_title(code)]),
            navigation=self.navigation.groups(viewer.user.role) if viewer.is_signed_in else (),
            languages=self._languages,
            has_page=lambda path: self.navigation.has_page(path, viewer.user.role),
            form_token=lambda: _hidden("form_token", viewer.form_token()),
            **values,
        )


def _hidden(name: str, value: str) -> Markup:
    return Markup('<input type="hidden" name="{}" value="{}">').format(name, value)


def _unbound(*_texts: object, **_values: object) -> str:
    raise RuntimeError("a macro that translates texts is imported `with context`")
