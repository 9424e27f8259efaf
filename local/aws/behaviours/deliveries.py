"""What EventBridge, Scheduler and Lambda deliver on their own: whether they may, and what becomes of a failure.

Leaves out Lambda's permission to read streams and the policies of SNS topics.
"""

import hashlib
import json
import time

from ministack.core import arn as arns
from ministack.core import concurrency, iam_evaluator, responses
from ministack.services import eventbridge, iam, lambda_svc, sqs

from aws.patching import around

EVENTS, SCHEDULER = "events.amazonaws.com", "scheduler.amazonaws.com"


def asynchronous_invocations() -> None:
    """A rule or a schedule invokes a function asynchronously: two more attempts, then the dead letters."""

    @around(eventbridge, "_dispatch_to_lambda")
    def dispatch_to_lambda(_original, arn, payload):
        function, config, name = lambda_svc._get_func_record_for_ref(arn)
        if not function or not config:
            raise LookupError(f"function {name} not found")
        record = lambda_svc._execution_record_for_config(function, config)
        lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    @around(lambda_svc, "_route_async_failure")
    def route_async_failure(original, target_arn, function_name, event, result):
        function = lambda_svc._functions.get(function_name) or {}
        dead_letters = ((function.get("config") or {}).get("DeadLetterConfig") or {}).get("TargetArn")
        queue = sqs._queue_by_arn(target_arn) if target_arn == dead_letters else None
        if queue is None:
            return original(target_arn, function_name, event, result)
        # A dead-letter queue gets the event itself; only a destination gets the envelope around it.
        body = result.get("body") if isinstance(result.get("body"), dict) else {}
        attributes = {
            "RequestID": responses.new_uuid(),
            "ErrorCode": "200",
            "ErrorMessage": str(body.get("errorMessage", ""))[:1024] or "Unhandled",
        }
        send(queue, json.dumps(event), attributes)


def rule_dead_letters() -> None:
    """What a rule or a schedule cannot deliver goes to its target's dead-letter queue, with the reason."""

    @around(eventbridge, "_invoke_target")
    def invoke_target(original, target, event, rule, view=None):
        reason = _missing_target(target.get("Arn", ""))
        if reason is None:
            return original(target, event, rule, view)
        bury(target, event, rule, *reason)


def _missing_target(target_arn: str) -> tuple[str, str] | None:
    service = target_arn.split(":")[2:3]
    if service == ["sqs"] and sqs._queue_by_arn(target_arn) is None:
        return "NO_RESOURCE", "The specified queue does not exist."
    if service == ["lambda"] and not lambda_svc._get_func_record_for_ref(target_arn)[0]:
        return "NO_RESOURCE", f"Function not found: {target_arn}"
    return None


def bury(target: dict, event: dict, rule: dict, code: str, message: str) -> None:
    """Puts an undeliverable event into the target's dead-letter queue, if it has one that takes it."""
    scheduled = rule["Arn"].split(":")[2] == "scheduler"
    queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn", "")
    queue = sqs._queue_by_arn(queue_arn)
    allowed = (
        role_allows(target.get("RoleArn", ""), "sqs:SendMessage", queue_arn)
        if scheduled
        else sqs.queue_policy_allows(queue_arn, EVENTS, rule["Arn"], responses.get_account_id())
    )
    if queue is None or not allowed:
        return
    attributes = {
        "SCHEDULE_ARN" if scheduled else "RULE_ARN": rule["Arn"],
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": code,
        "ERROR_MESSAGE": message,
        "EXHAUSTED_RETRY_CONDITION": "NonRetryable",
    }
    whole_event = eventbridge._pattern_event_view(event).event_with_detail()
    body = target.get("Input") if scheduled and target.get("Input") else json.dumps(whole_event)
    send(queue, body, attributes)


def send(queue: dict, body: str, attributes: dict[str, str]) -> None:
    """Appends a message to a queue as a service does, without the caller's permissions."""
    now = time.time()
    message_attributes = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    message = {
        "id": responses.new_uuid(),
        "body": body,
        "md5_body": hashlib.md5(body.encode()).hexdigest(),
        "md5_attrs": sqs._md5_msg_attrs(message_attributes),
        "message_attributes": message_attributes,
        "sent_at": now,
        "visible_at": now + sqs.queue_delay(queue),
    }
    sqs._ensure_msg_fields(message)
    with sqs._queues_lock:
        queue["messages"].append(message)
    concurrency.esm_wake.set()


