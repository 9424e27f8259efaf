"""What EventBridge, Scheduler and Lambda deliver on their own."""

import json

from support import (
    ACCOUNT,
    REGION,
    allow,
    create_function,
    create_queue,
    create_role,
    document,
    eventually,
    function_arn,
    log_messages,
    proves,
    receive,
    unique,
)  # fmt: skip

EVENTS, SCHEDULER, LAMBDA = "events.amazonaws.com", "scheduler.amazonaws.com", "lambda.amazonaws.com"


def rule_to(aws, target_arn: str, **target) -> str:
    """A rule that sends events of a source of its own name to a target; returns the name."""
    events, name = aws.client("events"), unique("rule")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    events.put_targets(Rule=name, Targets=[{"Id": "target", "Arn": target_arn, **target}])
    return name


def put_event(aws, source: str, detail: dict) -> None:
    aws.client("events").put_events(Entries=[{"Source": source, "DetailType": "test", "Detail": json.dumps(detail)}])


def let_events_invoke(aws, function: str) -> None:
    aws.client("lambda").add_permission(
        FunctionName=function, StatementId="events", Action="lambda:InvokeFunction", Principal=EVENTS
    )


def taken(aws, queue: str) -> dict:
    """The next message of a queue."""
    return eventually(lambda: receive(aws, queue))[0]


@proves("asynchronous_invocations")
def test_a_function_that_fails_on_an_event_is_tried_thrice_and_then_the_event_is_in_its_dead_letters(aws):
    letters, letters_arn = create_queue(aws)
    function = create_function(aws, DeadLetterConfig={"TargetArn": letters_arn})
    let_events_invoke(aws, function)
    source = rule_to(aws, function_arn(function), InputPath="$.detail")
    put_event(aws, source, {"do": "fail", "message": "no good"})

    message = taken(aws, letters)
    assert json.loads(message["Body"]) == {"do": "fail", "message": "no good"}
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "no good"
    starts = [line for line in log_messages(aws, f"/aws/lambda/{function}") if line.startswith("START ")]
    assert len(starts) == 3


@proves("rule_dead_letters")
def test_an_event_for_a_queue_that_is_gone_is_in_the_dead_letters_of_the_rule(aws):
    letters, letters_arn = create_queue(aws, policy_for=EVENTS)
    gone = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{unique('gone')}"
    source = rule_to(aws, gone, DeadLetterConfig={"Arn": letters_arn})
    put_event(aws, source, {"number": 1})

    message = taken(aws, letters)
    assert json.loads(message["Body"])["detail"] == {"number": 1}
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "NO_RESOURCE"
    assert attributes["TARGET_ARN"] == gone and attributes["RULE_ARN"].endswith(f"rule/{source}")


