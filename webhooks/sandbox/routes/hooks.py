"""The log of the app's deliveries: https://docs.github.com/rest/apps/webhooks."""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhooks.sandbox.access import Gate
from webhooks.sandbox.deliveries import redeliver
from webhooks.sandbox.refusals import Refusal
from webhooks.sandbox.shapes import delivery_shape, whole_delivery_shape
from webhooks.sandbox.state import DeliveryRecord, State

_RETENTION = timedelta(days=3)
_PER_PAGE = 30
_MOST_PER_PAGE = 100
_CURSOR = "v1_"


def routes(gate: Gate) -> list[Route]:
    """Routes that the app calls as itself."""
    state = gate.state

    async def listing(request: Request) -> Response:
        size = _size(request)
        found = _select(state, request)
        shown = found[:size]
        headers: dict[str, str] = {}
        if len(found) > size:
            query = request.url.include_query_params(per_page=size, cursor=f"{_CURSOR}{shown[-1].id}").query
            headers["link"] = f'<{state.url}{request.url.path}?{query}>; rel="next"'
        return JSONResponse([_item(each) for each in shown], headers=headers)

    async def show(request: Request) -> Response:
        return JSONResponse(whole_delivery_shape(_find(state, request)))

    async def again(request: Request) -> Response:
        await redeliver(state, _find(state, request))
        return JSONResponse({}, status_code=202)

    one = "/app/hook/deliveries/{id:int}"
    return [
        Route("/app/hook/deliveries", gate.for_app(listing)),
        Route(one, gate.for_app(show)),
        Route(one + "/attempts", gate.for_app(again), methods=["POST"]),
    ]


def _item(record: DeliveryRecord) -> dict[str, object]:
    return {**delivery_shape(record), "throttled_at": None}


def _size(request: Request) -> int:
    text = request.query_params.get("per_page", "")
    return min(max(int(text), 1), _MOST_PER_PAGE) if text.isdecimal() else _PER_PAGE


def _kept(state: State) -> list[DeliveryRecord]:
    """Attempts that GitHub still remembers."""
    oldest = state.clock() - _RETENTION
    return [each for each in state.deliveries if each.status != "pending" and each.delivered_at >= oldest]


def _select(state: State, request: Request) -> list[DeliveryRecord]:
    """The attempts that a listing asks for, newest first, from where its cursor stands."""
    asked = request.query_params
    cursor = asked.get("cursor", "").removeprefix(_CURSOR)
    if cursor and not cursor.isdecimal():
        raise Refusal(422, "Invalid cursor")
    status = asked.get("status")
    if status not in {None, "success", "failure"}:
        raise Refusal(422, "Validation Failed")
    return [
        each
        for each in sorted(_kept(state), key=lambda each: each.id, reverse=True)
        if (not cursor or each.id < int(cursor))
        and (status is None or (each.status == "OK") == (status == "success"))
    ]


def _find(state: State, request: Request) -> DeliveryRecord:
    record = next((each for each in _kept(state) if each.id == request.path_params["id"]), None)
    if record is None:
        raise Refusal(404, "Not Found")
    return record
