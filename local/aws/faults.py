"""Faults a test asks for: function processes killed, calls refused, calls held up.

A kill is ``kill -9`` of the process that makes the call: ``before`` the call is executed, or ``after``, when it
has landed and its answer is never delivered. A failure answers the call with an error of AWS, ``before`` as if it had
been refused, ``after`` when it has landed. A part of a batch to SQS fails while the call as a whole succeeds: the last
of its entries are not executed, and the answer names them as failed by no fault of the sender. A hold lets the call wait, before it is executed or after, until the fault is removed: what else happens meanwhile happens in between.
Each fault says how often it fired and for whom, so that a test can prove that it did.
"""

import asyncio
import dataclasses
import itertools
import json
import os
import secrets
import signal
import threading
import time
from collections import deque

from ministack import app
from ministack.core import iam_evaluator, lambda_runtime, responses, router
from ministack.services import lambda_svc, sts

from aws.patching import around

CALLS_KEPT = 20_000
MESSAGES = {
    "AccessDeniedException": "User is not authorized to perform this action (asked for by a test)",
    "ProvisionedThroughputExceededException": "The level of provisioned throughput of the table was exceeded.",
    "ThrottlingException": "Rate exceeded",
}
BATCHES = ("SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch")


@dataclasses.dataclass
class Fault:
    """One fault: what it matches, what it does and what it did."""

    kind: str
    action: str
    function: str | None = None
    match: str | None = None
    skip: int = 0
    times: int = 1
    when: str = "before"
    error: str = "ProvisionedThroughputExceededException"
    message: str | None = None
    status: int = 400
    entries: int = 1
    extra: dict = dataclasses.field(default_factory=dict)
    id: int = 0
    seen: int = 0
    fired: list[dict] = dataclasses.field(default_factory=list)

    def check(self) -> None:
        """Raises ``ValueError`` if this is not a fault that can happen."""
        if self.kind not in ("kill", "fail", "hold", "part"):
            raise ValueError("kind must be kill, fail, hold or part")
        if self.when not in ("before", "after"):
            raise ValueError("when must be before or after")
        if self.kind == "kill" and not self.function:
            raise ValueError("a kill needs the function whose process it ends")
        if self.kind == "part" and (self.action not in BATCHES or self.entries < 1):
            raise ValueError(f"a part is of at least 1 entry of one of {', '.join(BATCHES)}")
        if not self.action or self.times < 1 or self.skip < 0:
            raise ValueError("a fault needs an action, times of at least 1 and skip of at least 0")

    def takes(self, call: "Call") -> bool:
        """Whether this call is the one to fail; counts the calls that match."""
        if self.action != call.action or (self.function and self.function != call.function):
            return False
        if (self.match and self.match not in call.body) or len(self.fired) >= self.times:
            return False
        self.seen += 1
        return self.seen > self.skip


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of an API, as a fault sees it."""

    action: str
    principal: str
    function: str | None
    access_key: str
    body: str


class Faults:
    """The faults in force and the calls that were made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._faults: list[Fault] = []
        self._processes: dict[str, tuple[str, int]] = {}
        self._calls: deque[dict] = deque(maxlen=CALLS_KEPT)
        self._number = itertools.count(1)

    def add(self, wanted: dict) -> dict:
        """Adds a fault and returns it; raises ``ValueError`` if it makes no sense."""
        names = {field.name for field in dataclasses.fields(Fault)} - {"id", "seen", "fired"}
        if set(wanted) - names or not {"kind", "action"} <= set(wanted):
            raise ValueError(f"a fault has kind and action, and may have {sorted(names - {'kind', 'action'})}")
        fault = Fault(**wanted)
        fault.check()
        with self._lock:
            fault.id = next(self._ids)
            self._faults.append(fault)
        return dataclasses.asdict(fault)

    def listed(self) -> list[dict]:
        """Every fault with what it did."""
        with self._lock:
            return [dataclasses.asdict(fault) for fault in self._faults]

    def remove(self, fault_id: int) -> None:
        """Forgets one fault; the calls that it holds go on. Raises ``ValueError`` if there is none."""
        with self._lock:
            kept = [fault for fault in self._faults if fault.id != fault_id]
            if len(kept) == len(self._faults):
                raise ValueError(f"no fault {fault_id}")
            self._faults = kept

    async def wait_for_removal(self, fault: Fault) -> None:
        """Returns when a fault is forgotten."""
        while fault in self._faults:
            await asyncio.sleep(0.01)

    def clear(self) -> None:
        """Forgets all faults and calls."""
        with self._lock:
            self._faults = []
            self._calls.clear()

    def calls(self, function: str | None) -> list[dict]:
        """The calls made since the last ``clear``, oldest first, all or one function's."""
        with self._lock:
            return [call for call in self._calls if function in (None, call["function"])]

    def register_process(self, function: str, runtime_port: int, environment: dict) -> dict:
        """Gives a function's process credentials of its own, by which its calls are told from its siblings'."""
        access_key = "ASIA" + secrets.token_hex(8).upper()
        session = sts._sessions[environment["AWS_ACCESS_KEY_ID"]]
        sts.register_session(access_key, dict(session))
        with self._lock:
            self._processes[access_key] = (function, runtime_port)
        return {**environment, "AWS_ACCESS_KEY_ID": access_key}

    def call_of(self, method: str, path: str, headers: dict, body: bytes, query_params: dict) -> Call:
        """Who calls what."""
        access_key = router.extract_access_key_id(headers, query_params) or ""
        with self._lock:
            function, _ = self._processes.get(access_key, (None, 0))
        return Call(
            action=_action(method, path, headers, body, query_params),
            principal=iam_evaluator.request_caller_arn(headers, query_params),
            function=function,
            access_key=access_key,
            body=body.decode("utf-8", "replace"),
        )

    def take(self, call: Call) -> Fault | None:
        """The first fault that this call meets, marked as fired."""
        with self._lock:
            for fault in self._faults:
                if fault.takes(call):
                    fault.fired.append({"at": time.time(), "principal": call.principal, "function": call.function})
                    return fault
        return None

    def record(self, call: Call, status: int, fault: Fault | None) -> None:
        """Keeps a call for ``calls``."""
        with self._lock:
            self._calls.append(
                {
                    "number": next(self._number),
                    "at": time.time(),
                    "action": call.action,
                    "function": call.function,
                    "principal": call.principal,
                    "status": status,
                    "fault": fault.id if fault else None,
                }
            )

    async def kill(self, call: Call) -> None:
        """Ends the calling process with SIGKILL and returns when it is gone."""
        process = self._process(call.access_key)
        if process is None:
            return
        os.kill(process.pid, signal.SIGKILL)
        while process.poll() is None:
            await asyncio.sleep(0.002)

    def _process(self, access_key: str):
        with self._lock:
            _, port = self._processes.get(access_key, (None, 0))
        with lambda_runtime._lock:
            workers = [worker for entries in lambda_runtime._workers.values() for worker in entries]
        for worker in workers:
            server = getattr(worker, "_server", None)
            if server is not None and server.server_address[1] == port:
                return worker._proc
        return None


