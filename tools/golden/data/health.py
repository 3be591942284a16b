"""References for the health report, by the libraries that others use: tests/golden/data/health.json.

- MinHash: pairs of word lists planted at chosen Jaccard similarities, with the true similarity of their shingles, and
  which of them datasketch's MinHashLSH finds (128 permutations).
- Confident learning: probabilities and labels, and the rows that cleanlab names (filter_by='prune_by_class').
- Log-odds with an informative Dirichlet prior (Monroe et al. 2008), written out in numpy.
- Broken encodings: texts, and what ftfy makes of them.
- Shares with Wilson's interval by statsmodels' formula in numpy, quantiles by the standard library.
- Entropy of classes, median absolute deviation by scikit-learn's and numpy's.

    .venv/bin/python tools/golden/data/health.py [--out file]
"""
import argparse
import json
import math
import statistics
from pathlib import Path

import ftfy
import numpy as np
from cleanlab.filter import find_label_issues
from datasketch import MinHash, MinHashLSH
from scipy import stats

SEED = 7


def minhash():
    rng = np.random.default_rng(SEED)
    pairs = []
    words = [f"w{i}" for i in range(4000)]
    for target in (0.5, 0.7, 0.8, 0.9):
        for _ in range(200 if target == 0.8 else 50):
            # Single words as shingles: two sets of n words that share s have s / (2n - s) in common.
            n = int(rng.integers(18, 60))
            shared = math.ceil(2 * n * target / (1 + target) - 1e-9)
            chosen = [words[i] for i in rng.choice(len(words), 2 * n - shared, replace=False)]
            a, b = chosen[:n], chosen[:shared] + chosen[n:]
            rng.shuffle(b)
            pairs.append((" ".join(a), " ".join(b), shared / (2 * n - shared)))
    lsh = MinHashLSH(threshold=0.8, num_perm=128)
    sketches = []
    for i, pair in enumerate(pairs):
        for side, text in enumerate(pair[:2]):
            sketch = MinHash(num_perm=128, seed=1)
            for word in text.split():
                sketch.update(word.encode())
            sketches.append(sketch)
            lsh.insert((i, side), sketch)
    found = [(i, 1) in lsh.query(sketches[2 * i]) for i in range(len(pairs))]
    return [{"a": a, "b": b, "jaccard": round(j, 6), "datasketch": bool(f)} for (a, b, j), f in zip(pairs, found)]


def confident():
    rng = np.random.default_rng(SEED)
    cases = []
    for rows, classes, noise in ((120, 2, 0.1), (300, 5, 0.08), (400, 12, 0.05)):
        truth = rng.integers(0, classes, rows)
        logits = rng.normal(0, 1, (rows, classes))
        logits[np.arange(rows), truth] += 2.2
        labels = truth.copy()
        flipped = rng.choice(rows, int(rows * noise), replace=False)
        labels[flipped] = (labels[flipped] + rng.integers(1, classes, len(flipped))) % classes
        probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        # float32, so that both sides compare the same numbers.
        probabilities = np.round(probabilities, 5).astype(np.float32)
        issues = find_label_issues(labels, probabilities.astype(np.float64), filter_by="prune_by_class", n_jobs=1)
        cases.append({
            "classes": classes,
            "labels": labels.tolist(),
            "probabilities": [float(f"{value:.5f}") for value in probabilities.reshape(-1)],
            "issues": np.flatnonzero(issues).tolist(),
        })
    return cases


def log_odds():
    rng = np.random.default_rng(SEED)
    counts = rng.poisson(rng.gamma(0.5, 20, (40, 1)) * rng.uniform(0.2, 1.8, (40, 4))).astype(float)
    counts[counts.sum(1) == 0, 0] = 1
    totals = counts.sum(0)
    prior = 1000.0
    alpha = prior * counts.sum(1) / totals.sum()
    scores = []
    for label in range(4):
        y_i, n_i = counts[:, label], totals[label]
        y_j, n_j = counts.sum(1) - y_i, totals.sum() - n_i
        delta = np.log((y_i + alpha) / (n_i + prior - y_i - alpha)) - np.log((y_j + alpha) / (n_j + prior - y_j - alpha))
        scores.append((delta / np.sqrt(1 / (y_i + alpha) + 1 / (y_j + alpha))).tolist())
    return {"prior": prior, "counts": counts.tolist(), "totals": totals.tolist(), "z": scores}