@proves("delivery_permissions")
def test_a_rule_needs_the_policy_of_the_queue(aws):
    letters, letters_arn = create_queue(aws, policy_for=EVENTS)
    closed, closed_arn = create_queue(aws)
    source = rule_to(aws, closed_arn, DeadLetterConfig={"Arn": letters_arn})
    put_event(aws, source, {"number": 1})
    assert taken(aws, letters)["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"

    of_this_rule = {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{source}"}}
    policy = {"Effect": "Allow", "Principal": {"Service": EVENTS}, "Action": "sqs:SendMessage"}
    policy |= {"Resource": closed_arn, "Condition": of_this_rule}
    aws.client("sqs").set_queue_attributes(QueueUrl=closed, Attributes={"Policy": document(policy)})
    put_event(aws, source, {"number": 2})
    assert json.loads(taken(aws, closed)["Body"])["detail"] == {"number": 2}
    put_event(aws, rule_to(aws, closed_arn, DeadLetterConfig={"Arn": letters_arn}), {"number": 3})
    assert json.loads(taken(aws, letters)["Body"])["detail"] == {"number": 3}, "another rule is not let in"


@proves("delivery_permissions")
def test_a_rule_needs_the_policy_of_the_function(aws):
    letters, letters_arn = create_queue(aws, policy_for=EVENTS)
    function = create_function(aws)
    source = rule_to(aws, function_arn(function), DeadLetterConfig={"Arn": letters_arn})
    put_event(aws, source, {})
    assert taken(aws, letters)["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    let_events_invoke(aws, function)
    put_event(aws, source, {})
    eventually(lambda: log_messages(aws, f"/aws/lambda/{function}"))


@proves("delivery_permissions")
def test_a_schedule_needs_its_role(aws):
    function, (letters, letters_arn) = create_function(aws), create_queue(aws)
    can_invoke = allow("lambda:InvokeFunction", function_arn(function))
    can_bury = allow("sqs:SendMessage", letters_arn)
    untrusting = create_role(aws, LAMBDA, can_invoke, can_bury)
    for role in (create_role(aws, SCHEDULER, can_bury), untrusting):
        fire(aws, function_arn(function), role, letters_arn)
        message = taken(aws, letters)
        assert json.loads(message["Body"]) == {"dry_run": True}
        assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    assert log_messages(aws, f"/aws/lambda/{function}") == []
    fire(aws, function_arn(function), create_role(aws, SCHEDULER, can_invoke, can_bury), letters_arn)
    eventually(lambda: log_messages(aws, f"/aws/lambda/{function}"))


def fire(aws, target_arn: str, role_arn: str, letters_arn: str) -> None:
    """Creates a schedule with an input and fires it."""
    name = unique("schedule")
    aws.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": target_arn,
            "RoleArn": role_arn,
            "Input": '{"dry_run": true}',
            "DeadLetterConfig": {"Arn": letters_arn},
        },
    )
    aws.fire_schedule(name)


@proves("delivery_permissions")
def test_an_event_source_needs_the_role_of_the_function(aws):
    (queue, queue_arn), (marks, marks_arn) = create_queue(aws), create_queue(aws)
    actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    role = create_role(aws, LAMBDA, allow("logs:*"), allow(actions[:2], queue_arn))
    function = create_function(aws, role=role)
    aws.client("lambda").create_event_source_mapping(FunctionName=function, EventSourceArn=queue_arn)
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody='{"do": "print", "lines": ["worked"]}')
    # Another function's mapping on another queue does its work: the poller has passed by.
    busy = create_function(aws)
    aws.client("lambda").create_event_source_mapping(FunctionName=busy, EventSourceArn=marks_arn)
    sqs.send_message(QueueUrl=marks, MessageBody='{"do": "print", "lines": ["passed by"]}')
    eventually(lambda: "passed by" in log_messages(aws, f"/aws/lambda/{busy}"))
    assert log_messages(aws, f"/aws/lambda/{function}") == []

    given = document(allow("logs:*"), allow(actions, queue_arn))
    aws.client("iam").put_role_policy(RoleName=role.rpartition("/")[2], PolicyName="given", PolicyDocument=given)
    eventually(lambda: "worked" in log_messages(aws, f"/aws/lambda/{function}"))


@proves("delivery_permissions")
def test_a_function_writes_logs_only_with_its_role(aws):
    lambda_, mute = aws.client("lambda"), create_function(aws, role=create_role(aws, LAMBDA, allow("sqs:*")))
    event = json.dumps({"do": "print", "lines": ["hello"]})
    lambda_.invoke(FunctionName=mute, Payload=event)
    assert log_messages(aws, f"/aws/lambda/{mute}") == []


@proves("delivery_permissions")
def test_a_function_needs_its_role_for_its_dead_letters(aws):
    letters, letters_arn = create_queue(aws)
    role = create_role(aws, LAMBDA, allow("logs:*"))
    function = create_function(aws, role=role, DeadLetterConfig={"TargetArn": letters_arn})
    aws.client("lambda").put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
    event = json.dumps({"do": "fail", "message": "no good"})

    def fails_once_more(times: int) -> None:
        aws.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=event)
        group = f"/aws/lambda/{function}"
        eventually(lambda: len([line for line in log_messages(aws, group) if line.startswith("END")]) == times)

    fails_once_more(1)
    assert receive(aws, letters) == []
    given = document(allow("logs:*"), allow("sqs:SendMessage", letters_arn))
    aws.client("iam").put_role_policy(RoleName=role.rpartition("/")[2], PolicyName="given", PolicyDocument=given)
    fails_once_more(2)
    assert taken(aws, letters)
