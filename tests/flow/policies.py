"""The deployed policies, statement by statement: read them, and take one away for a while."""

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import stack
import yaml
from cloud import Cloud

NOBODY = {
    "Sid": "Nobody",
    "Effect": "Deny",
    "Principal": {"Service": "nobody.amazonaws.com"},
    "Action": "sqs:*",
    "Resource": "*",
}


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their values; what they stand for is of no concern here."""


def _short_form(loader, _tag, node):
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _short_form)


def statements_of_the_template() -> dict[tuple[str, str], list[str]]:
    """Every statement of template.yaml by resource and Sid, with its actions."""
    resources = yaml.load((stack.ROOT / "template.yaml").read_text(), _Loader)["Resources"]
    found = {}
    for resource, definition in resources.items():
        for statement in _statements(definition):
            assert (resource, statement["Sid"]) not in found, "two statements of one name"
            found[resource, statement["Sid"]] = _list(statement.get("Action"))
    return found


def _statements(value) -> Iterator[dict]:
    if isinstance(value, dict):
        yield from value.get("Statement", [])
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from _statements(one)


def _list(value) -> list:
    return value if isinstance(value, list) else [] if value is None else [value]


@dataclass(frozen=True)
class Policy:
    """A policy document where it is deployed."""

    read: Callable[[], dict]
    write: Callable[[dict], None]

    @contextlib.contextmanager
    def changed(self, change: Callable[[list[dict]], list[dict]]):
        """The statements are those that ``change`` makes of them, for a while."""
        before = self.read()
        after = {**before, "Statement": change(copy.deepcopy(_list(before["Statement"])))}
        assert after != before, "nothing was changed"
        self.write(after)
        try:
            yield
        finally:
            self.write(before)


def deployed_policies(cloud: Cloud, resource: str) -> list[Policy]:
    """The policies of one resource of the template."""
    found = cloud.aws.client("cloudformation").describe_stack_resource(
        StackName=stack.STACK_NAME, LogicalResourceId=resource
    )["StackResourceDetail"]
    kind, name = found["ResourceType"], found["PhysicalResourceId"]
    if kind == "AWS::IAM::Role":
        return _of_role(cloud, name)
    if kind == "AWS::IAM::ManagedPolicy":
        return [_managed(cloud, name)]
    if kind == "AWS::SQS::QueuePolicy":
        url = {"PublishQueuePolicy": "PublishQueue", "TableRecordsDeadLettersPolicy": "TableRecordsDeadLetters"}
        return [_of_queue(cloud, queue_url(cloud, url[resource]))]
    raise AssertionError(f"{resource} is a {kind}: where are its policies?")


def queue_url(cloud: Cloud, resource: str) -> str:
    """The URL of a queue of the template."""
    found = cloud.aws.client("cloudformation").describe_stack_resource(
        StackName=stack.STACK_NAME, LogicalResourceId=resource
    )
    return found["StackResourceDetail"]["PhysicalResourceId"]


def _of_role(cloud: Cloud, name: str) -> list[Policy]:
    iam = cloud.aws.client("iam")
    trust = Policy(
        lambda: iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"],
        lambda document: iam.update_assume_role_policy(RoleName=name, PolicyDocument=_text(document)),
    )
    inline = [
        Policy(
            lambda policy=policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"],
            lambda document, policy=policy: iam.put_role_policy(
                RoleName=name, PolicyName=policy, PolicyDocument=_text(document)
            ),
        )
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    return [trust, *inline]


def _managed(cloud: Cloud, arn: str) -> Policy:
    iam = cloud.aws.client("iam")

    def in_force() -> str:
        return iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]

    def write(document: dict) -> None:
        old = in_force()
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=_text(document), SetAsDefault=True)
        iam.delete_policy_version(PolicyArn=arn, VersionId=old)

    def read() -> dict:
        return iam.get_policy_version(PolicyArn=arn, VersionId=in_force())["PolicyVersion"]["Document"]

    return Policy(read, write)


def _of_queue(cloud: Cloud, url: str) -> Policy:
    def read() -> dict:
        answer = cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
        return json.loads(answer["Attributes"]["Policy"])

    return Policy(
        read, lambda document: cloud.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _text(document)})
    )


def _text(document: dict) -> str:
    # A policy must have a statement; this one gives nobody anything.
    return json.dumps({**document, "Statement": document["Statement"] or [NOBODY]})


def _the_policy_with(policies: list[Policy], sid: str) -> Policy:
    (found,) = [policy for policy in policies if any(one["Sid"] == sid for one in _list(policy.read()["Statement"]))]
    return found


def without_statement(cloud: Cloud, resource: str, sid: str):
    """Takes one statement away, for a while."""
    policy = _the_policy_with(deployed_policies(cloud, resource), sid)
    return policy.changed(lambda statements: [one for one in statements if one["Sid"] != sid])


def without_action(cloud: Cloud, resource: str, sid: str, action: str):
    """Takes one action out of a statement, for a while."""
    policy = _the_policy_with(deployed_policies(cloud, resource), sid)

    def change(statements: list[dict]) -> list[dict]:
        for one in statements:
            if one["Sid"] == sid:
                one["Action"] = [kept for kept in _list(one["Action"]) if kept != action]
        return statements

    return policy.changed(change)


def with_tables_of_any_name(cloud: Cloud, resource: str, pattern: str):
    """Lets the statements about tables of these names reach every table, as a parameter may, for a while."""
    policy = deployed_policies(cloud, resource)[-1]

    def widened(value):
        return (
            [widened(one) for one in value] if isinstance(value, list) else value.replace(f"table/{pattern}", "table/*")
        )

    return policy.changed(lambda statements: [{**one, "Resource": widened(one["Resource"])} for one in statements])
