"""One table in Parquet, packed in every way that pyarrow knows: tests/golden/data/parquet.json.

    python tools/golden/data/parquet.py        (pyarrow)

Several row groups, pages of a few kilobytes, texts that repeat and texts that do not, so that there is something to copy
from far back, and pages that do not pack at all.
"""

import base64
import io
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

OUT = Path(__file__).resolve().parents[3] / "tests" / "golden" / "data" / "parquet.json"
PACKINGS = ["NONE", "SNAPPY", "GZIP", "BROTLI", "ZSTD", "LZ4"]
ROWS = 120

random.seed(3)
WORDS = "refund order parcel late broken thanks please help über 退款".split()
texts = [" ".join(random.choices(WORDS, k=random.randint(1, 12))) for _ in range(ROWS)]
noise = [random.randbytes(12).hex() for _ in range(ROWS)]
stars = [None if i % 7 == 0 else random.randint(1, 5) for i in range(ROWS)]
table = pa.table({"text": texts, "noise": noise, "stars": pa.array(stars, pa.int32())})


def packed(packing: str) -> str:
    out = io.BytesIO()
    pq.write_table(
        table, out, compression=packing, row_group_size=50, data_page_size=2048, use_dictionary=False, store_schema=False
    )
    return base64.b64encode(out.getvalue()).decode()


rows = [[text, other, "" if star is None else str(star)] for text, other, star in zip(texts, noise, stars)]
golden = {
    "columns": table.column_names,
    "rows": rows,
    "files": {name: packed(name) for name in PACKINGS},
    # 100,000 zeros, by the names that the format has.
    "zeros": {
        name: base64.b64encode(pa.compress(bytes(100_000), codec=name.lower(), asbytes=True)).decode()
        for name in ["GZIP", "ZSTD", "BROTLI", "LZ4_RAW"]
    },
}
OUT.write_text(json.dumps(golden, ensure_ascii=False) + "\n")
