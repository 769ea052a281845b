"""
A table with categories, and its weights as odds
================================================

This example trains on a table with words in some columns and numbers in others, and
reads the weights of the model back as odds. The table is made by the script from known
odds, so that the weights can be compared with the truth.
"""

# %%
# How people travel to work
# -------------------------
# Each row is a (made up) trip: the weather, the kind of place, the distance, and the
# choice of bike, bus or car. ``truth`` says how much each word adds to the score of
# each choice. The choice is drawn from the softmax of the scores.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sksoftmax import SoftmaxRegressionClassifierCV
from sksoftmax.inspection import CoefficientDisplay

choices = np.array(["bike", "bus", "car"])
truth = {
    "dry": [0.8, 0.0, 0.0],
    "rain": [-0.6, 0.3, 0.4],
    "snow": [-1.8, 0.6, 0.0],
    "town": [0.6, 0.5, -0.6],
    "suburb": [0.0, 0.2, 0.2],
    "village": [-0.2, -1.2, 0.9],
}
per_km = np.array([-0.25, 0.0, 0.02])
rng = np.random.default_rng(0)
n_trips = 6000
X = pd.DataFrame(
    {
        "weather": rng.choice(["dry", "rain", "snow"], n_trips, p=[0.6, 0.3, 0.1]),
        "place": rng.choice(["town", "suburb", "village"], n_trips, p=[0.4, 0.4, 0.2]),
        "km": rng.gamma(2, 3, n_trips).round(1),
    }
)
scores = np.array([truth[word] for word in X["weather"]])
scores += [truth[word] for word in X["place"]]
scores += X["km"].to_numpy()[:, None] * per_km + [1, 0, 0]
y = choices[[rng.choice(3, p=p) for p in softmax(scores, axis=1)]]
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
print(X_train.assign(choice=y_train).head(4).to_string(index=False))

# %%
# A column for each word
# ----------------------
# ``OneHotEncoder`` makes a column of zeros and ones for each word. Distances are
# standardised, because the penalty weighs more on features with small values. A word
# that training has not seen gets zeros in all columns, instead of an error.
model = make_pipeline(
    make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["weather", "place"]),
        (StandardScaler(), ["km"]),
        verbose_feature_names_out=False,
    ),
    SoftmaxRegressionClassifierCV(),
)
model.fit(X_train, y_train)
shares = DummyClassifier().fit(X_train, y_train)  # predicts the shares of the choices
print(f"test log-loss of the model {log_loss(y_test, model.predict_proba(X_test)):.3f}")
print(f"without the table {log_loss(y_test, shares.predict_proba(X_test)):.3f}")

# %%
# The weights
# -----------
# A weight is what a word adds to the score of a choice. Only differences between
# choices matter: adding the same number to all three scores changes no probability. The
# penalty makes the three weights of a word sum to zero, so a weight compares a choice
# with the average choice.
figure, all_axes = plt.subplots(
    3, 1, figsize=(5, 7.2), sharex=True, layout="constrained"
)
CoefficientDisplay.from_estimator(model, ax=all_axes)
figure.suptitle("Snow speaks against the bike,\na village against the bus")

# %%
# Weights as odds
# ---------------
# The score of bike minus the score of car is the logarithm of their odds,
# P(bike) / P(car). If rain takes the place of dry weather, the log-odds change by a
# difference of weights. The exponential of this difference is a factor on the odds. The
# factor does not depend on the place or the distance.
columns = model[:-1].get_feature_names_out()
weights = pd.DataFrame(model[-1].coef_, index=choices, columns=columns)


def log_odds(weights, choice, word, reference):
    """Return what a word adds to log(P(choice) / P(car)), beside another word."""
    of_choice, of_car = weights.loc[choice], weights.loc["car"]
    return (of_choice - of_car)[word] - (of_choice - of_car)[reference]


true_weights = pd.DataFrame(truth, index=choices)
comparisons = [
    ("bike", "rain", "dry", "weather"),
    ("bike", "snow", "dry", "weather"),
    ("bike", "village", "town", "place"),
    ("bus", "rain", "dry", "weather"),
    ("bus", "snow", "dry", "weather"),
    ("bus", "village", "town", "place"),
]
rows = {}
for choice, word, reference, column in comparisons:
    fitted = log_odds(weights, choice, f"{column}_{word}", f"{column}_{reference}")
    rows[f"{choice}: {word}, not {reference}"] = (
        fitted,
        log_odds(true_weights, choice, word, reference),
    )
table = pd.DataFrame(rows, index=["log-odds", "truth"]).T
table["factor"] = np.exp(table["log-odds"])
print(table.round(2).to_string())

# %%
# The picture compares the fitted log-odds with those that made the table. The points
# are as near the truth as 4500 trips can tell. Most points lie a little nearer to zero,
# because the penalty shrinks weights.
figure, axes = plt.subplots(figsize=(5.2, 3.8), layout="constrained")
axes.axvline(0, color="0.8")
look = {"marker": "|", "s": 300, "linewidth": 3, "color": "#d55e00"}
axes.scatter(table["truth"], table.index, label="truth", **look)
axes.scatter(table["log-odds"], table.index, label="fitted", color="black")
axes.invert_yaxis()
axes.set_xlabel("change of the log-odds, beside the car")
figure.suptitle("The model finds the odds that made the table")
axes.margins(y=0.1)
axes.legend(loc="upper right")

# %%
# A word that is new
# ------------------
# Fog is not in the table. All columns of the weather are then zero. The weights of the
# three words sum to about zero for each choice, so fog counts as weather of an average
# kind. The penalty is the reason again.
trips = pd.DataFrame({"weather": ["dry", "fog", "snow"], "place": "town", "km": 3.0})
proba = pd.DataFrame(model.predict_proba(trips), trips["weather"], choices)
print(proba.round(2).to_string())
weather = [name for name in columns if name.startswith("weather")]
print("sums of the weights:", weights[weather].sum(axis=1).round(2).tolist())

plt.show()
