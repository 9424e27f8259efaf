"""What template.yaml promises that no deployment to the local AWS would show."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what they stand for: `!Ref x` as {"Ref": "x"}."""


def short_form(loader, tag, node):
    value = {
        yaml.ScalarNode: loader.construct_scalar,
        yaml.SequenceNode: lambda node: loader.construct_sequence(node, deep=True),
        yaml.MappingNode: lambda node: loader.construct_mapping(node, deep=True),
    }[type(node)](node)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


Loader.add_multi_constructor("!", short_form)
TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Loader)
RESOURCES = TEMPLATE["Resources"]
DEFAULTS = {name: parameter.get("Default") for name, parameter in TEMPLATE["Parameters"].items()}


def of_type(kind):
    return {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == kind}


def documents(value, path=()):
    """Every policy document below a value, with its path."""
    if isinstance(value, dict):
        if "Statement" in value:
            yield path, value["Statement"]
        for key, inner in value.items():
            yield from documents(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from documents(inner, (*path, index))


def test_every_statement_has_a_name_of_its_own_so_that_tests_can_take_it_away():
    found = list(documents(RESOURCES))
    assert len(found) == 15
    for path, statements in found:
        names = [statement.get("Sid") for statement in statements]
        assert None not in names, path
        assert len(set(names)) == len(names), path


def test_no_statement_allows_everything():
    for path, statements in documents(RESOURCES):
        for statement in statements:
            actions = statement.get("Action", [])
            for action in actions if isinstance(actions, list) else [actions]:
                assert not action.endswith("*"), (path, statement["Sid"])


def test_only_calls_that_take_no_resource_are_allowed_on_all():
    everywhere = [
        (path[0], statement["Sid"], statement["Action"])
        for path, statements in documents(RESOURCES)
        for statement in statements
        if statement.get("Resource") == "*"
    ]
    assert everywhere == [
        ("OnPublishRole", "FindImports", "dynamodb:ListImports"),
        ("OnPublishRole", "MeasureTables", "cloudwatch:GetMetricData"),
        ("PruneRole", "ListTables", "dynamodb:ListTables"),
        ("OperatorPolicy", "ListTables", "dynamodb:ListTables"),
        ("OperatorPolicy", "FindGaps", "cloudwatch:GetMetricData"),
    ]


def test_services_send_to_queues_only_on_behalf_of_this_stack():
    policies = of_type("AWS::SQS::QueuePolicy")
    assert len(policies) == 2
    for name, policy in policies.items():
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": "TableRecordsRule.Arn"}}}, (
                name
            )
            # SQS takes no statement about several queues.
            assert statement["Resource"] == {"Fn::GetAtt": f"{policy['Queues'][0]['Ref']}.Arn"}, name


def test_whoever_deploys_names_the_tables_that_may_be_touched():
    assert [name for name, default in DEFAULTS.items() if default is None] == ["DatasetTables"]


def test_a_message_is_not_handed_out_again_while_it_may_still_be_worked_on():
    assert DEFAULTS["PublishVisibilitySeconds"] >= 6 * DEFAULTS["OnPublishTimeoutSeconds"]
    assert DEFAULTS["RecoveryVisibilitySeconds"] >= 6 * DEFAULTS["BackfillTimeoutSeconds"]
    for queue in ("PublishQueue", "RecoveryQueue"):
        assert RESOURCES[queue]["Properties"]["RedrivePolicy"]["maxReceiveCount"] >= 5


def test_every_queue_keeps_messages_as_long_as_sqs_can():
    queues = of_type("AWS::SQS::Queue")
    assert len(queues) == 7
    assert {queue["MessageRetentionPeriod"] for queue in queues.values()} == {14 * 24 * 3600}


def test_every_dead_letter_queue_has_an_alarm():
    watched = {
        dimension["Value"]["Fn::GetAtt"].removesuffix(".QueueName")
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
        for dimension in alarm.get("Dimensions", [])
        if dimension["Name"] == "QueueName" and "Fn::GetAtt" in dimension["Value"]
    }
    assert watched == set(of_type("AWS::SQS::Queue")) - {"PublishQueue", "RecoveryQueue"}


def test_silence_of_a_feed_is_an_alarm_that_says_what_to_type():
    alarm = RESOURCES["SilentFeedAlarm"]["Properties"]
    assert alarm["TreatMissingData"] == "breaching"
    assert "septet backfill gaps FEED" in alarm["AlarmDescription"]["Fn::Sub"]


def test_every_function_has_an_alarm_on_its_errors():
    watched = {
        dimension["Value"]["Ref"]
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
        if alarm["MetricName"] == "Errors"
        for dimension in alarm["Dimensions"]
    }
    assert watched == set(of_type("AWS::Serverless::Function"))


def test_silence_of_the_sweep_is_an_alarm():
    alarm = RESOURCES["StaleLiveVersionAlarm"]["Properties"]
    assert alarm["TreatMissingData"] == "breaching"
    assert "Dimensions" not in alarm


@pytest.mark.parametrize("policy", ["DeletionPolicy", "UpdateReplacePolicy"])
def test_the_registry_outlives_the_stack(policy):
    assert RESOURCES["Registry"][policy] == "Retain"


def test_roles_that_seals_name_keep_their_names():
    for role in ("OnPublishRole", "PruneRole"):
        assert RESOURCES[role]["Properties"]["RoleName"]


def test_the_local_parameters_are_parameters_of_the_template():
    local = yaml.safe_load((ROOT / "local" / "parameters.yaml").read_text())
    assert set(local) <= set(DEFAULTS)
