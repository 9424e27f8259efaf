"""What a night's job would publish, checked as a file before any table is there."""

import json
import subprocess
import sys

import pytest
import stack

CONTRACT = stack.ROOT / "contracts" / "recs-demo.odcs.yaml"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("schema", "recs[].score: physicalType N expected, S seen in 671 of 671 items"),
        ("half", "rowCount: 335 items, between 600 and 700 (both included) expected"),
        (None, None),
    ],
)
def test_what_goes_wrong_in_a_night_is_found_in_its_file(cloud, tmp_path, fault, reason):
    file, report = tmp_path / "recs.jsonl", tmp_path / "report.xml"
    job = [sys.executable, stack.ROOT / "local" / "ds_job.py", "--date", "2026-11-21", "--output", file]
    subprocess.run([*job, *(["--fault", fault] if fault else [])], check=True, timeout=60)
    done = cloud.septet("check", file, "--contract", CONTRACT, "--json", "--junit", report, code=1 if fault else 0)
    answer = json.loads(done.stdout)
    assert [one for one in answer["reasons"] if reason and one.startswith(reason)] or not (fault or answer["reasons"])
    assert ("<failure" in report.read_text()) == bool(fault)
