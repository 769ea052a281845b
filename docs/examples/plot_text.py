"""
Topics of short texts, and the words that decide
================================================

This example sorts short messages into five topics, and draws the words with the largest
weights. Text becomes a wide sparse matrix, a column for each word, and a linear
classifier on this matrix is still a strong start. The classifier is quick and readable:
each word has a weight for each topic.
"""

# %%
# Messages about five topics
# --------------------------
# The messages are made up from lists of words. Some words of a message are about its
# topic, some about another topic, and most about nothing. A few words stand in two
# lists. A star may be in the sky or on a stage.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sksoftmax import SoftmaxRegressionClassifierCV

topics = {
    "cooking": """onion garlic butter oven flour simmer recipe pepper soup dough sauce
        spoon roast stir taste lemon season stock bake plate""",
    "law": """judge jury lawyer appeal verdict witness trial statute contract clause
        evidence crime plaintiff court sentence bar oath guilty ruling case""",
    "music": """guitar piano melody rhythm chord violin album concert choir tune drum
        lyrics orchestra tempo star pitch bar record band note""",
    "sky": """planet orbit telescope galaxy moon comet eclipse meteor nebula crater
        saturn lens star sun dust gravity dwarf probe launch rocket""",
    "sport": """goal match team coach referee league penalty striker tackle sprint
        medal stadium injury pitch court record season defender score cup""",
}
topics = {topic: words.split() for topic, words in topics.items()}
filler = """the a and of to in is was it for on with as at by from this that very some
    then after before again today new old long good two about people day time make
    take see come think know really other just still never often here there"""
filler = filler.split()


def message(topic, rng):
    """Return a message of 6 to 14 words, about a third of them on the topic."""
    other = rng.choice([name for name in topics if name != topic])
    sources = [topics[topic], topics[other], filler]
    chosen = rng.choice(3, size=rng.integers(6, 15), p=[0.35, 0.15, 0.5])
    return " ".join(rng.choice(sources[i]) for i in chosen)


rng = np.random.default_rng(0)
y = rng.choice(list(topics), size=4000)
texts = [message(topic, rng) for topic in y]
texts_train, texts_test, y_train, y_test = train_test_split(
    texts, y, test_size=0.25, random_state=0
)
for text, topic in zip(texts_train[:3], y_train[:3], strict=True):
    print(f"{topic}: {text}")

# %%
# A Pipeline from text to topic
# -----------------------------
# ``fit`` takes the sparse matrix of the vectorizer without a copy. Rows of tf-idf have
# a length of one, spread over some words, so weights have to be large to say anything.
# The best penalty for texts is therefore often weaker than the best one for
# standardised features. ``SoftmaxRegressionClassifierCV`` chooses among four penalties.
model = make_pipeline(
    TfidfVectorizer(), SoftmaxRegressionClassifierCV(alphas=[1e-2, 1e-3, 1e-4, 1e-5])
)
model.fit(texts_train, y_train)
for alpha, score in zip(model[-1].alphas_, model[-1].mean_score_, strict=True):
    print(f"alpha={alpha:g}: log-loss in cross-validation {-score:.3f}")

alpha = model[-1].alpha_
n_texts, n_words = model[:-1].transform(texts_train).shape
print(f"\n{n_texts} messages, {n_words} different words, alpha={alpha:g}")
print(f"test accuracy {model.score(texts_test, y_test):.3f}")
print(f"test log-loss {log_loss(y_test, model.predict_proba(texts_test)):.3f}")

# %%
# ``LogisticRegression`` solves the same problem with C = 1 / (alpha * n_samples). On
# texts as few and short as these, LogisticRegression is quick enough, too.
reference = make_pipeline(TfidfVectorizer(), LogisticRegression(C=1 / alpha / n_texts))
reference.fit(texts_train, y_train)
same = (reference.predict(texts_test) == model.predict(texts_test)).mean()
print(f"LogisticRegression predicts the same for {same:.1%} of the test messages")

# %%
# The words that decide
# ---------------------
# The picture shows the eight largest weights of each topic. A weight times the word's
# tf-idf is added to the topic's raw prediction, the logarithm of its probability up to
# a constant.
words = model[0].get_feature_names_out()
classifier = model[-1]
weights = dict(zip(classifier.classes_, classifier.coef_, strict=True))

figure, all_axes = plt.subplots(
    3, 2, figsize=(5.2, 7.6), sharex=True, layout="constrained"
)
for axes, topic in zip(all_axes.flat, weights, strict=False):
    largest = np.argsort(weights[topic])[-8:]
    axes.barh(words[largest], weights[topic][largest], color="0.6")
    axes.set_title(topic)
all_axes[1, 1].xaxis.set_tick_params(labelbottom=True)
figure.supxlabel("weight (nats per unit of tf-idf)", fontsize="medium")
all_axes[2, 1].axis("off")
figure.suptitle("The words that speak most for each topic")

# %%
# Words of two topics
# -------------------
# A word of two lists speaks for both topics, and against the others. For each of its
# topics, the word speaks less loudly than most words of one list do.
shared = [
    word for word in words if sum(word in of_topic for of_topic in topics.values()) > 1
]
columns = [np.flatnonzero(words == word)[0] for word in shared]
table = classifier.coef_[:, columns].T
for name, group in {"one list": words, "two lists": shared}.items():
    own = [
        weights[topic][np.flatnonzero(words == word)[0]]
        for topic, of_topic in topics.items()
        for word in of_topic
        if word in group and (word in shared) == (group is shared)
    ]
    print(f"words of {name}: mean weight for their topics {np.mean(own):.2f}")

# sphinx_gallery_thumbnail_number = 2
figure, axes = plt.subplots(figsize=(5.2, 4), layout="constrained")
limit = 1.7 * np.abs(table).max()  # pale enough for black numbers
axes.imshow(table, cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto")
for (i, j), weight in np.ndenumerate(table):
    axes.text(j, i, f"{weight:+.1f}", ha="center", va="center")
axes.set_xticks(range(len(weights)), labels=list(weights))
axes.set_yticks(range(len(shared)), labels=shared)
axes.set(xlabel="topic", ylabel="word", title="Each word speaks for its two topics")

# %%
# So a message of such words alone is left in doubt, and another word decides.
start = "a record on the pitch"
for text in [start, f"{start} of the stadium", f"{start} of the choir"]:
    proba = model.predict_proba([text])[0]
    likely = np.argsort(proba)[::-1][:3]
    said = ", ".join(f"{classifier.classes_[i]} {proba[i]:.2f}" for i in likely)
    print(f"{text!r}: {said}")

plt.show()
