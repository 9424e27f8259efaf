"""Dead letters on their way back to a queue."""

import json
import time

import pytest
from support import (
    REGION,
    allow,
    create_function,
    create_queue,
    error_of,
    eventually,
    log_messages,
    proves,
    receive,
    unique,
    user_session,
)

OVER = ("COMPLETED", "CANCELLED", "FAILED")
ON_LETTERS = ["sqs:StartMessageMoveTask", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]


def pair(aws) -> tuple[str, str, str, str]:
    """A queue, its ARN, its dead letters and their ARN."""
    letters, letters_arn = create_queue(aws)
    redrive = json.dumps({"deadLetterTargetArn": letters_arn, "maxReceiveCount": 1})
    queue, queue_arn = create_queue(aws, VisibilityTimeout="0", RedrivePolicy=redrive)
    return queue, queue_arn, letters, letters_arn


def send(aws, queue: str, *bodies: str) -> None:
    for body in bodies:
        attributes = {"why": {"DataType": "String", "StringValue": f"because of {body}"}}
        aws.client("sqs").send_message(QueueUrl=queue, MessageBody=body, MessageAttributes=attributes)


def task(aws, letters_arn: str) -> dict:
    """The last task, once it is over."""

    def look():
        (last,) = aws.client("sqs").list_message_move_tasks(SourceArn=letters_arn)["Results"]
        return last if last["Status"] in OVER else None

    return eventually(look)


@proves("message_move_tasks")
def test_all_dead_letters_are_moved_as_new_messages_with_what_they_hold(aws):
    queue, queue_arn, letters, letters_arn = pair(aws)
    send(aws, letters, "one", "two")
    sqs = aws.client("sqs")
    old = {message["MessageId"] for message in peek(sqs, letters)}
    handle = sqs.start_message_move_task(SourceArn=letters_arn, DestinationArn=queue_arn)["TaskHandle"]
    assert handle
    last = task(aws, letters_arn)
    assert (last["Status"], last["ApproximateNumberOfMessagesMoved"], last["ApproximateNumberOfMessagesToMove"]) == (
        "COMPLETED", 2, 2,
    )  # fmt: skip
    assert (last["SourceArn"], last["DestinationArn"]) == (letters_arn, queue_arn)
    assert "TaskHandle" not in last
    moved = receive(aws, queue)
    assert sorted(message["Body"] for message in moved) == ["one", "two"]
    whys = sorted(message["MessageAttributes"]["why"]["StringValue"] for message in moved)
    assert whys == ["because of one", "because of two"]
    assert not old & {message["MessageId"] for message in moved}
    assert receive(aws, letters) == []


def peek(sqs, queue: str) -> list[dict]:
    """What lies in a queue, without taking it away."""
    return sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])


