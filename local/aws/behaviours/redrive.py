"""Message move tasks: dead letters on their way back to a queue."""

import dataclasses
import json
import threading
import time

from ministack.core import concurrency, iam_actions, iam_evaluator, responses, router
from ministack.services import lambda_svc, sqs

from aws.patching import around

FASTEST = 500
"""Messages a second, which is also how fast a task is that names no rate."""
KEPT = 10
"""Tasks of a queue that are listed."""
ON_BEHALF = {
    "StartMessageMoveTask": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "CancelMessageMoveTask": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "ListMessageMoveTasks": ("sqs:GetQueueAttributes",),
}
"""What else the caller must be allowed to do to the dead-letter queue."""


@dataclasses.dataclass
class Task:
    """One task, and how far it is."""

    source: str
    destination: str | None
    rate: int | None
    left: list[dict]
    handle: str = dataclasses.field(default_factory=responses.new_uuid)
    started: int = dataclasses.field(default_factory=lambda: int(time.time() * 1000))
    total: int = 0
    moved: int = 0
    status: str = "RUNNING"
    failure: str | None = None

    def __post_init__(self) -> None:
        self.total = len(self.left)

    def shown(self) -> dict:
        """The task as a list of tasks shows it."""
        shown = {
            "TaskHandle": self.handle if self.status == "RUNNING" else None,
            "Status": self.status,
            "SourceArn": self.source,
            "DestinationArn": self.destination,
            "MaxNumberOfMessagesPerSecond": self.rate,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.total,
            "FailureReason": self.failure,
            "StartedTimestamp": self.started,
        }
        return {name: value for name, value in shown.items() if value is not None}


_tasks: list[Task] = []
_lock = threading.Lock()


def message_move_tasks() -> None:
    """A task moves what lies in a dead-letter queue, at most so many messages a second, and can be followed and
    cancelled; it needs the permissions that it needs on AWS."""
    sqs._HANDLERS.update(
        StartMessageMoveTask=_start, ListMessageMoveTasks=_list, CancelMessageMoveTask=_cancel
    )  # fmt: skip

    @around(iam_actions, "extract_resource_arn")
    def extract_resource_arn(original, service, method, path, headers, body, *args):
        found = _source_of(body) if service == "sqs" else None
        return found or original(service, method, path, headers, body, *args)

    @around(sqs, "handle_request")
    async def handle_request(original, method, path, headers, body, query_params):
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        key, region = router.extract_access_key_id(headers, query_params) or "", responses.get_region()
        for needed, arn in _needed(action, body):
            denied = iam_evaluator.enforce(key, needed, "sqs", region, resource_arn=arn)
            if denied is not None:
                caller = iam_evaluator.request_caller_arn(headers, query_params)
                message = f"User: {caller} is not authorized to perform: {needed} on resource: {arn}"
                return sqs._json_err_resp("AccessDenied", message, 403)
        return await original(method, path, headers, body, query_params)


def dead_letter_source() -> None:
    """A record of a dead letter in Lambda's event names the queue that the message came from.

    A message that was moved back has no such attribute: AWS documents it as a new message with a new id and a new time.
    """

    @around(lambda_svc, "_run_sqs_batch")
    def run_sqs_batch(original, mapping, function, event, batch, *args):
        sources = {message["id"]: message["sys"].get("DeadLetterQueueSourceArn") for message in batch}
        for record in event["Records"]:
            if sources.get(record["messageId"]):
                record["attributes"]["DeadLetterQueueSourceArn"] = sources[record["messageId"]]
        return original(mapping, function, event, batch, *args)


def _source_of(body: bytes) -> str | None:
    """The dead-letter queue that a call about tasks names, by itself or in a task's handle."""
    try:
        data = json.loads(body or b"{}")
    except ValueError:
        return None
    if "TaskHandle" in data:
        return next((task.source for task in _tasks if task.handle == data["TaskHandle"]), None)
    return data.get("SourceArn")


def _needed(action: str, body: bytes) -> list[tuple[str, str]]:
    source = _source_of(body) if action in ON_BEHALF else None
    if source is None:
        return []
    needed = [(also, source) for also in ON_BEHALF[action]]
    destination = json.loads(body).get("DestinationArn")
    return [*needed, ("sqs:SendMessage", destination)] if destination else needed