def _action(method: str, path: str, headers: dict, body: bytes, query_params: dict) -> str:
    target = headers.get("x-amz-target", "")
    if "." in target:
        return target.rpartition(".")[2]
    given = app._routing_params(method, path, headers, body, query_params).get("Action")
    if given:
        return given[0] if isinstance(given, list) else given
    return f"{method} {path}"


def install(faults: Faults) -> None:
    """Puts the faults in front of every service call."""

    @around(lambda_svc, "_provided_worker_env")
    def provided_worker_env(original, config, code_dir, port):
        return faults.register_process(config["FunctionName"], port, original(config, code_dir, port))

    @around(app, "_dispatch_service_request")
    async def dispatch(original, method, path, headers, body, query_params, request_id):
        call = faults.call_of(method, path, headers, body, query_params)
        fault = faults.take(call)
        if fault is None:
            answer = await original(method, path, headers, body, query_params, request_id)
        elif fault.kind == "fail":
            if fault.when == "after":
                await original(method, path, headers, body, query_params, request_id)
            answer = _failure(fault)
        elif fault.kind == "part":
            kept, failed = _parts(fault, body)
            answer = 200, {"Content-Type": "application/x-amz-json-1.0"}, b'{"Successful": []}'
            if kept["Entries"]:
                answer = await original(method, path, headers, json.dumps(kept).encode(), query_params, request_id)
            answer = _with_failed(answer, failed)
        elif fault.kind == "hold" and fault.when == "before":
            await faults.wait_for_removal(fault)
            answer = await original(method, path, headers, body, query_params, request_id)
        elif fault.kind == "hold":
            answer = await original(method, path, headers, body, query_params, request_id)
            await faults.wait_for_removal(fault)
        else:
            if fault.when == "after":
                await original(method, path, headers, body, query_params, request_id)
            await faults.kill(call)
            answer = 500, {}, b""
        faults.record(call, answer[0], fault)
        return answer


def _parts(fault: Fault, body: bytes) -> tuple[dict, list[dict]]:
    """The call without its last entries, and what the answer says of those."""
    data = json.loads(body)
    entries = data["Entries"]
    kept, held_back = entries[: -fault.entries], entries[-fault.entries :]
    message = fault.message or "asked for by a test"
    failed = [{"Id": entry["Id"], "SenderFault": False, "Code": fault.error, "Message": message} for entry in held_back]
    return {**data, "Entries": kept}, failed


def _with_failed(answer: tuple, failed: list[dict]) -> tuple:
    status, headers, body = answer
    if status != 200:
        return answer
    said = json.loads(body)
    return status, headers, json.dumps({**said, "Failed": [*said.get("Failed", []), *failed]}).encode()


def _failure(fault: Fault) -> tuple:
    message = fault.message or MESSAGES.get(fault.error, "asked for by a test")
    return responses.error_response_json(fault.error, message, fault.status, extra=fault.extra or None)
