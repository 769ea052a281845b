"""
Train on files that do not fit into memory
==========================================

This example trains on rows that stay in their file, because they are too many for
memory. ``fit`` takes a NumPy file that is mapped into memory, and ``partial_fit`` takes
a Parquet file a batch at a time.
Both files are small in this example, so the example is quick, and a fit on rows in
memory can be compared. The code is the same for files of any size.
"""

# %%
# Two files
# ---------
# Both files are written a part at a time, so memory never holds more than a part. The
# NumPy file has float32, half the size of float64. The Parquet file has the features as
# one list column, which needs no conversion when a reader reads the column. Its row
# groups have a few thousand rows, because a reader has to hold a whole row group.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sksoftmax import SoftmaxRegressionClassifier

n_train, n_features, n_classes, part = 60000, 50, 10, 3000
rng = np.random.default_rng(0)
weights = rng.normal(scale=0.5, size=(n_features, n_classes))
units = 10 ** rng.uniform(-1, 2, size=n_features)


def make_rows(n_rows):
    """Return rows in ill-matched units, and labels from a softmax model."""
    X = rng.normal(size=(n_rows, n_features))
    # The largest of raw predictions plus Gumbel noise is a draw from their softmax.
    y = (X @ weights + rng.gumbel(size=(n_rows, n_classes))).argmax(axis=1)
    return (X * units).astype(np.float32), y


def as_table(X, y):
    """Return the rows as an Arrow table, the features in one column."""
    rows = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), X.shape[1])
    return pa.table({"X": rows, "y": y})


folder = tempfile.TemporaryDirectory()
npy, parquet = Path(folder.name, "X.npy"), Path(folder.name, "rows.parquet")
X_file = np.lib.format.open_memmap(npy, "w+", np.float32, (n_train, n_features))
labels = np.empty(n_train, dtype=int)
schema = as_table(*make_rows(1)).schema
with pq.ParquetWriter(parquet, schema, use_dictionary=False) as writer:
    for start in range(0, n_train, part):
        X, y = make_rows(part)
        X_file[start : start + part] = X
        labels[start : start + part] = y
        writer.write_table(as_table(X, y))
X_file.flush()
del X_file
X_test, y_test = make_rows(10000)
for path in (npy, parquet):
    print(f"{path.name:13}{path.stat().st_size / 1e6:6.1f} MB")

# %%
# fit on the mapped file
# ----------------------
# The array is never copied. The system reads the pages that a batch needs, and drops
# the pages when memory is short. Only a few numbers a row are in memory: labels,
# weights and the order of the rows.
mapped = np.load(npy, mmap_mode="r")
of_file = SoftmaxRegressionClassifier(random_state=0).fit(mapped, labels)

in_memory = SoftmaxRegressionClassifier(random_state=0).fit(np.array(mapped), labels)
same = "yes" if np.array_equal(of_file.coef_, in_memory.coef_) else "no"
print(f"test accuracy, mapped file {of_file.score(X_test, y_test):.4f}")
print(f"test accuracy, in memory   {in_memory.score(X_test, y_test):.4f}")
print(f"the same weights: {same}")

# %%
# partial_fit on Parquet
# ----------------------
# Each batch is learned and can be forgotten. ``pre_buffer=False`` keeps the reader from
# reading ahead. The rows of this file are in random order. If rows are sorted, by class
# or by date, shuffle the rows when you write the file, because a stream follows its
# last rows. A second pass adds little here.
stream = SoftmaxRegressionClassifier(random_state=0)
rows_seen, accuracies = [], []
for _ in range(2):
    with pq.ParquetFile(parquet, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=part):
            X = batch["X"].flatten().to_numpy().reshape(len(batch), -1)
            y = batch["y"].to_numpy()
            stream.partial_fit(X, y, classes=np.arange(n_classes))
            rows_seen.append(len(batch) + (rows_seen[-1] if rows_seen else 0))
            accuracies.append(stream.score(X_test, y_test))
    print(f"test accuracy, Parquet {accuracies[-1]:.4f} after {rows_seen[-1]} rows")

# %%
# As the stream goes by
# ---------------------
# One pass comes close to the fit, which takes several passes. (Only this picture needs
# the score on the test rows after each batch.)
figure, axes = plt.subplots(figsize=(5.2, 4), layout="constrained")
axes.plot(
    np.array(rows_seen) / 1000,
    accuracies,
    "-o",
    color="black",
    label="partial_fit on Parquet, a batch at a time",
)
axes.axhline(
    of_file.score(X_test, y_test),
    color="#d55e00",
    linestyle="--",
    label=f"fit on the mapped file, {of_file.n_iter_} passes",
)
axes.axvline(n_train / 1000, color="0.5", linestyle=":", label="end of the first pass")
axes.set(
    xlabel="rows seen by partial_fit (thousands)",
    ylabel="test accuracy (share of rows)",
    title="One pass over the Parquet file comes close to the fit",
)
axes.legend()

# %%
# The mapped file is open as long as its array exists. No model keeps the array.
del mapped
folder.cleanup()

plt.show()
