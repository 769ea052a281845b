"""
Rare classes: what class weights give, and what they take
=========================================================

This example makes a model find rare classes, and keeps its probabilities right. If one
class is nine tenths of the rows, a model that nearly always predicts this class is
right nine times in ten. ``class_weight`` makes rare rows count more. Training then
finds more of the rare rows, and the probabilities are wrong. There is a way to have the
first effect without the second.
"""

# %%
# Three kinds of parts
# --------------------
# A (made up) machine makes 90 % good parts, 8 % scratched and 2 % cracked parts. Ten
# measurements tell the kinds apart, but not well.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import log_loss, recall_score
from sklearn.model_selection import train_test_split

from sksoftmax import SoftmaxRegressionClassifier

names = np.array(["cracked", "good", "scratched"])
rng = np.random.default_rng(0)
y = rng.choice(names, size=20000, p=[0.02, 0.9, 0.08])
X = rng.normal(size=(len(y), 10))
X[y == "scratched", :2] += [1.5, 0.5]
X[y == "cracked", 1] += 2
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.5, stratify=y, random_state=0
)

# %%
# Three weightings
# ----------------
# ``"balanced"`` gives all classes the same total weight. A dict sets the weight of each
# row of a class. In this example a crack counts ten times as much as all else, because
# missing a crack costs ten times as much. The recall is the share of a class that is
# found, and the probability is the mean over the test rows.
costs = {"cracked": 10}
models = {
    "None": SoftmaxRegressionClassifier(),
    '"balanced"': SoftmaxRegressionClassifier(class_weight="balanced"),
    "cracked: 10": SoftmaxRegressionClassifier(class_weight=costs),
}
for model in models.values():
    model.fit(X_train, y_train)


def recalls(predicted):
    """Return the share of each class that is found."""
    return recall_score(y_test, predicted, average=None)


shares = np.array([(y_test == name).mean() for name in names])
found = {name: recalls(model.predict(X_test)) for name, model in models.items()}
means = {
    name: model.predict_proba(X_test).mean(axis=0) for name, model in models.items()
}


def line(title, values):
    """Return a title and a number for each class."""
    return f"{title:11}" + "".join(f"{value:10.3f}" for value in values)


print(f"{'':11}" + "".join(f"{name:>10}" for name in names))
print(line("rows", shares))
for name, model in models.items():
    print(f"\nclass_weight {name}")
    print(line("recall", found[name]))
    print(line("probability", means[name]))
    print(
        f"accuracy {model.score(X_test, y_test):.3f}, "
        f"log-loss {log_loss(y_test, model.predict_proba(X_test)):.3f}"
    )

# %%
# The gain
# --------
# Weights find more of the rare parts, and more good parts are taken for bad ones.
looks = {
    "None": {"color": "black"},
    '"balanced"': {"color": "0.65"},
    "cracked: 10": {"color": "white", "hatch": "///"},
}
order = np.argsort(-shares)  # the most frequent class first


def draw_bars(values, ylabel, title):
    """Draw a bar for each class and model, and return the axes."""
    _, axes = plt.subplots(figsize=(5.2, 4), layout="constrained")
    for i, (name, heights) in enumerate(values.items()):
        axes.bar(
            np.arange(3) + 0.26 * (i - 1),
            heights[order],
            width=0.24,
            edgecolor="black",
            label=f"class_weight {name}",
            **looks[name],
        )
    axes.set(ylabel=ylabel, title=title, ylim=(0, 1.25), yticks=np.linspace(0, 1, 6))
    axes.set_xticks(range(3), labels=names[order])
    axes.legend(fontsize="small")
    return axes


axes = draw_bars(found, "share found (recall)", "Weights find more of the rare parts")

# %%
# The price
# ---------
# Without weights, the mean probability of a class is the share of its rows. A model
# with weights describes rows in which cracks are as frequent as the weights say.
axes = draw_bars(means, "mean probability", "Weights make probabilities wrong")
axes.hlines(
    shares[order],
    np.arange(3) - 0.45,
    np.arange(3) + 0.45,
    color="#d55e00",
    linestyle="--",
    linewidth=2,
    label="share of the rows",
)
axes.legend(fontsize="small")

# %%
# Both at once
# ------------
# Training does not need the weights. Keep the model without weights, whose
# probabilities are right, and use the weights in the decision. The decision multiplies
# each probability by the cost of missing the class, and takes the largest product.
# ``"balanced"`` amounts to a division by the shares of the classes.
plain = models["None"]
proba = plain.predict_proba(X_test)
train_shares = np.array([(y_train == name).mean() for name in plain.classes_])
factors = {
    '"balanced"': 1 / train_shares,
    "cracked: 10": np.array([costs.get(name, 1) for name in plain.classes_]),
}
print(f"{'recall':11}" + "".join(f"{name:>10}" for name in plain.classes_))
for name, factor in factors.items():
    decided = plain.classes_[(proba * factor).argmax(axis=1)]
    print(f"\n{name}")
    print(line("trained in", found[name]))
    print(line("afterwards", recalls(decided)))

# %%
# Both ways give nearly the same decisions, and the second way can change the costs
# without a new training. The reason is that a linear model is the right one for these
# rows. If a linear model is far from right, training with weights may do better, since
# training then fits the rows that matter. Conversely, ``correct_prior`` takes weights
# out of the probabilities again.
corrected = models['"balanced"'].correct_prior()
loss = log_loss(y_test, corrected.predict_proba(X_test))
print(f"log-loss of the balanced model, corrected: {loss:.3f}")

plt.show()
