"""What is wrong is said clearly, and changes nothing: by the septet command and by the functions."""

import json

import pytest
from cloud import OPERATOR
from dataset import item
from waiting import until

ALWAYS = 1_000_000


@pytest.fixture
def unchanged(cloud, dataset):
    """The dataset; after the test the registry is as it was when the test called it the first time."""
    seen = []

    def remember():
        cloud.until_drained()
        seen.append(cloud.registry_items())

    dataset.remember = remember
    yield dataset
    assert len(seen) == 1, "the test should say once from when on nothing may change"
    cloud.aws.clear_faults()
    cloud.until_drained()
    assert cloud.registry_items() == seen[0]


def said(cloud, *arguments, code: int = 2, who=None) -> str:
    """What the septet command says on standard error; each error ends with something that can be done."""
    done = cloud.septet(*arguments, code=code, who=who)
    assert "hint: " in done.stderr, done.stderr
    assert "panicked" not in done.stderr
    return done.stderr


WHY = ("--reason", "a test asks", "--yes")


@pytest.mark.parametrize(
    "arguments",
    [["versions", "nosuch"], ["show", "nosuch", "1"], ["log", "nosuch"], ["point", "nosuch", "1", *WHY],
     ["rollback", "nosuch", *WHY], ["contract", "show", "nosuch"], ["prune", "--plan", "nosuch"]],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_an_unknown_dataset_is_named_by_the_command(cloud, unchanged, arguments):
    unchanged.remember()
    assert "nosuch" in said(cloud, *arguments)


def test_an_unknown_dataset_is_named_by_the_functions(cloud, unchanged):
    unchanged.remember()
    signal = cloud.invoke(cloud.on_publish, {"table": "nosuch-2026-11-21"})
    assert signal.error.startswith("Table.Unclaimed") and "nosuch-2026-11-21" in signal.error, signal
    sweep = cloud.invoke(cloud.prune, {"dataset": "nosuch"})
    assert sweep.error.startswith("Registry.NotFound") and "nosuch" in sweep.error, sweep
    typo = cloud.invoke(cloud.prune, {"dryrun": True})
    assert typo.error.startswith("Request.Malformed") and "`dryrun`" in typo.error, typo


def spoil(contract: dict, way: str) -> dict:
    """A contract with one thing wrong in it."""
    schema = contract["schema"][0]
    match way:
        case "an unknown key":
            contract["tablePattern"] = "x-*"
        case "an unknown setting":
            contract["customProperties"].append({"property": "septet.keepNewestt", "value": 3})
        case "a rule that cannot hold":
            schema["properties"][1]["logicalTypeOptions"] = {"minimum": 2, "maximum": 1}
        case "a rule on nothing":
            schema["quality"].append(
                {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["absent"]}}
            )
        case "a type that is none":
            schema["properties"][1]["physicalType"] = "NUMBER"
        case "no key":
            for one in schema["properties"]:
                one.pop("primaryKey", None), one.pop("primaryKeyPosition", None)
    return contract


SPOILED = {
    "an unknown key": "tablePattern",
    "an unknown setting": "septet.keepNewestt",
    "a rule that cannot hold": "minimum",
    "a rule on nothing": "absent",
    "a type that is none": "NUMBER",
    "no key": "primaryKey",
}


@pytest.mark.parametrize("way", SPOILED)
def test_a_contract_with_something_wrong_is_not_put(cloud, unchanged, way):
    unchanged.remember()
    done = unchanged.put_contract(spoil(unchanged.contract(), way), code=1)
    text = done.stdout + done.stderr
    assert SPOILED[way] in text, text
    # The place in the document, for an editor to jump to.
    assert any(f"{unchanged.name}.odcs.yaml:{line}:" in text for line in range(1, 120)), text


def test_a_contract_that_is_no_yaml_is_not_put(cloud, unchanged):
    unchanged.remember()
    done = unchanged.put_contract("apiVersion: v3.1.0\nkind: [unclosed\n", code=1)
    assert f"{unchanged.name}.odcs.yaml:" in done.stdout + done.stderr


def test_a_table_with_other_keys_is_rejected_and_readers_stay_where_they_are(cloud, dataset):
    live = dataset.publish_and_wait()["table"]
    keys = {
        "AttributeDefinitions": [{"AttributeName": "user", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "user", "KeyType": "HASH"}],
    }
    table = dataset.create(**keys)
    cloud.publisher.client("dynamodb").put_item(TableName=table, Item={**item(1), "user": {"S": "u"}})
    dataset.signal(table)
    version = dataset.until_state(table, "rejected")
    assert version["verdict"]["outcome"] == "failed"
    assert any("not sealed" in why and "user" in why for why in version["verdict"]["reasons"]), version["verdict"]
    assert cloud.policy_of(table) is None
    assert dataset.live_table() == live


