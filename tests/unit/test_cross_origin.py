"""Calls from pages of other origins: who is let read answers."""

from homing.api.http.cross_origin import CrossOrigin
from homing.api.http.wire import HttpRequest, HttpResponse
from tests.support.calls import Called, Headers

SHOP = "https://shop.example.com"


def request(method: str, origin: str | None) -> HttpRequest:
    headers = Headers({} if origin is None else {"origin": origin})
    return HttpRequest(method, "/api/CTrack", "", headers, b"", "r", Called())


async def answer(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"{}")


def allowed(response: HttpResponse) -> str | None:
    return dict(response.headers).get("access-control-allow-origin")


async def test_a_preflight_of_a_named_origin_is_allowed_without_asking_the_call() -> None:
    response = await CrossOrigin([SHOP], ("GET", "POST")).wrap(answer)(request("OPTIONS", SHOP))
    assert (response.status, response.body, allowed(response)) == (204, b"", SHOP)
    told = dict(response.headers)
    assert told["access-control-allow-methods"] == "GET, POST"
    assert told["access-control-allow-headers"] == "content-type"
    assert told["vary"] == "origin"


async def test_an_answer_is_readable_for_named_origins_alone() -> None:
    handler = CrossOrigin([SHOP], ("GET", "POST")).wrap(answer)
    assert allowed(await handler(request("POST", SHOP))) == SHOP
    for other in (None, "", "null", "https://shop.example.com.evil.example", "http://shop.example.com", f"{SHOP}:443"):
        for method in ("OPTIONS", "POST"):
            response = await handler(request(method, other))
            assert allowed(response) is None
            assert ("vary", "origin") in response.headers


async def test_without_named_origins_nothing_is_added_and_preflights_are_no_method() -> None:
    nobody = CrossOrigin([], ("GET", "POST"))
    assert nobody.methods == {"GET", "POST"}
    assert (await nobody.wrap(answer)(request("POST", SHOP))).headers == ()
