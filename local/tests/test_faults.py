"""Processes killed and calls refused because a test asks for it."""

import concurrent.futures
import json

import pytest
import stack
from support import (
    allow,
    create_function,
    create_queue,
    create_table,
    error_of,
    eventually,
    invoke,
    log_messages,
    receive,
    unique,
    user_session,
)  # fmt: skip


def consumer(aws, *, visibility: int = 2) -> tuple[str, str]:
    """A function behind a queue; returns both."""
    queue, arn = create_queue(aws, VisibilityTimeout=str(visibility))
    function = create_function(aws)
    aws.client("lambda").create_event_source_mapping(FunctionName=function, EventSourceArn=arn)
    return function, queue


def put(table: str, key: str) -> list:
    return ["dynamodb", "put_item", {"TableName": table, "Item": {"id": {"S": key}}}]


def keys(aws, table: str) -> set[str]:
    return {item["id"]["S"] for item in aws.client("dynamodb").scan(TableName=table)["Items"]}


def starts(aws, function: str) -> int:
    return sum(line.startswith("START ") for line in log_messages(aws, f"/aws/lambda/{function}"))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_function_is_killed_at_its_call_and_its_message_comes_again(aws, when):
    table, (function, queue) = create_table(aws), consumer(aws)
    fault = aws.kill(function, "PutItem", when, skip=1)
    body = {"do": "call", "calls": [put(table, "first"), put(table, "second"), put(table, "third")]}
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(body))

    eventually(lambda: aws.fired(fault))
    landed = keys(aws, table)
    assert landed == ({"first"} if when == "before" else {"first", "second"})
    eventually(lambda: keys(aws, table) == {"first", "second", "third"})
    assert len(aws.fired(fault)) == 1
    eventually(lambda: starts(aws, function) == 2)
    report = [call["action"] for call in aws.calls(function)]
    assert report == ["PutItem"] * 5
    assert [call["fault"] for call in aws.calls(function)] == [None, fault, None, None, None]


def test_the_invocation_that_was_killed_has_failed_and_the_next_has_a_new_process(aws):
    table, function = create_table(aws), create_function(aws)
    fault = aws.kill(function, "PutItem", "after", match='"victim"')
    invoke(aws, function, {"do": "call", "calls": [put(table, "bystander")]})
    payload = json.dumps({"do": "call", "calls": [put(table, "victim")]})
    answer = aws.client("lambda").invoke(FunctionName=function, Payload=payload)
    assert answer["FunctionError"] == "Unhandled"
    assert json.load(answer["Payload"])["errorType"] == "Runtime.ExitError"
    assert len(aws.fired(fault)) == 1
    invoke(aws, function, {"do": "call", "calls": [put(table, "next")]})
    assert keys(aws, table) == {"bystander", "victim", "next"}


def test_only_the_process_that_makes_the_call_is_killed(aws):
    table, (function, queue) = create_table(aws), consumer(aws, visibility=600)
    calm, calm_queue = consumer(aws)
    for url in (queue, calm_queue):
        send = aws.client("sqs").send_message
        send(QueueUrl=url, MessageBody=json.dumps({"do": "sleep", "seconds": 2.5}))
    eventually(lambda: in_flight(aws, queue) + in_flight(aws, calm_queue) == 2)
    fault = aws.kill(function, "PutItem")
    aws.client("lambda").invoke(
        FunctionName=function, Payload=json.dumps({"do": "call", "calls": [put(table, "victim")]})
    )
    assert len(aws.fired(fault)) == 1
    # The other process of the same function finished its message, and so did the other function.
    eventually(lambda: in_flight(aws, queue) == 0)
    eventually(lambda: in_flight(aws, calm_queue) == 0)
    assert starts(aws, calm) == 1


def in_flight(aws, queue: str) -> int:
    name = "ApproximateNumberOfMessagesNotVisible"
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"]
    return int(attributes[name])


def test_calls_are_throttled_as_often_as_asked(aws):
    table = create_table(aws)
    once = aws.client("dynamodb", config=no_retries())
    fault = aws.fail("GetItem", times=2)
    get = {"TableName": table, "Key": {"id": {"S": "a"}}}
    for _ in range(2):
        assert error_of(lambda: once.get_item(**get))[0] == "ProvisionedThroughputExceededException"
    once.get_item(**get)
    assert len(aws.fired(fault)) == 2


def test_a_throttled_call_is_retried_by_the_client_and_succeeds(aws):
    table = create_table(aws)
    fault = aws.fail("GetItem", "ThrottlingException", match=table)
    aws.client("dynamodb").get_item(TableName=table, Key={"id": {"S": "a"}})
    assert len(aws.fired(fault)) == 1


