"""The control plane for tests: ``/_septet/...`` on the port of the local AWS.

- ``GET`` and ``PUT /_septet/settings``: the runtime settings; a ``PUT`` names only what changes.
- ``GET``, ``POST`` and ``DELETE /_septet/faults``: list with what fired, add one, forget all (and the calls).
- ``DELETE /_septet/faults/ID``: forget one; the calls that it holds go on.
- ``GET /_septet/calls?function=NAME``: the calls made since then.
- ``GET /_septet/behaviours``: the names of the behaviours there are.
- ``POST /_septet/schedules/NAME``: fires a schedule now, as its own time would.
- ``POST /_septet/age`` with ``{"table": NAME, "seconds": N}``: makes a table, its import and its metrics older.
- ``POST /_septet/describe`` with ``{"table": NAME, "members": {...}}``: merges members into what DescribeTable
  answers; null takes a member back.
"""

import json
from urllib.parse import parse_qs

from ministack import app
from ministack.services import scheduler

from aws import behaviours, faults, overrides, settings
from aws.patching import around

PREFIX = "/_septet/"


def install() -> None:
    """Serves the control plane, and puts faults and overrides in front of the services."""
    plane = faults.Faults()
    faults.install(plane)
    overrides.install()

    @around(app, "app")
    async def application(original, scope, receive, send):
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            return await original(scope, receive, send)
        body = await _body_of(receive)
        try:
            status, answer = _answer(plane, scope, json.loads(body) if body else None)
        except ValueError as error:
            status, answer = 400, {"error": str(error)}
        await _send_json(send, status, answer)


def _answer(plane: faults.Faults, scope: dict, data) -> tuple[int, object]:
    method, (resource, _, name) = scope["method"], scope["path"][len(PREFIX) :].partition("/")
    query = parse_qs(scope["query_string"].decode())
    match method, resource:
        case "GET", "settings":
            return 200, settings.all_values()
        case "PUT", "settings":
            settings.change(data or {})
            return 200, settings.all_values()
        case "GET", "faults":
            return 200, plane.listed()
        case "POST", "faults":
            return 200, plane.add(data or {})
        case "DELETE", "faults" if name:
            plane.remove(int(name))
            return 200, plane.listed()
        case "DELETE", "faults":
            plane.clear()
            return 200, []
        case "GET", "behaviours":
            return 200, list(behaviours.registry())
        case "GET", "calls":
            return 200, plane.calls(query.get("function", [None])[0])
        case "POST", "schedules":
            return 200, {"fired": _fire(name)}
        case "POST", "age":
            return 200, overrides.age(data or {})
        case "POST", "describe":
            return 200, overrides.describe(data or {})
    return 404, {"error": f"no {method} {scope['path']}"}


def _fire(name: str) -> str:
    """Makes a schedule due and lets ministack fire what is due."""
    for key, schedule in scheduler._schedules._data.items():
        if schedule["Name"] == name:
            if schedule.get("State") != "ENABLED":
                raise ValueError(f"the schedule {name} is not enabled")
            scheduler._schedule_last_fired[key] = 0.0
            scheduler._tick_schedules()
            return schedule["Arn"]
    raise ValueError(f"no schedule {name!r}")


async def _body_of(receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _send_json(send, status: int, answer: object) -> None:
    content = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
