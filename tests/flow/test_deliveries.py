"""How a table comes to be noticed and known to be complete: records, late and doubled; sweeps; signals, tags, imports."""

import json

import pytest
from ageing import age
from botocore.exceptions import ClientError
from dataset import LIFE, import_items, item, table_parameters
from waiting import until

DOUBLED_LATE_SHUFFLED = {"delay": 2.0, "copies": 2, "shuffle": True}


def refused(call, *arguments, **parameters) -> str:
    """The code of the error that a call must meet."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **parameters)
    return caught.value.response["Error"]["Code"]


def test_records_doubled_late_and_out_of_order_change_only_what_they_should(cloud, new_dataset):
    dataset, stranger = new_dataset(keepNewest=10), cloud.person("stranger")
    cloud.aws.settings(cloudtrail=DOUBLED_LATE_SHUFFLED)
    publisher = cloud.publisher.client("dynamodb")

    # Calls that fail leave records too, of the very same calls on tables that the dataset would claim.
    never, deleted = dataset.new_table(), dataset.new_table()
    assert refused(stranger.client("dynamodb").create_table, **table_parameters(never)) == "AccessDeniedException"
    assert refused(publisher.delete_table, TableName=never) == "ResourceNotFoundException"
    unclaimed = f"un{dataset.name}"
    publisher.create_table(**table_parameters(unclaimed))
    # A table that is gone before its records arrive; they may well arrive in the wrong order.
    dataset.create(deleted)
    publisher.delete_table(TableName=deleted)

    tables = [dataset.written() for _ in range(5)]
    for table in tables:
        assert refused(publisher.create_table, **table_parameters(table)) == "ResourceInUseException"
        assert refused(stranger.client("dynamodb").delete_table, TableName=table) == "AccessDeniedException"
        dataset.signal(table)
        dataset.signal(table)
    for table in tables:
        dataset.until_state(table, "valid")

    # All records of a period leave together: when the last table is noticed by its own, the others were delivered.
    fence = dataset.create()
    dataset.until_state(fence, "announced")
    cloud.until_drained()
    assert cloud.take(cloud.dead_letters) == []

    assert sorted(version["table"] for version in dataset.versions()) == sorted([*tables, fence])
    for table in tables:
        version = dataset.version_of(table)["version"]
        actions = dataset.actions(version)
        assert actions["promote"] + actions["skip_promotion"] == 1, actions
        dataset.assert_published_once(table, "promote" if actions["promote"] else "skip_promotion")
    assert dataset.live_table() == tables[-1], "the newest table, whatever the order of the records"
    assert dataset.actions(dataset.version_of(fence)["version"]) == {"announce": 1}
    text = json.dumps(list(cloud.registry_items().values()))
    assert [table for table in (never, deleted, unclaimed) if table in text] == []
    assert sum(dataset.actions().values()) == len(dataset.records()) == 1 + 5 * (len(LIFE) + 1) + 1


def test_a_sweep_finds_the_table_that_no_record_told_of(cloud, dataset):
    cloud.aws.settings(cloudtrail={"enabled": False})
    table = dataset.written()
    cloud.until_drained()
    assert dataset.versions() == []
    cloud.fire_sweep()
    version = dataset.until_state(table, "announced")
    assert "the sweep" in json.dumps(dataset.records(version["version"]), default=str)
    dataset.signal(table)
    dataset.until_live(table)
    cloud.fire_sweep()
    cloud.until_drained()
    dataset.assert_published_once(table, "promote")


def test_a_signal_alone_is_enough(cloud, dataset):
    cloud.aws.settings(cloudtrail={"enabled": False})
    table = dataset.publish()
    version = dataset.until_live(table)
    assert version["readiness"]["rung"] == "signal"
    dataset.assert_published_once(table, "promote")


def test_a_signal_that_comes_before_the_table_can_be_found_is_not_lost(cloud, dataset):
    cloud.aws.settings(cloudtrail={"enabled": False}, tables={"unseen_seconds": 1.5})
    table = dataset.new_table()
    cloud.publisher.client("dynamodb").create_table(**table_parameters(table))
    dataset.signal(table)
    until("the signal was put back", lambda: any("again in" in line and table in line for line in said(cloud)))
    cloud.aws.settings(tables={"unseen_seconds": 0.0})
    until("the table is active", lambda: dataset.status(table) == "ACTIVE")
    dataset.fill(table)
    dataset.until_live(table)
    dataset.assert_published_once(table, "promote")


def said(cloud) -> list[str]:
    return cloud.log_of(cloud.on_publish)


def test_the_tag_septet_ready_says_that_a_table_is_complete(cloud, new_dataset):
    dataset = new_dataset(readiness=["tag"])
    table = dataset.written()
    dataset.until_state(table, "announced")
    tag = cloud.publisher.client("dynamodb").tag_resource
    arn = cloud.dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    tag(ResourceArn=arn, Tags=[{"Key": "team", "Value": "recommendations"}])
    cloud.look(table)
    assert dataset.state_of(table) == "announced"
    tag(ResourceArn=arn, Tags=[{"Key": "septet:ready", "Value": "true"}])
    version = dataset.until_live(table)
    assert version["readiness"]["rung"] == "tag"
    assert ":user/publisher" in version["readiness"]["by"]
    dataset.assert_published_once(table, "promote")


def test_a_tag_whose_record_was_lost_is_found_by_the_sweep(cloud, new_dataset):
    dataset = new_dataset(readiness=["tag"])
    cloud.aws.settings(cloudtrail={"enabled": False})
    table = dataset.written()
    age(dataset, minutes=2)
    cloud.look(table)
    assert "untagged_at" in dataset.version_of(table), "a settled table was seen without the tag"
    arn = cloud.dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    tag = {"Key": "septet:ready", "Value": "true"}
    cloud.publisher.client("dynamodb").tag_resource(ResourceArn=arn, Tags=[tag])
    cloud.fire_sweep()
    assert dataset.until_live(table)["readiness"]["rung"] == "tag"


def test_a_manifest_that_agrees_passes(dataset):
    table = dataset.written(items=7)
    dataset.signal(table, items=7, by="nightly job")
    version = dataset.until_live(table)
    assert (version["readiness"]["rung"], version["counts"]["items"]) == ("manifest", 7)
    dataset.assert_published_once(table, "promote")


def test_a_manifest_that_does_not_agree_is_rejected_with_both_counts(dataset):
    good = dataset.publish_and_wait()
    table = dataset.written(items=7)
    dataset.signal(table, items=8)
    version = dataset.until_state(table, "rejected")
    assert version["verdict"]["outcome"] == "failed"
    (reason,) = version["verdict"]["reasons"]
    assert "8 items" in reason and "has 7" in reason
    assert dataset.live_table() == good["table"]


@pytest.mark.parametrize("form", ["CSV", "DYNAMODB_JSON"])
def test_an_import_from_s3_that_finished_is_complete(cloud, new_dataset, form):
    dataset = new_dataset(contract=False)
    document = dataset.contract(readiness=["import"])
    if form == "CSV":
        # Whatever is no key comes out of a CSV file as text.
        document["schema"][0]["properties"][1] = {"name": "score", "logicalType": "string", "physicalType": "S"}
    dataset.put_contract(document)
    table = dataset.new_table()
    import_items(cloud, table, form, [item(number) for number in range(1, 5)])
    version = dataset.until_live(table)
    assert version["readiness"] == {"rung": "import", "items": 4}
    dataset.assert_published_once(table, "promote")


def test_an_import_that_lost_items_is_not_complete(cloud, new_dataset):
    dataset = new_dataset(readiness=["import"])
    table = dataset.new_table()
    without_key = {"score": {"N": "0.5"}, "night": {"S": "2026-11-21"}}
    import_items(cloud, table, "DYNAMODB_JSON", [item(1), without_key])
    dataset.until_state(table, "announced")
    answer = cloud.look(table)
    assert answer.payload["ending"] == "waiting" and "import into a new table" in answer.payload["reason"], answer
    assert dataset.state_of(table) == "announced"
