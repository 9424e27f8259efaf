"""Metrics that come from logs, queues and tables, and alarms that watch the clock."""

import json
import time

from support import (
    create_function,
    create_queue,
    create_table,
    error_of,
    eventually,
    finished_import,
    invoke,
    metric_sum,
    proves,
    start_import,
    table_metric,
    unique,
)


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


KEY = {"id": {"S": "a"}}
WRITES, READS = "ConsumedWriteCapacityUnits", "ConsumedReadCapacityUnits"


def consumed(aws, table: str, metric: str) -> float:
    return sum(units for _, units in table_metric(aws, table, metric))


def item(kilobytes: float, name: str = "a") -> dict:
    """An item that takes a little less than so many KB."""
    return {"id": {"S": name}, "data": {"S": "x" * int(kilobytes * 1024 - 20)}}


@proves("table_metrics")
def test_each_write_counts_a_unit_for_each_started_kilobyte_in_its_minute(aws):
    dynamodb, table = aws.client("dynamodb"), create_table(aws)
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    began = int(time.time()) // 60 * 60
    calls = [
        (2, lambda: dynamodb.put_item(TableName=table, Item=item(2))),
        # The larger of the item before and after it counts.
        (2, lambda: dynamodb.put_item(TableName=arn, Item=KEY)),
        (1, lambda: dynamodb.update_item(TableName=table, Key=KEY, AttributeUpdates={"n": {"Value": {"N": "1"}}})),
        (1, lambda: dynamodb.delete_item(TableName=table, Key=KEY)),
        (1, lambda: dynamodb.delete_item(TableName=table, Key=KEY)),
        (4, lambda: dynamodb.batch_write_item(RequestItems={table: [
            {"PutRequest": {"Item": item(3, "b")}}, {"DeleteRequest": {"Key": KEY}},
        ]})),
        (6, lambda: dynamodb.transact_write_items(TransactItems=[
            {"Put": {"TableName": table, "Item": item(2, "c")}},
            {"Update": {"TableName": table, "Key": KEY, "UpdateExpression": "SET n = :n",
                        "ExpressionAttributeValues": {":n": {"N": "1"}}}},
            {"ConditionCheck": {"TableName": table, "Key": {"id": {"S": "b"}},
                                "ConditionExpression": "attribute_exists(id)"}},
        ])),
    ]  # fmt: skip
    total = 0.0
    for units, call in calls:
        call()
        total += units
        assert consumed(aws, table, WRITES) == total
    minutes = [minute for minute, _ in table_metric(aws, table, WRITES)]
    assert set(minutes) <= {began, began + 60}
    assert consumed(aws, table, READS) == 0


@proves("table_metrics")
def test_each_read_counts_half_a_unit_for_each_started_four_kilobytes(aws):
    dynamodb, table = aws.client("dynamodb"), create_table(aws)
    for name in "abcde":
        dynamodb.put_item(TableName=table, Item=item(3, name))
    query = {"KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": {"S": "a"}}}
    calls = [
        (0.5, lambda: dynamodb.get_item(TableName=table, Key=KEY)),
        (0.5, lambda: dynamodb.get_item(TableName=table, Key={"id": {"S": "nowhere"}})),
        (1.0, lambda: dynamodb.get_item(TableName=table, Key=KEY, ConsistentRead=True)),
        (1.0, lambda: dynamodb.batch_get_item(RequestItems={table: {"Keys": [KEY, {"id": {"S": "b"}}]}})),
        (0.5, lambda: dynamodb.query(TableName=table, **query)),
        # A page of 15 KB, whatever a filter leaves of it.
        (2.0, lambda: dynamodb.scan(TableName=table, FilterExpression="id = :id",
                                    ExpressionAttributeValues={":id": {"S": "a"}})),
    ]  # fmt: skip
    total = 0.0
    for units, call in calls:
        call()
        total += units
        assert consumed(aws, table, READS) == total
    assert consumed(aws, table, WRITES) == 15


@proves("table_metrics")
def test_a_call_that_fails_counts_nothing_and_an_import_neither(aws):
    dynamodb, table = aws.client("dynamodb"), create_table(aws)
    condition = {"ConditionExpression": "attribute_exists(id)"}
    error_of(lambda: dynamodb.put_item(TableName=table, Item=item(1), **condition))
    assert table_metric(aws, table, WRITES) == []
    imported, arn = start_import(aws, [{"id": {"S": name}} for name in "abc"])
    assert finished_import(aws, arn)["ImportedItemCount"] == 3
    assert table_metric(aws, imported, WRITES) == []
    dynamodb.put_item(TableName=imported, Item=KEY)
    assert consumed(aws, imported, WRITES) == 1


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
