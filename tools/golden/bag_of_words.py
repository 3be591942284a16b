"""What a bag of words reaches on a CSV of texts and labels: the baseline that a tuned model should beat.

    python bag_of_words.py ../../public/samples/support.csv

Five-fold cross-validated accuracy of logistic regression (scikit-learn): on word counts, and on TF-IDF of words and
pairs of words with C chosen inside each fold. The file's first column is the text, its second the label.
"""

import csv
import sys

from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

with open(sys.argv[1], newline="", encoding="utf-8") as file:
    rows = list(csv.reader(file))[1:]
texts, labels = [row[0] for row in rows], [row[1] for row in rows]
folds = StratifiedKFold(5, shuffle=True, random_state=0)

counts = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=2000))
pairs = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(max_iter=2000))
tuned = GridSearchCV(pairs, {"logisticregression__C": [1, 10, 100]}, cv=3)
for name, model in {"word counts": counts, "TF-IDF, words and pairs, tuned": tuned}.items():
    print(f"{name}: {cross_val_score(model, texts, labels, cv=folds).mean():.1%}")
