"""The contract model gives the verdicts of the standard's own tools, but for the listed differences.

What Septet says is on record in this folder's neighbours, and cargo's tests hold it to be so: documents in
`corpus/good` are read, those in `corpus/bad` refused, and `compatibility/cases.json` says what breaks each way. Here
the tools say what they think of the same documents: `datacontract lint`, `datacontract breaking` and the JSON Schema of
the standard. Wherever they differ, `differences.json` says why; a difference that is not listed fails, and so does a
listed one that is gone.
"""

import json
import logging
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import yaml
from datacontract.data_contract import DataContract

HERE = Path(__file__).parent
CORPUS = HERE.parent / "corpus"
CASES = json.loads((HERE.parent / "compatibility" / "cases.json").read_text())
DIFFERENCES = json.loads((HERE / "differences.json").read_text())
DOCUMENTS = sorted(path for folder in ("good", "bad") for path in (CORPUS / folder).iterdir())
SCHEMA = json.loads((resources.files("open_data_contract_standard") / "schema.json").read_text())

logging.disable(logging.CRITICAL)


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def listed(tool: str, name: str, septet: bool, theirs: bool):
    """Fails on a difference that is not listed, and on a listed one that is none."""
    reason = DIFFERENCES[tool].get(name)
    if septet == theirs:
        assert reason is None, f"{name}: Septet and {tool} agree by now: take it off differences.json"
    else:
        assert reason, (
            f"{name}: Septet says {septet}, {tool} says {theirs}: list it in differences.json with the reason"
        )


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_lint_gives_the_same_verdict(path):
    run = DataContract(data_contract_str=path.read_text(), inline_references=False).lint()
    # A warning is a verdict of valid; a document that is converted from another standard is none of this one.
    converted = any("auto-converted" in (check.reason or "") for check in run.checks)
    valid = run.result.value in ("passed", "warning") and not converted
    listed("datacontract lint", named(path), path.parent.name == "good", valid)


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_the_json_schema_gives_the_same_verdict(path):
    try:
        document = yaml.safe_load(path.read_text())
    except yaml.YAMLError:
        valid = False
    else:
        valid = jsonschema.Draft201909Validator(SCHEMA).is_valid(document)
    listed("JSON Schema", named(path), path.parent.name == "good", valid)


def contract(properties: list):
    """The tool's own model of a contract with these properties."""
    if not any(one["name"] == "id" for one in properties):
        properties = [{"name": "id", "physicalType": "S", "primaryKey": True}, *properties]
    document = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": "x",
        "name": "x",
        "version": "1.0.0",
        "schema": [{"name": "x", "properties": properties}],
    }
    return DataContract(data_contract_str=json.dumps(document), inline_references=False).get_data_contract()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["what"])
def test_breaking_gives_the_same_verdict(case):
    """The producer's perspective is that of new readers on old data, the consumer's that of old ones on new data."""
    old, new = contract(case["old"]), contract(case["new"])
    for direction, perspective in (("backward", "producer"), ("forward", "consumer")):
        before, after = DataContract(data_contract=old), DataContract(data_contract=new)
        theirs = before.breaking(after, perspective=perspective).is_breaking
        listed("datacontract breaking", f"{direction}: {case['what']}", bool(case[direction]), theirs)


def test_the_corpus_is_large_and_every_listed_difference_names_a_document():
    assert len(DOCUMENTS) >= 60
    documents = {named(path) for path in DOCUMENTS}
    cases = {f"{direction}: {case['what']}" for case in CASES for direction in ("backward", "forward")}
    assert DIFFERENCES["datacontract lint"].keys() <= documents
    assert DIFFERENCES["JSON Schema"].keys() <= documents
    assert DIFFERENCES["datacontract breaking"].keys() <= cases