def test_a_key_of_another_type_is_rejected(cloud, dataset):
    table = dataset.create(AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}])
    cloud.publisher.client("dynamodb").put_item(TableName=table, Item={**item(1), "id": {"N": "1"}})
    dataset.signal(table)
    reasons = dataset.until_state(table, "rejected")["verdict"]["reasons"]
    assert any("id" in why and "N" in why for why in reasons), reasons
    assert dataset.pointer() is None


def test_an_empty_table_is_rejected_by_the_rule_that_asks_for_rows(cloud, dataset):
    live = dataset.publish_and_wait()["table"]
    table = dataset.create()
    done = cloud.septet("publish", table, "--wait", code=1)
    version = dataset.until_state(table, "rejected")
    assert any("rowCount" in why and "0" in why for why in version["verdict"]["reasons"]), version["verdict"]
    assert "rowCount" in done.stdout + done.stderr
    assert dataset.live_table() == live


def test_a_table_deleted_while_it_is_checked_is_lost_and_the_next_goes_live(cloud, dataset):
    table = dataset.written()
    hold = cloud.aws.hold("Scan", match=table, times=4)
    dataset.signal(table)
    until("the check reads the table", lambda: len(cloud.aws.fired(hold)) == 4)
    # The seal keeps everybody else from deleting it.
    with cloud.in_the_role(cloud.outputs["PruneRoleArn"]) as person:
        person.client("dynamodb").update_table(TableName=table, DeletionProtectionEnabled=False)
        person.client("dynamodb").delete_table(TableName=table)
    until("the table is gone", lambda: dataset.status(table) is None)
    cloud.aws.release(hold)
    version = dataset.until_state(table, "lost")
    assert dataset.actions(version["version"]) == {"announce": 1, "seal": 1, "check": 1, "lose": 1}
    assert dataset.pointer() is None
    dataset.publish_and_wait()


def test_a_table_deleted_and_made_anew_while_it_is_checked_is_another_version(cloud, dataset):
    # No record tells of it: the check itself must notice.
    cloud.aws.settings(cloudtrail={"enabled": False})
    table = dataset.written()
    hold = cloud.aws.hold("Scan", match=table, times=4)
    dataset.signal(table)
    until("the check reads the table", lambda: len(cloud.aws.fired(hold)) == 4)
    with cloud.in_the_role(cloud.outputs["PruneRoleArn"]) as person:
        person.client("dynamodb").update_table(TableName=table, DeletionProtectionEnabled=False)
        person.client("dynamodb").delete_table(TableName=table)
    until("the table is gone", lambda: dataset.status(table) is None)
    dataset.create(table)
    dataset.fill(table)
    cloud.aws.release(hold)
    until("the first one is lost", lambda: [one["state"] for one in dataset.versions()][:1] == ["lost"])
    assert dataset.actions(1) == {"announce": 1, "seal": 1, "check": 1, "lose": 1}
    dataset.signal(table)
    until("the second one is live", lambda: (live := dataset.pointer()) and live["version"] == 2)
    assert [one["state"] for one in dataset.versions()] == ["lost", "valid"]


@pytest.mark.parametrize("key", ["DATASET", "VERSION#0000000001", "POINTER#live"])
def test_an_item_of_a_newer_septet_is_left_alone(cloud, unchanged, key):
    cloud.aws.settings(cloudtrail={"enabled": False})
    dataset = unchanged
    dataset.publish_and_wait()
    second = dataset.publish_and_wait()["table"]
    dataset.remember()
    dataset.items_by_hand.set_format(key, 99)
    try:
        for arguments in (["rollback", dataset.name, *WHY], ["point", dataset.name, "1", *WHY]):
            text = said(cloud, *arguments)
            assert "format 99" in text and key in text, text
        sweep = cloud.invoke(cloud.prune, {"dataset": dataset.name})
        failures = (
            [sweep.error] if sweep.failed else [f"{one['kind']}: {one['error']}" for one in sweep.payload["failed"]]
        )
        assert any("Registry.Unreadable" in one and "format 99" in one for one in failures), sweep
        if key == "DATASET":
            look = cloud.invoke(cloud.on_publish, {"table": dataset.create()})
            assert look.error.startswith("Registry.Unreadable") and "update this Septet" in look.error, look
        assert dataset.live_table() == second
    finally:
        dataset.items_by_hand.set_format(key, 1)


def test_somebody_without_permissions_is_told_which_is_missing(cloud, unchanged):
    nobody = cloud.person("nobody")
    silent = {"Effect": "Deny", "Action": "sqs:SendMessage", "Resource": "*"}
    silent = cloud.person("silent", policies=[cloud.outputs[OPERATOR]], statements=[silent])
    table = unchanged.written()
    unchanged.until_state(table, "announced")
    unchanged.remember()
    assert "dynamodb:" in said(cloud, "versions", unchanged.name, who=nobody)
    assert "sqs:SendMessage" in said(cloud, "publish", table, who=silent)
    reader = said(cloud, "rollback", unchanged.name, *WHY, who=cloud.reader)
    assert "dynamodb:Query" in reader, reader


