"""What Lambda's SQS event sources accept as an answer."""

import json

import pytest
from support import create_function, create_queue, eventually, proves, receive


def letters_after(aws, answer: str) -> list[dict]:
    """The dead letters of a queue whose one message the function answers so, with a single attempt."""
    letters, letters_arn = create_queue(aws)
    redrive = json.dumps({"deadLetterTargetArn": letters_arn, "maxReceiveCount": 1})
    queue, queue_arn = create_queue(aws, VisibilityTimeout="1", RedrivePolicy=redrive)
    function = create_function(aws)
    aws.client("lambda").create_event_source_mapping(
        FunctionName=function, EventSourceArn=queue_arn, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody=f'{{"do": "answer", "answer": {answer}}}')

    def settled():
        attributes = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        counts = [int(attributes[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible")]
        return sum(counts) == 0

    eventually(settled)
    return receive(aws, letters)


@proves("strict_batch_answers")
def test_an_answer_that_names_an_unknown_message_fails_the_batch(aws):
    assert letters_after(aws, '{"batchItemFailures": [{"itemIdentifier": "unknown"}]}')


@proves("strict_batch_answers")
def test_an_answer_with_an_empty_name_fails_the_batch(aws):
    assert letters_after(aws, '{"batchItemFailures": [{"itemIdentifier": ""}]}')


@pytest.mark.parametrize("answer", ["null", "{}", '{"batchItemFailures": []}', '{"batchItemFailures": null}'])
def test_an_answer_without_failures_settles_the_batch(aws, answer):
    assert letters_after(aws, answer) == []


def test_a_message_that_is_named_comes_again(aws):
    assert letters_after(aws, '{"batchItemFailures": [{"itemIdentifier": "$ID"}]}')
