"""CloudWatch metrics that ministack does not emit, and alarms that watch the clock."""

import dataclasses
import json
import threading
import time

from ministack.services import cloudwatch, dynamodb, lambda_svc, sqs

from aws import settings
from aws.patching import around

COMPARISONS = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


def embedded_metrics() -> None:
    """A log line in the embedded metric format becomes metrics."""

    @around(lambda_svc, "_emit_lambda_logs")
    def emit_lambda_logs(original, function, request_id, log_text, *args, **kwargs):
        for line in (log_text or "").splitlines():
            if '"_aws"' in line:
                _record_embedded(line)
        return original(function, request_id, log_text, *args, **kwargs)


def _record_embedded(line: str) -> None:
    try:
        document = json.loads(line)
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for names in directive.get("Dimensions") or [[]]:
                dimensions = {name: str(document[name]) for name in names}
                for metric in directive["Metrics"]:
                    given = document[metric["Name"]]
                    for value in given if isinstance(given, list) else [given]:
                        unit = metric.get("Unit", "None")
                        cloudwatch.record_metric(directive["Namespace"], metric["Name"], value, unit, dimensions)
    except (ValueError, KeyError, TypeError) as error:
        # CloudWatch says nothing about a document it cannot read; here it should be seen.
        lambda_svc.logger.error("not in the embedded metric format (%r): %s", error, line[:300])


def metrics_clock() -> None:
    """CloudWatch's clock is as far behind as the settings say, for what it takes in and for its alarms."""
    cloudwatch.time = _Clock()


class _Clock:
    """The module `time`, set back."""

    def time(self) -> float:
        return time.time() - settings.get("metrics", "behind_seconds")

    def __getattr__(self, name: str):
        return getattr(time, name)


def queue_metrics() -> None:
    """Each queue's depth and the age of its oldest message, every tick, and each message that is sent to it."""
    _each_tick(_record_queue_metrics)

    @around(sqs, "_act_send_message")
    def send_message(original, data, url):
        answer = original(data, url)
        name = data.get("QueueUrl", url).rstrip("/").rpartition("/")[2]
        cloudwatch.record_metric("AWS/SQS", "NumberOfMessagesSent", 1.0, "Count", {"QueueName": name})
        return answer

    # The single call has it in a table of its own.
    sqs._HANDLERS["SendMessage"] = send_message


def _record_queue_metrics() -> None:
    with sqs._queues_lock:
        for queue in list(sqs._queues.values()):
            sqs._refresh_counts(queue)
            attributes = queue["attributes"]
            dimensions = {"QueueName": attributes["QueueArn"].rpartition(":")[2]}
            for attribute, metric in (("", "Visible"), ("NotVisible", "NotVisible"), ("Delayed", "Delayed")):
                value = float(attributes[f"ApproximateNumberOfMessages{attribute}"])
                cloudwatch.record_metric("AWS/SQS", f"ApproximateNumberOfMessages{metric}", value, "Count", dimensions)
            oldest = min((message["sent_at"] for message in queue["messages"]), default=None)
            age = 0.0 if oldest is None else time.time() - oldest
            cloudwatch.record_metric("AWS/SQS", "ApproximateAgeOfOldestMessage", age, "Seconds", dimensions)


