"""Templates: Jinja2 with everything escaped, and our own static files under addresses that change with them."""

import hashlib
import mimetypes
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from homing.console.page import NavigationEntry, NavigationGroup, PageSection
from homing.i18n.reasons import reason_phrase, reason_title
from homing.reasons import Reason, decode_reason

if TYPE_CHECKING:
    from homing.console.request_context import RequestContext


class StaticFile(msgspec.Struct, frozen=True):
    """A static file, whole in memory."""

    url: str
    body: bytes
    content_type: str


def load_files() -> Mapping[str, StaticFile]:
    """By name. The address holds a digest of the content, so that browsers may keep it for ever."""
    found = {}
    for file in resources.files("homing.console").joinpath("static").iterdir():
        body = file.read_bytes()
        kind, _encoding = mimetypes.guess_type(file.name)
        digest = hashlib.sha256(body).hexdigest()[:12]
        found[file.name] = StaticFile(f"/static/{digest}/{file.name}", body, kind or "application/octet-stream")
    return found


class Templates:
    """Renders for a visit: `context`, `format` (formats.Formats), `_`, `ngettext` and `reason` (a reason or its JSON,
    said) are there in every template.
    """

    def __init__(self) -> None:
        self.files: Final = load_files()
        self.sections: Sequence[PageSection] = ()
        self._environment = Environment(
            loader=PackageLoader("homing.console", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.do"],
        )
        self._environment.globals.update(file=lambda name: self.files[name].url, ngettext=_unbound, _=_unbound)

    def render(self, template: str, context: "RequestContext", **values: Any) -> str:
        def say(text: str, **inner: object) -> Markup:
            """Values are escaped, unless they are markup already."""
            said = escape(context.language.say(text))
            return said.format(**inner) if inner else said

        def say_n(one: str, many: str, n: int, **inner: object) -> str:
            return context.language.say_n(one, many, n, **{"count": context.formats.number(n), **inner})

        return self._environment.get_template(template).render(
            context=context,
            format=context.formats,
            _=say,
            ngettext=say_n,
            reason=lambda why: context.tell([reason_phrase(why if isinstance(why, Reason) else decode_reason(why))]),
            reason_title=lambda code: context.tell([reason_title(code)]),
            navigation=self._navigation(context),
            languages=context.shared.languages,
            leads_somewhere=lambda path: self._leads_somewhere(context, path),
            form_token=lambda: _hidden("form_token", context.form_token()),
            **values,
        )

    def _leads_somewhere(self, context: "RequestContext", path: str) -> bool:
        """Whether there is a page at a path's beginning that this viewer may see."""
        beginning = path.split("/")[1]
        return any(
            page.path.split("/")[1] == beginning and context.user.role in page.seen_by
            for section in self.sections
            for page in section.pages
        )

    def _navigation(self, context: "RequestContext") -> Sequence[tuple[NavigationGroup, Sequence[NavigationEntry]]]:
        """The groups that hold anything for this viewer."""
        if not context.is_signed_in:
            return ()
        entries = [entry for section in self.sections for entry in section.entries]
        mine = [entry for entry in entries if context.user.role in entry.seen_by]
        grouped = [(group, [entry for entry in mine if entry.group is group]) for group in NavigationGroup]
        return [(group, entries) for group, entries in grouped if entries]


def _hidden(name: str, value: str) -> Markup:
    return Markup('<input type="hidden" name="{}" value="{}">').format(name, value)


def _unbound(*_texts: object, **_values: object) -> str:
    raise RuntimeError("a macro that says something is imported `with context`")
