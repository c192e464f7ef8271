"""The stream that tells open pages when to look again."""

from starlette.responses import Response, StreamingResponse

from homing.console.navigation import EVERYBODY
from homing.console.page import Page, PageSection
from homing.console.request_context import RequestContext


async def show(context: RequestContext) -> Response:
    return StreamingResponse(context.console_state.live.stream(context.user.user_id), media_type="text/event-stream")


SECTION = PageSection((Page("/live", show, seen_by=EVERYBODY),))