def table_metrics() -> None:
    """Item calls that succeed count the capacity units that they consume of a table, by DynamoDB's rule of sizes.

    A write costs a unit for each started KB of the larger of the item before and after it, in a transaction two. A read
    costs half a unit for each started 4 KB, a consistent one a whole unit. Sum is the only statistic that is right.
    Leaves out indexes and PartiQL; imports and restores consume nothing, as on AWS.
    """
    pages: list[int] = []

    @around(dynamodb, "_paginate_evaluated_items")
    def paginate_evaluated_items(original, items, limit, table, index_name=None):
        answer = original(items, limit, table, index_name)
        if index_name is None:
            pages.append(sum(map(dynamodb._item_size_bytes, answer[0])))
        return answer

    @around(dynamodb, "handle_request")
    async def handle_request(original, method, path, headers, body, query_params):
        accesses = _accesses(headers.get("x-amz-target", "").rpartition(".")[2], body)
        before = [access.stored_bytes() for access in accesses]
        pages.clear()
        answer = await original(method, path, headers, body, query_params)
        if answer[0] == 200:
            for access, size in zip(accesses, before):
                sizes = pages if access.key is None else [max(size, access.stored_bytes())]
                for size in sizes:
                    units = max(1, -(-size // BLOCKS[access.metric])) * access.units
                    _consume(access.metric, access.table, units)
        return answer


WRITES, READS = "ConsumedWriteCapacityUnits", "ConsumedReadCapacityUnits"
BLOCKS = {WRITES: 1024, READS: 4096}
"""Bytes that a started block holds."""


@dataclasses.dataclass
class Access:
    """An item that a call writes or reads, or without a key a page that it reads."""

    metric: str
    table: str
    key: dict | None
    units: float
    """Units for each started block."""

    def __post_init__(self) -> None:
        self.table = dynamodb._normalize_table_name(self.table)

    def stored_bytes(self) -> int:
        """Returns the size of the item that the table holds; zero without one."""
        table = dynamodb._tables.get(self.table)
        if table is None or self.key is None or table["pk_name"] not in self.key:
            return 0
        return dynamodb._item_size_bytes(dynamodb._get_item_by_key(table, self.key) or {})


def _accesses(action: str, body: bytes) -> list[Access]:
    """Returns the items and pages that an item call touches; none of a request that is not valid."""
    try:
        return list(_accesses_of(action, json.loads(body or b"{}")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _accesses_of(action: str, data: dict):
    match action:
        case "PutItem" | "UpdateItem" | "DeleteItem":
            yield Access(WRITES, data["TableName"], data.get("Item") or data["Key"], 1.0)
        case "BatchWriteItem":
            for table, writes in data["RequestItems"].items():
                for (write,) in map(dict.values, writes):
                    yield Access(WRITES, table, write.get("Item") or write["Key"], 1.0)
        case "TransactWriteItems":
            for entry in data["TransactItems"]:
                for kind, write in entry.items():
                    if kind != "ConditionCheck":
                        yield Access(WRITES, write["TableName"], write.get("Item") or write["Key"], 2.0)
        case "GetItem" | "Query" | "Scan":
            yield Access(READS, data["TableName"], data.get("Key"), _read_units(data))
        case "BatchGetItem":
            for table, keys in data["RequestItems"].items():
                for key in keys["Keys"]:
                    yield Access(READS, table, key, _read_units(keys))


def _read_units(read: dict) -> float:
    return 1.0 if read.get("ConsistentRead") else 0.5


def _consume(metric: str, table: str, units: float) -> None:
    """Adds to the point of this minute, which has the time of the latest call: a test writes many items."""
    dimensions, now = {"TableName": table}, cloudwatch.time.time()
    points = cloudwatch._metric_bucket(("AWS/DynamoDB", metric, cloudwatch._dims_key(dimensions)))
    if points and points[-1]["Timestamp"] // 60 == now // 60:
        points[-1].update(Timestamp=now, Value=points[-1]["Value"] + units)
    else:
        points.append({"Timestamp": now, "Value": units, "Unit": "Count", "Dimensions": dimensions})


def alarm_clock() -> None:
    """Alarms are evaluated every tick over their own dimensions, and missing data counts as they say."""

    @around(cloudwatch, "_evaluate_alarm")
    def evaluate_alarm(_original, alarm):
        state, reason = _alarm_state(alarm, cloudwatch.time.time())
        before = alarm["StateValue"]
        if state == before:
            return
        alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(cloudwatch.time.time()))
        cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
        cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
        cloudwatch._evaluate_parent_alarms(alarm)

    _each_tick(cloudwatch._evaluate_all_alarms)


def _alarm_state(alarm: dict, now: float) -> tuple[str, str]:
    """The state of a metric alarm: so many of its last periods breach, as CloudWatch counts M out of N."""
    if not alarm.get("Namespace") or alarm.get("ComparisonOperator") not in COMPARISONS:
        return alarm["StateValue"], "not evaluated"
    periods = int(alarm.get("EvaluationPeriods", 1))
    needed = int(alarm.get("DatapointsToAlarm") or periods)
    values = _values_by_period(alarm, now, periods)
    present = [value for value in values if value is not None]
    missing = alarm.get("TreatMissingData") or "missing"
    if not present and missing in ("missing", "ignore"):
        state = "INSUFFICIENT_DATA" if missing == "missing" else alarm["StateValue"]
        return state, "no datapoints"
    breaches = COMPARISONS[alarm["ComparisonOperator"]]
    breaching = sum(breaches(value, float(alarm["Threshold"])) for value in present)
    if missing == "breaching":
        breaching += len(values) - len(present)
    reason = f"Threshold Crossed: {breaching} of {periods} datapoints {present} {alarm['ComparisonOperator']}"
    return ("ALARM" if breaching >= needed else "OK"), f"{reason} {alarm['Threshold']}"


def _values_by_period(alarm: dict, now: float, periods: int) -> list[float | None]:
    given = alarm.get("Dimensions") or {}
    dimensions = {d["Name"]: d["Value"] for d in given} if isinstance(given, list) else dict(given)
    points = [
        point
        for (namespace, name, _), bucket in list(cloudwatch._metrics.items())
        if namespace == alarm["Namespace"] and name == alarm["MetricName"]
        for point in list(bucket)
        if dict(point.get("Dimensions") or {}) == dimensions
    ]
    period = float(alarm.get("Period", 60))
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    values = []
    for number in range(periods):
        end = now - number * period
        inside = [point for point in points if end - period < point["Timestamp"] <= end]
        values.append(cloudwatch._stat_value(cloudwatch._calc_stats(inside), statistic, inside) if inside else None)
    return values


def _each_tick(work) -> None:
    def run() -> None:
        while True:
            time.sleep(settings.get("alarms", "tick_seconds"))
            try:
                work()
            except Exception:
                lambda_svc.logger.exception("local AWS: %s failed", work.__name__)

    threading.Thread(target=run, daemon=True, name=f"septet-{work.__name__}").start()


BEHAVIOURS = (metrics_clock, embedded_metrics, queue_metrics, table_metrics, alarm_clock)