MEANT = [
    "café", "naïve", "don’t worry", "“quoted”", "Ångström", "São Paulo", "piñata", "smörgåsbord", "fiancée – yes",
    "It’s 5 € only…", "Grüße aus München", "è già così", "El Niño", "crème brûlée", "Zürich", "œuvre", "Łódź",
    "Привет, мир", "Добрый день", "Καλημέρα", "日本語の文章", "한국어", "naïveté ☺", "emoji 😀 here", "100 °C", "½ cup",
    "µ-opioid", "© 2024", "• point", "Müller & Söhne", "ação", "coração", "façade", "Dvořák", "żółć", "Škoda",
]
CLEAN = [
    "plain text", "café", "“quoted”", "Ångström", "São Paulo", "MENÜ”", "RENÉ’s", "NÃO", "Ça va ?", "À «Paris»",
    "5 € – 10 €", "naïve", "Привет", "日本語", "😀", "½", "ÄÖÜ", "L’Été", "Ñandú", "© ®", "Île-de-France", "Œuvre",
    "fiancée", "AC/DC", "100%", "C++", "Ø 12 mm", "Škoda", "İstanbul", "Đà Nẵng", "à la carte", "Ôn", "EÜ “x”",
]


def encodings():
    broken = []
    for text in MEANT:
        for codec in ("windows-1252", "latin-1"):
            try:
                wrong = text.encode("utf-8").decode(codec)
            except UnicodeDecodeError:
                # As browsers have it: the five holes of windows-1252 are control characters.
                wrong = "".join(bytes([b]).decode(codec, "ignore") or chr(b) for b in text.encode("utf-8"))
            # A text of ASCII alone does not break; control characters alone are another finding.
            if wrong != text and [wrong, text] not in broken:
                broken.append([wrong, text])
    return {
        "broken": [{"text": wrong, "meant": text, "ftfy": ftfy.fix_encoding(wrong)} for wrong, text in broken],
        "clean": [{"text": text, "ftfy": ftfy.fix_encoding(text)} for text in CLEAN],
    }


def intervals():
    def wilson(k, n):
        low, high = stats.binomtest(k, n).proportion_ci(method="wilson")
        return [k, n, low, high]

    return {
        "wilson": [wilson(k, n) for k, n in ((0, 10), (1, 10), (5, 10), (10, 10), (37, 512), (99900, 100000))],
        "quantiles": [[p, statistics.NormalDist().inv_cdf(p)] for p in (1e-6, 0.0002, 0.01, 0.025, 0.3, 0.5, 0.9, 0.99999)],
        "evenness": [[counts, float(stats.entropy(counts) / math.log(len(counts)))]
                     for counts in ([50, 50], [95, 5], [10, 20, 30], [1000, 1, 1, 1])],
        "mad": [[values, float(np.median(values)), float(stats.median_abs_deviation(values))]
                for values in ([1, 2, 3, 4, 100], [5, 5, 5, 5], [0.5, 1.5, 2.5, 9], list(range(1, 30)))],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=Path(__file__).parents[3] / "tests/golden/data/health.json")
    args = parser.parse_args()
    sections = {"minhash": minhash(), "confident": confident(), "logOdds": log_odds(), "encodings": encodings(),
                "statistics": intervals()}
    lines = []
    for name, value in sections.items():
        if isinstance(value, list):
            inner = ",\n".join(json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in value)
            lines.append(f'"{name}":[\n{inner}\n]')
        else:
            lines.append(f'"{name}":{json.dumps(value, ensure_ascii=False, separators=(",", ":"))}')
    Path(args.out).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
