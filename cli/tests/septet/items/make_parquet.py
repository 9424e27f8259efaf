"""Makes items.parquet as a data scientist would: `pip install pyarrow`, then `python make_parquet.py items.parquet`."""

import datetime
import decimal
import sys

import pyarrow
from pyarrow import parquet

rows = [
    {
        "user_id": "u-1", "age": 41, "score": 0.25, "price": decimal.Decimal("19.990"), "vip": True,
        "tags": ["a", "b"], "raw": b"\x00\xff", "recs": [{"track_id": "t-1", "score": 0.5}, {"track_id": "t-2", "score": 1e-7}],
        "born": datetime.date(1985, 10, 26), "seen": datetime.datetime(2026, 11, 21, 2, tzinfo=datetime.UTC),
    },
    {"user_id": "u-2", "age": 7, "score": 3.0, "price": decimal.Decimal("1.000"), "vip": False, "recs": []},
]  # fmt: skip
pair = pyarrow.struct([("track_id", pyarrow.string()), ("score", pyarrow.float64())])
schema = pyarrow.schema([
    ("user_id", pyarrow.string()), ("age", pyarrow.int64()), ("score", pyarrow.float32()),
    ("price", pyarrow.decimal128(10, 3)), ("vip", pyarrow.bool_()), ("tags", pyarrow.list_(pyarrow.string())),
    ("raw", pyarrow.binary()), ("recs", pyarrow.list_(pair)), ("born", pyarrow.date32()),
    ("seen", pyarrow.timestamp("us", tz="UTC")),
])  # fmt: skip
parquet.write_table(pyarrow.Table.from_pylist(rows, schema), sys.argv[1], compression="zstd")
