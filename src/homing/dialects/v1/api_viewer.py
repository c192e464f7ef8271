"""The page /v1/docs: Swagger UI, as a package brings it along, on this server's description. Nothing is fetched from
elsewhere, and the page may do no more than it needs.
"""

import asyncio
import gzip
import importlib.util
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from homing.api.http.wire import HttpRequest, HttpResponse
from homing.dialects.v1.problems import V1Refusal, response_of

VIEWER_PATH: Final = "/v1/docs"
PACKAGE: Final = "swagger_ui"
"""Found, never imported: of the package only its files are needed."""
OWN: Final = Path(__file__).parent / "viewer"
HTML: Final = "text/html; charset=utf-8"
SCRIPT: Final = "text/javascript; charset=utf-8"
STYLE: Final = "text/css; charset=utf-8"
CONTENT_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # the viewer sets styles of elements
        "img-src 'self' data:",  # its arrows and locks
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final = (
    ("content-security-policy", CONTENT_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "max-age=3600"),
    ("vary", "accept-encoding"),
)


class ViewerFile(msgspec.Struct, frozen=True):
    content_type: str
    plain: bytes
    packed: bytes
    """With gzip."""


class ApiViewer:
    """Serves the page and its files, which are read when the first of them is asked for."""

    def __init__(self) -> None:
        self._files: Mapping[str, ViewerFile] = {}

    def by_path(self) -> Mapping[str, Callable[[HttpRequest], Awaitable[HttpResponse]]]:
        return {VIEWER_PATH: self._answer, f"{VIEWER_PATH}/": self._answer}

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        if not self._files:
            self._files = await asyncio.to_thread(_read_files)
        file = self._files.get(request.path)
        if file is None:
            return response_of(V1Refusal("not_found"))
        if "gzip" in (request.headers.get("accept-encoding") or ""):
            return HttpResponse(
                file.packed, content_type=file.content_type, headers=(*HEADERS, ("content-encoding", "gzip"))
            )
        return HttpResponse(file.plain, content_type=file.content_type, headers=HEADERS)


def _read_files() -> Mapping[str, ViewerFile]:
    package = importlib.util.find_spec(PACKAGE)
    assert package is not None, "a requirement"
    assert package.submodule_search_locations
    kept = Path(package.submodule_search_locations[0]) / "static"
    files = {
        VIEWER_PATH: (OWN / "page.html", HTML),
        f"{VIEWER_PATH}/viewer.js": (OWN / "viewer.js", SCRIPT),
        f"{VIEWER_PATH}/viewer.css": (OWN / "viewer.css", STYLE),
        f"{VIEWER_PATH}/swagger-ui.css": (kept / "swagger-ui.css", STYLE),
        f"{VIEWER_PATH}/swagger-ui-bundle.js": (kept / "swagger-ui-bundle.js", SCRIPT),
    }
    return {path: _read(file, content_type) for path, (file, content_type) in files.items()}


def _read(file: Path, content_type: str) -> ViewerFile:
    plain = file.read_bytes()
    return ViewerFile(content_type, plain, gzip.compress(plain, mtime=0))