CALLS_OF_A_PUBLICATION = {
    "Query": "Registry.Denied",
    "DescribeTable": "Tables.Denied",
    "PutResourcePolicy": "Tables.Denied",
    "Scan": "Tables.Denied",
    "TransactWriteItems": "Registry.Denied",
}


@pytest.mark.parametrize("action", CALLS_OF_A_PUBLICATION)
def test_a_function_without_a_permission_says_so_and_goes_on_once_it_has_it(cloud, dataset, action):
    cloud.aws.settings(cloudtrail={"enabled": False})
    table = dataset.written()
    cloud.aws.deny(action, function=cloud.on_publish, match=refers(action, dataset, table))
    answer = cloud.invoke(cloud.on_publish, {"table": table})
    kind = CALLS_OF_A_PUBLICATION[action]
    assert answer.error.startswith(f"{kind}:") and "permission is missing" in answer.error, answer
    assert action in answer.error, answer
    assert dataset.pointer() is None
    cloud.aws.clear_faults()
    dataset.signal(table)
    dataset.until_live(table)


@pytest.mark.parametrize("action", CALLS_OF_A_PUBLICATION)
def test_a_function_that_is_throttled_a_few_times_does_its_work_all_the_same(cloud, dataset, action):
    cloud.aws.settings(cloudtrail={"enabled": False})
    table = dataset.written()
    fault = cloud.aws.fail(action, function=cloud.on_publish, match=refers(action, dataset, table), times=2)
    answer = cloud.invoke(cloud.on_publish, {"table": table})
    assert not answer.failed, answer
    assert len(cloud.aws.fired(fault)) == 2
    assert dataset.live_table() == table
    dataset.assert_published_once(table, "promote")


def refers(action: str, dataset, table: str) -> str:
    """What is in the body of this test's calls and of no other's."""
    return f"TABLE#{table}" if action == "Query" else dataset.name


def test_a_function_that_is_throttled_for_good_says_so_and_its_message_comes_again(cloud, dataset):
    cloud.aws.settings(cloudtrail={"enabled": False})
    table = dataset.written()
    before = cloud.registry_items()
    fault = cloud.aws.fail("DescribeTable", function=cloud.on_publish, match=table, times=ALWAYS)
    with cloud.visibility(2):
        dataset.signal(table)
        kind = '"kind":"Tables.Throttled"'
        until(
            "the function says so",
            lambda: any(kind in line and table in line for line in cloud.log_of(cloud.on_publish)),
        )
        assert cloud.registry_items() == before
        cloud.aws.release(fault)
        dataset.until_live(table)
    dataset.assert_published_once(table, "promote")


@pytest.mark.parametrize("action", ["GetItem", "Query", "TransactWriteItems"])
def test_the_command_says_that_it_is_throttled_and_changes_nothing(cloud, unchanged, action):
    cloud.aws.settings(cloudtrail={"enabled": False})
    dataset = unchanged
    for _ in range(2):
        dataset.publish_and_wait()
    dataset.remember()
    cloud.aws.fail(action, match=dataset.name, times=ALWAYS)
    text = said(cloud, "rollback", dataset.name, *WHY)
    assert "throttles" in text and action in text, text


def test_a_live_version_whose_table_vanished_stays_until_somebody_rolls_back(cloud, dataset):
    first, second = dataset.publish_and_wait(), dataset.publish_and_wait()
    with cloud.in_the_role(cloud.outputs["PruneRoleArn"]) as person:
        person.client("dynamodb").update_table(TableName=second["table"], DeletionProtectionEnabled=False)
        person.client("dynamodb").delete_table(TableName=second["table"])
    until("the table is gone", lambda: dataset.status(second["table"]) is None)
    summary = cloud.sweep(dataset.name)
    assert [one["version"] for one in summary["live_table_gone"]] == [int(second["version"])], summary
    assert dataset.state_of(second["table"]) == "valid"
    # Back to a version whose table is there, and not forward to the one whose table is not.
    cloud.septet("rollback", dataset.name, *WHY)
    assert dataset.live_table() == first["table"]
    refusal = cloud.septet("forward", dataset.name, *WHY, code=1)
    assert second["table"] in refusal.stderr and "nothing changed" in refusal.stderr, refusal.stderr
    cloud.sweep(dataset.name)
    assert dataset.state_of(second["table"]) == "lost"
    assert json.dumps(cloud.sweep(dataset.name)["live_table_gone"]) == "[]"
