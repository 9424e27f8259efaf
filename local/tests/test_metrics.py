"""Metrics that come from logs and queues, and alarms that watch the clock."""

import json
import time

from support import create_function, create_queue, eventually, invoke, metric_sum, proves, unique


@proves("embedded_metrics")
def test_a_line_in_the_embedded_metric_format_becomes_metrics(aws):
    namespace = unique("Septet")
    directive = {
        "Namespace": namespace,
        "Dimensions": [["Dataset"]],
        "Metrics": [{"Name": "Rows", "Unit": "Count"}],
    }
    line = {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}}
    line |= {"Dataset": "recs", "Rows": [3, 4]}
    invoke(aws, create_function(aws), {"do": "print", "lines": [json.dumps(line)]})
    eventually(lambda: metric_sum(aws, namespace, "Rows", {"Dataset": "recs"}) == 7)


@proves("queue_metrics")
def test_the_depth_of_a_queue_is_a_metric(aws):
    queue, arn = create_queue(aws)
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="x")
    name = arn.rpartition(":")[2]
    eventually(lambda: metric_sum(aws, "AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": name}) >= 1)
    eventually(lambda: metric_sum(aws, "AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": name}) > 0)


@proves("queue_metrics")
def test_each_message_that_is_sent_is_counted(aws):
    queue, arn = create_queue(aws)
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="a")
    entries = [{"Id": str(number), "MessageBody": "b"} for number in range(3)]
    aws.client("sqs").send_message_batch(QueueUrl=queue, Entries=entries)
    assert metric_sum(aws, "AWS/SQS", "NumberOfMessagesSent", {"QueueName": arn.rpartition(":")[2]}) == 4


@proves("metrics_clock")
def test_days_pass_by_the_settings(aws):
    queue, arn = create_queue(aws)
    query = {
        "Namespace": "AWS/SQS",
        "MetricName": "NumberOfMessagesSent",
        "Dimensions": [{"Name": "QueueName", "Value": arn.rpartition(":")[2]}],
    }
    silent = alarm(aws, **query, Statistic="Sum", TreatMissingData="breaching", Threshold=0,
                   ComparisonOperator="LessThanOrEqualToThreshold", Period=3600)  # fmt: skip
    for days in (5, 4):
        aws.settings(metrics={"behind_seconds": days * 86400.0})
        aws.client("sqs").send_message(QueueUrl=queue, MessageBody="a")
        eventually(lambda: state(aws, silent) == "OK")
    now = time.time()
    points = aws.client("cloudwatch").get_metric_statistics(
        **query, StartTime=now - 6 * 86400, EndTime=now - 3 * 86400, Period=86400, Statistics=["Sum"]
    )["Datapoints"]
    assert [point["Sum"] for point in points] == [1.0, 1.0]
    aws.settings(metrics={"behind_seconds": 3 * 86400.0})
    eventually(lambda: state(aws, silent) == "ALARM")


def alarm(aws, **more) -> str:
    """An alarm of one ten-second period; returns its name."""
    name = unique("alarm")
    given = {
        "AlarmName": name,
        "Statistic": "Maximum",
        "Period": 10,
        "EvaluationPeriods": 1,
        "Threshold": 5,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    aws.client("cloudwatch").put_metric_alarm(**{**given, **more})
    return name


def state(aws, name: str) -> str:
    return aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


@proves("alarm_clock")
def test_an_alarm_looks_at_its_own_dimensions_only(aws):
    namespace = unique("Septet")
    mine = alarm(aws, Namespace=namespace, MetricName="Rows", Dimensions=[{"Name": "Dataset", "Value": "a"}])
    others = alarm(aws, Namespace=namespace, MetricName="Rows", Dimensions=[{"Name": "Dataset", "Value": "b"}])
    for dataset, value in (("a", 9.0), ("b", 1.0)):
        datum = {"MetricName": "Rows", "Value": value, "Dimensions": [{"Name": "Dataset", "Value": dataset}]}
        aws.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])
    eventually(lambda: state(aws, mine) == "ALARM")
    eventually(lambda: state(aws, others) == "OK")


@proves("alarm_clock")
def test_an_alarm_speaks_when_nothing_happens(aws):
    namespace = unique("Septet")
    silent = alarm(aws, Namespace=namespace, MetricName="Heartbeat", TreatMissingData="breaching")
    calm = alarm(aws, Namespace=namespace, MetricName="Errors", TreatMissingData="notBreaching")
    eventually(lambda: state(aws, silent) == "ALARM")
    eventually(lambda: state(aws, calm) == "OK")