def delivery_permissions() -> None:
    """EventBridge needs the queue's or the function's policy, Scheduler its role, Lambda the function's role."""

    @around(eventbridge, "_invoke_target")
    def invoke_target(original, target, event, rule, view=None):
        if _may_deliver(target, rule):
            return original(target, event, rule, view)
        message = f"not authorized to deliver to {target['Arn']}"
        bury(target, event, rule, "NO_PERMISSIONS", message)

    @around(lambda_svc, "_route_async_failure")
    def route_async_failure(original, target_arn, function_name, event, result):
        config = (lambda_svc._functions.get(function_name) or {}).get("config") or {}
        action = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}.get(
            target_arn.split(":")[2]
        )
        if action and role_allows(config.get("Role", ""), action, target_arn):
            return original(target_arn, function_name, event, result)

    @around(lambda_svc, "_sqs_esm_concurrency")
    def sqs_esm_concurrency(original, mapping, function, config, queue=None):
        needed = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
        if not all(role_allows(config["Role"], action, mapping["EventSourceArn"]) for action in needed):
            return 0
        return original(mapping, function, config, queue)

    @around(lambda_svc, "_emit_lambda_logs")
    def emit_lambda_logs(original, function, *args, **kwargs):
        config = function.get("config") or function
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        stream = f"arn:aws:logs:{responses.get_region()}:{responses.get_account_id()}:log-group:{group}:log-stream:new"
        needed = ("logs:CreateLogStream", "logs:PutLogEvents")
        if all(role_allows(config["Role"], action, stream) for action in needed):
            return original(function, *args, **kwargs)


def _may_deliver(target: dict, rule: dict) -> bool:
    arn, role = target.get("Arn", ""), target.get("RoleArn", "")
    service = arn.split(":")[2:3]
    action = {"sqs": "sqs:SendMessage", "lambda": "lambda:InvokeFunction"}.get(service[0] if service else "")
    if action is None:
        return True
    if rule["Arn"].split(":")[2] == "scheduler":
        return trusts(role, SCHEDULER) and role_allows(role, action, arn)
    if role:
        return trusts(role, EVENTS) and role_allows(role, action, arn)
    if action == "sqs:SendMessage":
        return sqs.queue_policy_allows(arn, EVENTS, rule["Arn"], responses.get_account_id())
    return _function_policy_allows(arn, rule["Arn"])


def _function_policy_allows(function_arn: str, rule_arn: str) -> bool:
    found = lambda_svc.function_policy_for_arn(function_arn)
    if found is None:
        return False
    context = _context("*", "lambda:InvokeFunction", function_arn, {"aws:sourcearn": rule_arn})
    return iam_evaluator.evaluate_resource_policy(found[0], context, service=EVENTS).decision == "Allow"


def role_allows(role_arn: str, action: str, resource: str) -> bool:
    """Whether a role's own policies allow an action on a resource."""
    try:
        role = arns.parse_arn(role_arn)
    except arns.ArnParseError:
        return False
    name = role.resource.rpartition("/")[2]
    policies = iam_evaluator._gather_role_policies(name, role.account_id)
    return iam_evaluator.evaluate(_context(role_arn, action, resource, {}), policies).decision == "Allow"


def trusts(role_arn: str, service: str) -> bool:
    """Whether a service may assume a role, as its trust policy says."""
    name = role_arn.rpartition("/")[2]
    role = iam._roles.get_scoped(responses.get_account_id(), None, name) or {}
    document = role.get("AssumeRolePolicyDocument") or "{}"
    statements = (json.loads(document) if isinstance(document, str) else document).get("Statement") or []
    context = _context("*", "sts:AssumeRole", role_arn, {})
    for statement in [statements] if isinstance(statements, dict) else statements:
        named = iam_evaluator._service_principal_matches(statement.get("Principal"), service)
        if named and iam_evaluator._conditions_met(statement.get("Condition", {}), context):
            return statement.get("Effect") == "Allow"
    return False


def _context(principal: str, action: str, resource: str, keys: dict) -> iam_evaluator.EvalContext:
    account = responses.get_account_id()
    return iam_evaluator.EvalContext(
        principal_arn=principal,
        principal_type="Service" if principal == "*" else "AssumedRole",
        principal_account="" if principal == "*" else account,
        action=action,
        resource_arn=resource,
        region=responses.get_region(),
        service_context={"aws:sourceaccount": account, **keys},
    )


BEHAVIOURS = (asynchronous_invocations, delivery_permissions, rule_dead_letters)