@proves("message_move_tasks")
def test_dead_letters_go_back_to_where_they_came_from_and_one_that_came_from_nowhere_ends_the_task(aws):
    queue, _, letters, letters_arn = pair(aws)
    sqs = aws.client("sqs")
    send(aws, queue, "failed")
    peek(sqs, queue)
    assert peek(sqs, queue) == []
    sqs.start_message_move_task(SourceArn=letters_arn)
    assert task(aws, letters_arn)["Status"] == "COMPLETED"
    assert [message["Body"] for message in receive(aws, queue)] == ["failed"]

    send(aws, letters, "sent here")
    sqs.start_message_move_task(SourceArn=letters_arn)
    last = task(aws, letters_arn)
    assert (last["Status"], last["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert [message["Body"] for message in receive(aws, letters)] == ["sent here"]


@proves("message_move_tasks")
def test_a_rate_is_kept_a_second_task_is_refused_and_the_first_can_be_cancelled(aws):
    queue, queue_arn, letters, letters_arn = pair(aws)
    send(aws, letters, *"abcdefgh")
    sqs, began = aws.client("sqs"), time.monotonic()
    options = {"SourceArn": letters_arn, "DestinationArn": queue_arn, "MaxNumberOfMessagesPerSecond": 4}
    handle = sqs.start_message_move_task(**options)["TaskHandle"]
    code, message = error_of(lambda: sqs.start_message_move_task(**options))
    assert code == "InvalidParameterValue" and "already a task running" in message

    def moved() -> int:
        (last,) = sqs.list_message_move_tasks(SourceArn=letters_arn)["Results"]
        assert (last["Status"], last["TaskHandle"]) == ("RUNNING", handle)
        return last["ApproximateNumberOfMessagesMoved"]

    eventually(lambda: moved() == 3)
    assert time.monotonic() - began > 0.7
    assert sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"] == 3
    assert task(aws, letters_arn)["Status"] == "CANCELLED"
    time.sleep(0.4)
    assert (len(receive(aws, queue)), len(receive(aws, letters))) == (3, 5)
    assert error_of(lambda: sqs.cancel_message_move_task(TaskHandle=handle))[0].endswith("UnsupportedOperation")
    assert error_of(lambda: sqs.cancel_message_move_task(TaskHandle="none"))[0] == "ResourceNotFoundException"
    # The newest first.
    sqs.start_message_move_task(SourceArn=letters_arn, DestinationArn=queue_arn)
    task(aws, letters_arn)
    listed = sqs.list_message_move_tasks(SourceArn=letters_arn, MaxResults=10)["Results"]
    assert [one["Status"] for one in listed] == ["COMPLETED", "CANCELLED"]


@proves("message_move_tasks")
def test_what_somebody_holds_or_what_comes_meanwhile_is_left_where_it_is(aws):
    queue, queue_arn, letters, letters_arn = pair(aws)
    send(aws, letters, "held")
    sqs = aws.client("sqs")
    (held,) = sqs.receive_message(QueueUrl=letters, VisibilityTimeout=60)["Messages"]
    send(aws, letters, "free")
    sqs.start_message_move_task(SourceArn=letters_arn, DestinationArn=queue_arn, MaxNumberOfMessagesPerSecond=2)
    send(aws, letters, "late")
    last = task(aws, letters_arn)
    assert (last["ApproximateNumberOfMessagesMoved"], last["ApproximateNumberOfMessagesToMove"]) == (1, 1)
    assert [message["Body"] for message in receive(aws, queue)] == ["free"]
    sqs.change_message_visibility(QueueUrl=letters, ReceiptHandle=held["ReceiptHandle"], VisibilityTimeout=0)
    assert sorted(message["Body"] for message in receive(aws, letters)) == ["held", "late"]


@proves("message_move_tasks")
def test_a_task_that_cannot_be_is_refused(aws):
    queue, queue_arn, _, letters_arn = pair(aws)
    start = aws.client("sqs").start_message_move_task
    code, message = error_of(lambda: start(SourceArn=queue_arn))
    assert (code, message) == ("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
    nowhere = f"arn:aws:sqs:{REGION}:000000000000:{unique('nowhere')}"
    assert error_of(lambda: start(SourceArn=nowhere))[0] == "ResourceNotFoundException"
    code, message = error_of(lambda: start(SourceArn=letters_arn, DestinationArn=nowhere))
    assert code == "ResourceNotFoundException" and "DestinationArn" in message
    for rate in (0, 501):
        code, message = error_of(lambda rate=rate: start(SourceArn=letters_arn, MaxNumberOfMessagesPerSecond=rate))
        assert code == "InvalidParameterValue" and "MaxNumberOfMessagesPerSecond" in message
    code, message = error_of(lambda: aws.client("sqs").list_message_move_tasks(SourceArn=letters_arn, MaxResults=11))
    assert code == "InvalidParameterValue" and "MaxResults" in message


@proves("message_move_tasks")
def test_whoever_starts_a_task_may_do_what_it_does(aws):
    _, queue_arn, _, letters_arn = pair(aws)

    def refused(on_letters: list[str], on_queue: list[str]) -> str | None:
        given = [allow(on_letters, letters_arn), *([allow(on_queue, queue_arn)] if on_queue else [])]
        sqs = aws.client("sqs", **user_session(aws, *given))
        try:
            sqs.start_message_move_task(SourceArn=letters_arn, DestinationArn=queue_arn)
        except sqs.exceptions.ClientError as error:
            assert "AccessDenied" in error.response["Error"]["Code"]
            return error.response["Error"]["Message"]
        return None

    assert refused(ON_LETTERS, ["sqs:SendMessage"]) is None
    task(aws, letters_arn)
    for missing in ON_LETTERS:
        assert missing.lower() in refused([one for one in ON_LETTERS if one != missing], ["sqs:SendMessage"]).lower()
    assert f"sqs:SendMessage on resource: {queue_arn}" in refused(ON_LETTERS, [])
    listing = {"sqs:ListMessageMoveTasks", "sqs:GetQueueAttributes"}
    for given in listing:
        sqs = aws.client("sqs", **user_session(aws, allow(given, letters_arn)))
        code, message = error_of(lambda sqs=sqs: sqs.list_message_move_tasks(SourceArn=letters_arn))
        (missing,) = listing - {given}
        assert "AccessDenied" in code and missing.lower() in message.lower()


def send_to_the_letters(aws, queue: str) -> dict:
    """Sends a message that shows its record to a function, lets it fail once, and returns it as it was received."""
    sqs = aws.client("sqs")
    send(aws, queue, '{"do": "print", "lines": ["$RECORD"]}')
    (message,) = sqs.receive_message(
        QueueUrl=queue, VisibilityTimeout=0, MessageSystemAttributeNames=["All"]
    )["Messages"]  # fmt: skip
    assert peek(sqs, queue) == []
    return message


def record_seen(aws, queue_arn: str) -> dict:
    """The record that a function gets of the only message of a queue."""
    function = create_function(aws)
    aws.client("lambda").create_event_source_mapping(FunctionName=function, EventSourceArn=queue_arn)

    def look() -> list[dict]:
        lines = log_messages(aws, f"/aws/lambda/{function}")
        return [json.loads(line) for line in lines if line.startswith('{"messageId"')]

    (record,) = eventually(look)
    return record


@proves("dead_letter_source")
def test_a_function_sees_which_queue_a_dead_letter_came_from(aws):
    queue, queue_arn, _, letters_arn = pair(aws)
    sent = send_to_the_letters(aws, queue)
    record = record_seen(aws, letters_arn)
    assert record["attributes"]["DeadLetterQueueSourceArn"] == queue_arn
    # It is the message that was sent, with its time.
    assert record["messageId"] == sent["MessageId"]
    assert record["attributes"]["SentTimestamp"] == sent["Attributes"]["SentTimestamp"]


@proves("message_move_tasks")
def test_a_function_sees_a_new_message_with_the_attributes_of_the_one_that_was_moved_back(aws):
    queue, queue_arn, _, letters_arn = pair(aws)
    sent = send_to_the_letters(aws, queue)
    time.sleep(0.01)
    moved = int(time.time() * 1000)
    aws.client("sqs").start_message_move_task(SourceArn=letters_arn)
    task(aws, letters_arn)
    record = record_seen(aws, queue_arn)
    assert record["messageId"] != sent["MessageId"]
    assert int(record["attributes"]["SentTimestamp"]) >= moved > int(sent["Attributes"]["SentTimestamp"])
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert "DeadLetterQueueSourceArn" not in record["attributes"]
    assert record["messageAttributes"]["why"]["stringValue"].startswith("because of")


@pytest.mark.parametrize("action", ["start_message_move_task", "list_message_move_tasks"])
def test_other_calls_are_authorized_on_the_queue_that_they_name(aws, action):
    _, _, _, letters_arn = pair(aws)
    sqs = aws.client("sqs", **user_session(aws, allow("sqs:*", f"{letters_arn}-other")))
    code, _ = error_of(lambda: getattr(sqs, action)(SourceArn=letters_arn))
    assert "AccessDenied" in code
