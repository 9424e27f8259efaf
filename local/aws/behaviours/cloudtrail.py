"""CloudTrail's records of DynamoDB's management calls, on the default bus as EventBridge delivers them.

Records are late, may come twice and out of order, and failed calls have records too; the ``cloudtrail`` settings
say how much. Calls that CloudFormation makes inside ministack leave no record.
"""

import asyncio
import json
import random
import time
import uuid

from ministack import app
from ministack.core import iam_evaluator, responses, router
from ministack.services import eventbridge, iam

from aws import settings
from aws.behaviours.authorization import role_arn_of
from aws.patching import around

RECORDED = frozenset(
    {
        "CreateTable", "DeleteTable", "UpdateTable", "ImportTable", "RestoreTableFromBackup",
        "RestoreTableToPointInTime", "TagResource", "UntagResource", "PutResourcePolicy", "DeleteResourcePolicy",
        "UpdateTimeToLive", "UpdateContinuousBackups",
    }
)  # fmt: skip
WITHOUT_RESPONSE = frozenset({"TagResource", "UntagResource"})


def cloudtrail() -> None:
    """Every recorded call, allowed or not, becomes an event on the default bus."""
    relay = _Relay()

    @around(app, "_dispatch_service_request")
    async def dispatch(original, method, path, headers, body, query_params, request_id):
        answer = await original(method, path, headers, body, query_params, request_id)
        service, _, action = headers.get("x-amz-target", "").partition(".")
        if service.startswith("DynamoDB_") and action in RECORDED and settings.get("cloudtrail", "enabled"):
            relay.accept(_record(action, headers, query_params, body, answer, request_id))
        return answer


class _Relay:
    """Holds records back as the settings say, then puts them on the bus."""

    def __init__(self) -> None:
        self._random = random.Random()
        self._held: list[dict] = []

    def accept(self, record: dict) -> None:
        delay = settings.get("cloudtrail", "delay")
        for _ in range(int(settings.get("cloudtrail", "copies"))):
            self._held.append(record)
        if not settings.get("cloudtrail", "shuffle"):
            held, self._held = self._held, []
            asyncio.get_running_loop().call_later(delay, _publish, held)
        elif len(self._held) <= settings.get("cloudtrail", "copies"):
            # The first record of a period: all that come within it leave together, in another order.
            asyncio.get_running_loop().call_later(delay, self._publish_shuffled)

    def _publish_shuffled(self) -> None:
        held, self._held = self._held, []
        arrived = list(held)
        self._random.shuffle(held)
        _publish(held[::-1] if held == arrived else held)


def _publish(records: list[dict]) -> None:
    for record in records:
        entry = {
            "Source": "aws.dynamodb",
            "DetailType": "AWS API Call via CloudTrail",
            "Detail": json.dumps(record, default=str),
        }
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def _record(action: str, headers: dict, query_params: dict, body: bytes, answer: tuple, request_id: str) -> dict:
    status, _, content = answer
    request, response = _json(body), _json(content)
    account, region = responses.get_account_id(), responses.get_region()
    record = {
        "eventVersion": "1.11",
        "userIdentity": _user_identity(headers, query_params, account),
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "eventSource": "dynamodb.amazonaws.com",
        "eventName": action,
        "awsRegion": region,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": headers.get("user-agent", ""),
        "requestParameters": first_letter_lowered(request),
        "responseElements": None if action in WITHOUT_RESPONSE else first_letter_lowered(response),
        "requestID": request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "apiVersion": "2012-08-10",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    if status >= 400:
        code = str(response.get("__type", "")).rpartition("#")[2]
        denied = code in ("AccessDenied", "AccessDeniedException")
        record["errorCode"] = "AccessDenied" if denied else code
        record["errorMessage"] = response.get("message") or response.get("Message") or ""
        record["responseElements"] = None
        if denied:
            record["requestParameters"] = None
            return record
    arn = _table_arn(action, request, region, account)
    if arn:
        record["resources"] = [{"accountId": account, "type": "AWS::DynamoDB::Table", "ARN": arn}]
    return record


def _json(content: bytes | str) -> dict:
    try:
        data = json.loads(content or b"{}")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def first_letter_lowered(value, key: str = ""):
    """CloudTrail's form of a request or an answer: ``SSESpecification`` becomes ``sSESpecification``."""
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: first_letter_lowered(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [first_letter_lowered(inner, key) for inner in value]
    if key.endswith("DateTime") and isinstance(value, (int, float)):
        at = time.gmtime(value)
        return f"{time.strftime('%b', at)} {at.tm_mday}, {at.tm_year}, {time.strftime('%I:%M:%S %p', at).lstrip('0')}"
    return value


def _table_arn(action: str, request: dict, region: str, account: str) -> str | None:
    """The table in ``resources``; records of restores and tags were seen without."""
    if action in WITHOUT_RESPONSE or action.startswith("Restore"):
        return None
    created = request.get("TableCreationParameters") or {}
    name = request.get("TableName") or created.get("TableName") or request.get("ResourceArn")
    if not isinstance(name, str):
        return None
    return name if name.startswith("arn:") else f"arn:aws:dynamodb:{region}:{account}:table/{name}"


def _user_identity(headers: dict, query_params: dict, account: str) -> dict:
    key = router.extract_access_key_id(headers, query_params) or ""
    credential = iam_evaluator.resolve_credential(key, account)
    if isinstance(credential, iam_evaluator.CredentialResolutionError):
        return {"type": "Unknown", "principalId": "", "accountId": account, "accessKeyId": key}
    arn = credential.principal_arn
    identity = {"type": "Root", "principalId": account, "arn": arn, "accountId": account, "accessKeyId": key}
    if ":assumed-role/" in arn:
        role_arn = role_arn_of(arn)
        role_name, session_name = arn.split("/")[1:3]
        role_id = (iam._roles.get_scoped(account, None, role_name) or {}).get("RoleId", "AROAUNKNOWN")
        identity["type"] = "AssumedRole"
        identity["principalId"] = f"{role_id}:{session_name}"
        identity["sessionContext"] = {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role_id,
                "arn": role_arn,
                "accountId": account,
                "userName": role_name,
            },
            "attributes": {
                "creationDate": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "mfaAuthenticated": "false",
            },
        }
    elif ":user/" in arn:
        identity.update(type="IAMUser", principalId=credential.principal_id, userName=credential.principal_name)
    return identity


BEHAVIOURS = (cloudtrail,)
