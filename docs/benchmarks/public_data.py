"""Tasks from public data, read from files that the user has: see DATA.md.

Each function gets the folder of the files in their original formats.
"""

import gzip
import json
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tasks import Task


def fashion_mnist(folder: Path) -> Task:
    """Return Fashion-MNIST in float32; pixels from 0 to 1."""
    X, y, X_test, y_test = (
        _idx(folder / f"{part}-ubyte.gz")
        for part in (
            *("train-images-idx3", "train-labels-idx1"),
            *("t10k-images-idx3", "t10k-labels-idx1"),
        )
    )
    X, X_test = (
        rows.reshape(len(rows), -1).astype(np.float32) / np.float32(255)
        for rows in (X, X_test)
    )
    return Task("fashion_mnist", X, y.astype(int), X_test, y_test.astype(int), C=1.0)


def clinc150(folder: Path) -> Task:
    """Return 150 intents and the class "oos" from binary word counts; test in scope."""
    data = json.loads((folder / "data_full.json").read_text())
    rows = data["train"] + data["oos_train"]
    order = np.random.RandomState(0).permutation(len(rows))
    texts, labels = zip(*(rows[k] for k in order), strict=True)
    texts_test, labels_test = zip(*data["test"], strict=True)
    words = CountVectorizer(binary=True, token_pattern=r"\S+", dtype=np.float32)
    X, X_test = words.fit_transform(texts), words.transform(texts_test)
    classes, y = np.unique(labels, return_inverse=True)
    y_test = np.searchsorted(classes, labels_test)
    X, X_test = sp.csr_array(X), sp.csr_array(X_test)
    return Task("clinc150", X, y, X_test, y_test, 1.0, list(texts), list(texts_test))


def letter(folder: Path) -> Task:
    """Return 26 letters from 16 measures of their images, standardised."""
    rows = np.loadtxt(folder / "letter-recognition.data", dtype="U4", delimiter=",")
    y = np.unique(rows[:, 0], return_inverse=True)[1]
    return _standardised("letter", rows[:, 1:].astype(float), y, 16_000)


def shuttle(folder: Path) -> Task:
    """Return the Statlog shuttle data, 7 classes, standardised."""
    return _statlog("shuttle", folder / "shuttle.trn", folder / "shuttle.tst")


def satellite(folder: Path) -> Task:
    """Return the Statlog Landsat data, 6 classes of soil, standardised."""
    return _statlog("satellite", folder / "sat.trn", folder / "sat.tst")


def kddcup(folder: Path) -> Task:
    """Return KDD Cup 99, 10 %: 23 kinds of connections; a fifth of them to test."""
    path, text = folder / "kddcup.data_10_percent.gz", (1, 2, 3, 41)
    numbers = [column for column in range(42) if column not in text]
    values = np.loadtxt(path, np.float32, delimiter=",", usecols=numbers)
    *kinds, labels = np.loadtxt(path, "U20", delimiter=",", usecols=text).T
    one_hot = OneHotEncoder(sparse_output=False, dtype=np.float32)
    X = np.hstack([values, one_hot.fit_transform(np.transpose(kinds))])
    order = np.random.RandomState(0).permutation(len(X))
    y = np.unique(labels, return_inverse=True)[1]
    return _standardised("kddcup", X[order], y[order], len(X) * 4 // 5)


def conll2000(folder: Path) -> Task:
    """Return chunk tags from hashed words and parts of speech of three words."""
    (X, tags), (X_test, tags_test) = (
        _chunks(folder / f"conll2000.{part}.txt") for part in ("train", "test")
    )
    classes = np.unique([*tags, *tags_test])
    y, y_test = np.searchsorted(classes, tags), np.searchsorted(classes, tags_test)
    order = np.random.RandomState(0).permutation(len(y))
    return Task("conll2000", X[order], y[order], X_test, y_test, C=1.0)


def _idx(path):
    data = gzip.decompress(path.read_bytes())
    sizes = np.frombuffer(data, ">i4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(sizes)


def _statlog(name, train, test):
    rows = np.vstack([np.loadtxt(train), np.loadtxt(test)])
    n_train = len(np.loadtxt(train, usecols=0))
    return _standardised(name, rows[:, :-1], rows[:, -1].astype(int), n_train)


def _standardised(name, X, y, n_train):
    scaler = StandardScaler().fit(X[:n_train])
    X = scaler.transform(X).astype(np.float32)
    return Task(name, X[:n_train], y[:n_train], X[n_train:], y[n_train:], C=1.0)


def _chunks(path):
    tokens, tags = [], []
    for sentence in path.read_text().strip().split("\n\n"):
        rows = [line.split() for line in sentence.splitlines()]
        words, parts, chunks = zip(*rows, strict=True)
        tags += chunks
        words, parts = ["", *words, ""], ["", *parts, ""]
        for k in range(1, len(words) - 1):
            near = range(-1, 2)
            token = [f"w{i} {words[k + i].lower()}" for i in near]
            token += [f"p{i} {parts[k + i]}" for i in near]
            token += [f"pp{i} {parts[k + i]} {parts[k + i + 1]}" for i in (-1, 0)]
            tokens.append([*token, f"end {words[k][-3:]}"])
    hasher = FeatureHasher(2**18, input_type="string", dtype=np.float32)
    X = sp.csr_array(hasher.transform(tokens))
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return X, tags


TASKS = {
    make.__name__: make
    for make in (
        *(fashion_mnist, clinc150, letter, shuttle, satellite, conll2000, kddcup),
    )
}
FROM_FILES = {
    "fashion_mnist": [
        *("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        *("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
    ],
    "clinc150": ["data_full.json"],
    "letter": ["letter-recognition.data"],
    "shuttle": ["shuttle.trn", "shuttle.tst"],
    "satellite": ["sat.trn", "sat.tst"],
    "kddcup": ["kddcup.data_10_percent.gz"],
    "conll2000": ["conll2000.train.txt", "conll2000.test.txt"],
}
PUBLISHED = {"clinc150": "SVM 0.910, fastText 0.890 (Larson et al., 2019, table 1)"}