def _queue(arn: str, parameter: str) -> dict:
    queue = sqs._queue_by_arn(arn)
    if queue is None:
        message = f"The resource that you specified for the {parameter} parameter doesn't exist."
        raise sqs._Err("ResourceNotFoundException", message, 404)
    return queue


def _start(data: dict, _url: str) -> dict:
    source, destination = data.get("SourceArn") or "", data.get("DestinationArn")
    queue, rate = _queue(source, "SourceArn"), data.get("MaxNumberOfMessagesPerSecond")
    if not any(_dead_letters_of(other) == source for other in sqs._queues.values()):
        raise sqs._Err("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
    if destination is not None:
        _queue(destination, "DestinationArn")
    if rate is not None and not 1 <= rate <= FASTEST:
        message = (
            f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and 500."
        )
        raise sqs._Err("InvalidParameterValue", message)
    with _lock:
        if any(task.source == source and task.status == "RUNNING" for task in _tasks):
            message = "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
            raise sqs._Err("InvalidParameterValue", message)
        now = time.time()
        with sqs._queues_lock:
            # What somebody holds, or what comes while the task runs, is left to another.
            waiting = [message for message in queue["messages"] if message["visible_at"] <= now]
        task = Task(source, destination, rate, waiting)
        _tasks.append(task)
    # Found here, where the caller's account is known.
    queues = {queue["attributes"]["QueueArn"]: queue for queue in sqs._queues.values()}
    threading.Thread(target=_move, args=(task, queues), daemon=True, name="septet-message-move").start()
    return {"TaskHandle": task.handle}


def _dead_letters_of(queue: dict) -> str | None:
    return json.loads(queue["attributes"].get("RedrivePolicy") or "{}").get("deadLetterTargetArn")


def _move(task: Task, queues: dict[str, dict]) -> None:
    began, source = time.monotonic(), queues[task.source]
    while task.left:
        wait = began + (task.moved + 1) / (task.rate or FASTEST) - time.monotonic()
        time.sleep(max(0.0, wait))
        with _lock:
            if task.status != "RUNNING":
                return
            message = task.left.pop(0)
            destination = task.destination or message.get("sys", {}).get("DeadLetterQueueSourceArn")
            if destination not in queues:
                task.status, task.failure = "FAILED", "CouldNotDetermineMessageSource"
                return
            task.moved += _move_one(message, source, queues[destination])
    with _lock:
        if task.status == "RUNNING":
            task.status = "COMPLETED"


def _move_one(message: dict, source: dict, destination: dict) -> bool:
    """Moves a message, as a new one; not if somebody took it meanwhile."""
    now = time.time()
    with sqs._queues_lock:
        if message not in source["messages"] or message["visible_at"] > now:
            return False
        source["messages"] = [other for other in source["messages"] if other is not message]
        sender = {name: value for name, value in message.get("sys", {}).items() if name == "SenderId"}
        moved = {
            name: message[name] for name in ("body", "md5_body", "md5_attrs", "message_attributes") if name in message
        }
        moved |= {"id": responses.new_uuid(), "sent_at": now, "visible_at": now + sqs.queue_delay(destination)}
        sqs._ensure_msg_fields(moved)
        moved["sys"] |= sender
        destination["messages"].append(moved)
    concurrency.esm_wake.set()
    return True


def _list(data: dict, _url: str) -> dict:
    source, most = data.get("SourceArn") or "", int(data.get("MaxResults") or 1)
    _queue(source, "SourceArn")
    if not 1 <= most <= KEPT:
        message = f"Value {most} for parameter MaxResults is invalid. Reason: Must be between 1 and 10."
        raise sqs._Err("InvalidParameterValue", message)
    with _lock:
        found = [task.shown() for task in reversed(_tasks) if task.source == source]
    return {"Results": found[:most]}


def _cancel(data: dict, _url: str) -> dict:
    with _lock:
        task = next((task for task in _tasks if task.handle == data.get("TaskHandle")), None)
        if task is None:
            raise sqs._Err("ResourceNotFoundException", "Task does not exist.", 404)
        if task.status != "RUNNING":
            raise sqs._Err("UnsupportedOperation", f"The task is {task.status}: only a running one can be cancelled.")
        task.status = "CANCELLED"
        return {"ApproximateNumberOfMessagesMoved": task.moved}


BEHAVIOURS = (message_move_tasks, dead_letter_source)
