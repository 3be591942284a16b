"""A small table and what pandas says of its columns, for tests/golden/data/profile.json.

    .venv/bin/python tools/golden/column_profiles.py            # writes it
    .venv/bin/python tools/golden/column_profiles.py --check    # makes it again and compares
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

OUT = Path(__file__).resolve().parents[2] / "tests/golden/data/profile.json"
ROWS = 400
QUANTILES = [0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1]
# What Graft calls a stretch of time, and pandas' name for it.
PERIODS = {"hour": "h", "day": "D", "week": "W", "month": "M", "quarter": "Q", "year": "Y"}


def table(rng: np.random.Generator) -> dict[str, list[str]]:
    words = ["card", "café", "lost", "my", "naïve", "日本語", "🙂", "🇩🇪", "don't", "e-mail", "\u00a0", "\u2003x", "tab\tbed"]

    def text() -> str:
        return " ".join(rng.choice(words, rng.integers(1, 30)))

    def sometimes(value: str, share: float) -> str:
        return rng.choice(["", "  "]) if rng.random() < share else value

    def dates(start: str, days: float) -> list[str]:
        at = pd.Timestamp(start) + pd.to_timedelta(np.round(rng.random(ROWS) * days * 86400), unit="s")
        return [sometimes(str(each.isoformat()), 0.05) for each in at]

    return {
        "text": [sometimes(text(), 0.04) for _ in range(ROWS)],
        "label": [sometimes(str(each), 0.02) for each in rng.choice(["a", "b", "c", "dé"], ROWS, p=[0.5, 0.3, 0.15, 0.05])],
        "price": [sometimes(repr(float(each)), 0.1) for each in np.round(rng.lognormal(3, 1.5, ROWS), 2)],
        "large": [repr(float(each)) for each in 1e9 + rng.normal(0, 1e-3, ROWS)],
        "age": [sometimes(str(each), 0.03) for each in rng.integers(18, 41, ROWS)],
        "steps": [str(each) for each in rng.integers(-5000, 5000, ROWS)],
        "hours": dates("2025-03-01T05:00:00", 2),
        "days": dates("2024-02-20T00:00:00", 60),
        "weeks": dates("2023-12-25T00:00:00", 500),
        "months": dates("2020-01-31T00:00:00", 2500),
        "quarters": dates("2001-05-01T00:00:00", 8000),
        "years": dates("1899-05-01T00:00:00", 40000),
    }


def numbers(series: pd.Series) -> dict[str, object]:
    return {
        "count": int(series.count()),
        "minimum": float(series.min()),
        "maximum": float(series.max()),
        "mean": float(series.mean()),
        "deviation": float(series.std()),
        "quantiles": [{"q": q, "value": float(series.quantile(q))} for q in QUANTILES],
    }


def periods(series: pd.Series, unit: str) -> dict[str, object]:
    counts = series.dt.to_period(PERIODS[unit]).value_counts().sort_index()
    return {
        "count": int(series.count()),
        "earliest": series.min().isoformat(),
        "latest": series.max().isoformat(),
        "unit": unit,
        "bins": [[int(period.start_time.value // 10**6), int(count)] for period, count in counts.items()],
    }


def profile(name: str, cells: pd.Series) -> dict[str, object]:
    stripped = cells.str.strip()
    filled = stripped[stripped != ""]
    counts = filled.value_counts()
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0].encode("utf-16-be")))[:20]
    out: dict[str, object] = {
        "missing": int((stripped == "").sum()),
        "distinct": int(filled.nunique()),
        "top": [[value, int(count)] for value, count in top],
    }
    if name in ("text", "label"):
        kept = cells[stripped != ""]
        out["characters"] = numbers(kept.str.len())
        out["words"] = numbers(kept.str.split().str.len())
    elif name in ("price", "large", "age", "steps"):
        out["numbers"] = numbers(pd.to_numeric(filled))
    else:
        out["dates"] = periods(pd.to_datetime(filled, format="ISO8601"), name.removesuffix("s"))
    return out


def main() -> None:
    cells = table(np.random.default_rng(5))
    frame = pd.DataFrame(cells, dtype="object")
    profiles = {name: profile(name, frame[name]) for name in cells}
    made = json.dumps({"pandas": pd.__version__, "cells": cells, "profiles": profiles}, ensure_ascii=False, separators=(",", ":")) + "\n"
    if "--check" in sys.argv:
        same = OUT.read_text(encoding="utf-8") == made
        print("identical" if same else "DIFFERENT")
        sys.exit(0 if same else 1)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(made, encoding="utf-8")
    print(f"{OUT.name}: {len(made)} bytes")


main()