def test_one_function_is_denied_a_call_that_others_may_make(aws):
    table, function = create_table(aws), create_function(aws)
    aws.deny("PutItem", function=function)
    payload = json.dumps({"do": "call", "calls": [put(table, "a")]})
    answer = aws.client("lambda").invoke(FunctionName=function, Payload=payload)
    assert "AccessDeniedException" in json.load(answer["Payload"])["errorMessage"]
    invoke(aws, create_function(aws), {"do": "call", "calls": [put(table, "b")]})
    assert keys(aws, table) == {"b"}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_call_is_held_until_it_is_released(aws, when):
    table = create_table(aws)
    hold = aws.hold("PutItem", when, match=table)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        putting = pool.submit(aws.client("dynamodb").put_item, TableName=table, Item={"id": {"S": "a"}})
        eventually(lambda: aws.fired(hold))
        eventually(lambda: keys(aws, table) == ({"a"} if when == "after" else set()))
        assert not putting.done()
        aws.release(hold)
        putting.result(timeout=5)
    assert keys(aws, table) == {"a"}
    with pytest.raises(stack.LocalAwsError, match="no fault"):
        aws.release(hold)


def test_a_call_that_landed_can_lose_its_answer(aws):
    table = create_table(aws)
    client = aws.client("dynamodb", config=no_retries())
    for when, landed in (("before", set()), ("after", {"after"})):
        aws.fail("PutItem", "InternalServerError", when=when, status=500)
        with pytest.raises(client.exceptions.InternalServerError):
            client.put_item(TableName=table, Item={"id": {"S": when}})
        assert keys(aws, table) == landed


def test_a_transaction_conflict_can_be_had(aws):
    table = create_table(aws)
    reasons = {
        "CancellationReasons": [{"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}]
    }
    aws.fail("TransactWriteItems", "TransactionCanceledException", extra=reasons)
    client = aws.client("dynamodb", config=no_retries())
    put_one = [{"Put": {"TableName": table, "Item": {"id": {"S": "a"}}}}]
    with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
        client.transact_write_items(TransactItems=put_one)
    assert caught.value.response["CancellationReasons"][0]["Code"] == "TransactionConflict"


@pytest.mark.parametrize("entries", [2, 3, 7])
def test_a_part_of_a_batch_can_fail_while_the_call_succeeds(aws, entries):
    queue, _ = create_queue(aws)
    fault = aws.fail_part("SendMessageBatch", entries, match=queue)
    batch = [{"Id": f"e{number}", "MessageBody": f"body {number}"} for number in range(3)]
    sqs = aws.client("sqs", config=no_retries())
    first = sqs.send_message_batch(QueueUrl=queue, Entries=batch)
    failed = first["Failed"]
    assert [entry["Id"] for entry in failed] == [entry["Id"] for entry in batch[-entries:]]
    assert {(entry["SenderFault"], entry["Code"]) for entry in failed} == {(False, "InternalError")}
    assert len(first.get("Successful", [])) + len(failed) == 3
    assert sorted(message["Body"] for message in receive(aws, queue)) == [
        entry["MessageBody"] for entry in batch[:-entries]
    ]
    assert not sqs.send_message_batch(QueueUrl=queue, Entries=batch).get("Failed")
    assert len(aws.fired(fault)) == 1


def test_faults_are_forgotten_when_cleared(aws):
    aws.fail("ListTables", times=5)
    aws.clear_faults()
    aws.client("dynamodb", config=no_retries()).list_tables()
    assert aws.control("GET", "faults") == []


def test_calls_are_told_by_principal(aws):
    options = user_session(aws, allow("dynamodb:ListTables"))
    aws.clear_faults()
    aws.client("dynamodb", **options).list_tables()
    (call,) = aws.calls()
    assert (call["action"], call["function"], call["status"]) == ("ListTables", None, 200)
    assert ":user/user-" in call["principal"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "kill", "action": "PutItem"},
        {"kind": "kil", "action": "PutItem", "function": "f"},
        {"kind": "kill", "action": "PutItem", "function": "f", "when": "during"},
        {"kind": "fail", "action": "PutItem", "times": 0},
        {"kind": "fail", "action": "PutItem", "often": 1},
        {"kind": "fail"},
        {"kind": "part", "action": "SendMessage"},
        {"kind": "part", "action": "SendMessageBatch", "entries": 0},
    ],
)
def test_a_fault_that_cannot_happen_is_refused(aws, wanted):
    with pytest.raises(stack.LocalAwsError):
        aws.control("POST", "faults", wanted)


def no_retries():
    from botocore.config import Config

    return Config(retries={"total_max_attempts": 1})


def test_a_schedule_that_is_not_there_cannot_be_fired(aws):
    with pytest.raises(stack.LocalAwsError, match="no schedule"):
        aws.fire_schedule(unique("schedule"))
