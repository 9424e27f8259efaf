"""CloudWatch metrics that ministack does not emit, and alarms that watch the clock."""

import json
import threading
import time

from ministack.services import cloudwatch, lambda_svc, sqs

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


BEHAVIOURS = (metrics_clock, embedded_metrics, queue_metrics, alarm_clock)
