"""What is recorded of each epoch, and who is told: validation data and callbacks."""

import threading

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax._targets import ProbabilityTable
from sksoftmax._validation import weigh_rows

try:
    from sklearn.callback import ProgressBar, ScoringMonitor
except ImportError:
    ProgressBar = ScoringMonitor = None

NEEDS_CALLBACKS = pytest.mark.skipif(
    ScoringMonitor is None, reason="scikit-learn has callbacks from 1.9 on"
)
OVERFITTING = {"alpha": 0, "batch_size": 32, "random_state": 0}


@pytest.fixture
def halves(digits):
    """Return few digits to train on and many to validate on."""
    X, y = digits
    return X[:200], y[:200], {"X_val": X[200:], "y_val": y[200:]}


# Validation data


def test_validation_data_turn_early_stopping_on(halves):
    X, y, others = halves
    clf = SoftmaxRegressionClassifier(n_iter_no_change=9, **OVERFITTING)

    clf.fit(X, y, **others)

    curve = clf.validation_loss_curve_
    assert len(curve) == clf.n_iter_ == len(clf.loss_curve_)
    assert clf.best_validation_loss_ == min(curve) < curve[-1]
    found = log_loss(others["y_val"], clf.predict_proba(others["X_val"]))
    assert found == pytest.approx(min(curve), rel=1e-6)


def test_epoch_of_svrg_counts_as_one_for_the_patience(halves):
    X, y, others = halves
    params = OVERFITTING | {"alpha": 1e-2, "solver": "svrg", "n_iter_no_change": 3}
    clf = SoftmaxRegressionClassifier(warm_start=True, **params)
    clf.set_params(tol=None, max_iter=1).fit(X, y)
    # Epochs of SVRG from there on, which raise a loss of other labels.
    clf.set_params(tol=1e-9, max_iter=100)

    clf.fit(X, y, X_val=others["X_val"], y_val=(others["y_val"] + 1) % 10)

    best = int(np.argmin(clf.validation_loss_curve_))
    assert clf.n_iter_ - 1 - best == 3


def test_without_them_it_is_off(halves):
    X, y, _ = halves
    clf = SoftmaxRegressionClassifier(**OVERFITTING).fit(X, y)

    assert not hasattr(clf, "validation_loss_curve_")
    assert not hasattr(clf, "best_validation_loss_")


@pytest.mark.parametrize("switch", [True, False])
def test_a_boolean_of_numpy_is_one(halves, switch):
    X, y, others = halves
    ours, numpys = (
        SoftmaxRegressionClassifier(early_stopping=value, **OVERFITTING)
        for value in (switch, np.bool_(switch))
    )

    numpys.fit(X, y, **others)

    assert numpys.n_iter_ == ours.fit(X, y, **others).n_iter_
    aside = numpys.fit(X, y)
    assert hasattr(aside, "validation_loss_curve_") == switch


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("factor", [1e-50, 1e39])
def test_a_common_factor_of_their_weights_changes_nothing(halves, dtype, factor):
    X, y, others = halves
    X, X_val = X.astype(dtype), others["X_val"].astype(dtype)
    weight = np.random.RandomState(0).exponential(size=len(X_val))
    plain, scaled = (SoftmaxRegressionClassifier(**OVERFITTING) for _ in "ab")
    plain.fit(X, y, X_val=X_val, y_val=others["y_val"], sample_weight_val=weight)

    weight = factor * weight
    scaled.fit(X, y, X_val=X_val, y_val=others["y_val"], sample_weight_val=weight)

    assert scaled.validation_loss_curve_ == pytest.approx(
        plain.validation_loss_curve_, rel=1e-5
    )


def test_a_row_of_weight_zero_is_not_there(halves):
    X, y, others = halves
    X_val, y_val = others["X_val"], others["y_val"]
    weight = np.ones(len(y_val))
    weight[3] = 0
    clf, without = (SoftmaxRegressionClassifier(**OVERFITTING) for _ in "ab")
    keep = weight > 0
    without.fit(X, y, X_val=X_val[keep], y_val=y_val[keep])

    X_val = X_val.copy()
    X_val[3] = 1e300
    clf.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight)

    assert clf.validation_loss_curve_ == pytest.approx(without.validation_loss_curve_)


@pytest.mark.parametrize("seed", range(3))
def test_all_rows_in_one_batch_are_given_time(datasets, seed):
    X, y = datasets["wine"]
    X, X_val, y, y_val = train_test_split(X, y, random_state=seed, stratify=y)
    long = SoftmaxRegressionClassifier(tol=None, max_iter=100)

    clf = SoftmaxRegressionClassifier().fit(X, y, X_val=X_val, y_val=y_val)

    long.fit(X, y, X_val=X_val, y_val=y_val)
    assert clf.n_iter_ < 60
    assert clf.best_validation_loss_ < 1.3 * long.best_validation_loss_


def test_true_with_validation_data_sets_no_rows_aside(halves):
    X, y, others = halves
    auto, true = (
        SoftmaxRegressionClassifier(early_stopping=switch, **OVERFITTING)
        for switch in ("auto", True)
    )

    true.fit(X, y, **others)

    assert_array_equal(true.coef_, auto.fit(X, y, **others).coef_)


def test_false_records_and_does_not_obey(halves):
    X, y, others = halves
    clf = SoftmaxRegressionClassifier(early_stopping=False, **OVERFITTING)
    stopped = SoftmaxRegressionClassifier(**OVERFITTING).fit(X, y, **others)

    clf.fit(X, y, **others)

    assert clf.n_iter_ > stopped.n_iter_
    common = stopped.n_iter_
    assert_array_equal(
        clf.validation_loss_curve_[:common], stopped.validation_loss_curve_
    )
    assert clf.best_validation_loss_ == min(clf.validation_loss_curve_)
    alone = SoftmaxRegressionClassifier(early_stopping=False, **OVERFITTING).fit(X, y)
    assert_array_equal(clf.coef_, alone.coef_)


@pytest.mark.parametrize("class_weight", [None, "balanced", {3: 10.0}], ids=str)
def test_they_count_as_rows_set_aside_do(digits, class_weight):
    X, y = digits
    weight = np.random.RandomState(1).exponential(size=len(y))
    params = {"batch_size": len(y), "class_weight": class_weight, "random_state": 0}
    inside = SoftmaxRegressionClassifier(early_stopping=True, **params)
    seed = np.random.RandomState(0).randint(2**31 - 1)
    aside = train_test_split(
        np.arange(len(y)),
        test_size=0.1,
        random_state=np.random.RandomState(seed),
        stratify=y,
    )
    train, held_out = map(np.sort, aside)
    if class_weight == "balanced":  # by the rows that are trained on, or by all
        totals = np.bincount(y, weight)
        params["class_weight"] = dict(enumerate(totals.sum() / (10 * totals)))
    given = SoftmaxRegressionClassifier(**params)

    given.fit(
        X[train],
        y[train],
        weight[train],
        X_val=X[held_out],
        y_val=y[held_out],
        sample_weight_val=weight[held_out],
    )

    inside.fit(X, y, weight)
    assert given.validation_loss_curve_ == pytest.approx(
        inside.validation_loss_curve_, rel=1e-6
    )
    assert_allclose(given.coef_, inside.coef_, atol=1e-6)


KINDS = {
    "csr": sp.csr_array,
    "integers": lambda X: X.astype(np.uint8),
    "float32": lambda X: X.astype(np.float32),
    "lists": lambda X: X.tolist(),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_they_may_be_of_another_kind_than_x(halves, kind, offset):
    X, y, others = halves
    X, X_val = 16 * X + offset, 16 * others["X_val"] + offset  # whole numbers
    plain = SoftmaxRegressionClassifier(**OVERFITTING)
    clf = SoftmaxRegressionClassifier(**OVERFITTING)

    clf.fit(X, y, X_val=KINDS[kind](X_val), y_val=others["y_val"])

    plain.fit(X, y, X_val=X_val, y_val=others["y_val"])
    assert clf.validation_loss_curve_ == pytest.approx(
        plain.validation_loss_curve_, rel=1e-4
    )


def test_probabilities_validate_too(halves):
    X, y, others = halves
    table = np.full((len(others["y_val"]), 10), 0.05)
    table[np.arange(len(table)), others["y_val"]] += 0.5
    clf = SoftmaxRegressionClassifier(**OVERFITTING)

    clf.fit(X, y, X_val=others["X_val"], y_val=table)

    losses = -(table * clf.predict_log_proba(others["X_val"])).sum(axis=1)
    assert clf.best_validation_loss_ == pytest.approx(losses.mean(), rel=1e-6)


def test_a_pipeline_transforms_them(halves):
    X, y, others = halves
    scaler = StandardScaler().fit(X)
    alone = SoftmaxRegressionClassifier(**OVERFITTING)
    with sklearn.config_context(enable_metadata_routing=True):
        clf = SoftmaxRegressionClassifier(**OVERFITTING)
        clf.set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler(), clf, transform_input=["X_val"])

        pipeline.fit(X, y, **others)

    alone.fit(
        scaler.transform(X),
        y,
        X_val=scaler.transform(others["X_val"]),
        y_val=others["y_val"],
    )
    assert_array_equal(pipeline[-1].coef_, alone.coef_)
    assert pipeline[-1].validation_loss_curve_ == alone.validation_loss_curve_


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_val": None}, "y_val must be passed with X_val, got None. Pass"),
        ({"X_val": None}, "X_val must be passed with y_val, got None"),
        (
            {"X_val": None, "y_val": None, "sample_weight_val": np.ones(3)},
            "X_val must be passed with sample_weight_val, got None",
        ),
        ({"X_val": np.ones((1597, 3))}, "validation data cannot be used: X has 3 feat"),
        ({"y_val": np.full(1597, 11)}, r"cannot be used: y must hold labels .* \[11\]"),
        ({"y_val": np.zeros(9)}, "inconsistent numbers of samples"),
        (
            {"X_val": np.full((1597, 64), np.nan)},
            "cannot be used: Input X contains NaN",
        ),
        ({"sample_weight_val": np.zeros(1597)}, "cannot be used: .* got zeros"),
        ({"sample_weight_val": np.ones(3)}, "cannot be used: sample_weight.shape"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unusable_validation_data_are_refused(halves, change, message):
    X, y, others = halves
    clf = SoftmaxRegressionClassifier()

    with pytest.raises(ValueError, match=message):
        clf.fit(X, y, **{**others, **change})
    assert vars(clf) == vars(SoftmaxRegressionClassifier())


# Rows set aside

SPLITS = {
    "one row": ([50, 49, 1], 0.1),
    "one row of several classes": ([40, 40, 1, 1, 1], 0.1),
    "two rows": ([50, 50, 2], 0.1),
    "more classes than rows to set aside": ([2] * 30, 0.1),
    "more classes than rows to train on": ([3] * 30, 0.9),
    "a large fraction": ([50, 50, 3], 0.9),
    "few rows": ([2, 2], 0.1),
    "few rows, a large fraction": ([2, 2], 0.75),
}


@pytest.mark.parametrize("form", ["labels", "probabilities", "one-hot", "text"])
@pytest.mark.parametrize("kind", SPLITS)
def test_no_class_is_set_aside_whole(kind, form):
    counts, fraction = SPLITS[kind]
    y = np.repeat(np.arange(len(counts)), counts)
    n, q = len(y), len(counts)
    table = np.eye(q)[y]
    if form == "probabilities":
        table[: n // 3] = table[: n // 3] * 0.9 + 0.1 * table[n // 3 - 1]
    targets = {"labels": y, "text": y.astype(str)}.get(form, table)
    for seed in range(20):
        rows = weigh_rows(
            np.unique(targets) if form in ("labels", "text") else np.arange(q),
            None,
            np.zeros((n, 1)),
            ProbabilityTable(table) if targets is table else targets,
            None,
        )
        kept, held_out = rows.split(fraction, np.random.RandomState(seed))

        assert (table[kept.indices].sum(axis=0) > 0).all()
        assert 0 < len(held_out) <= np.ceil(fraction * n)
        both = np.concatenate([kept.indices, held_out])
        assert_array_equal(np.sort(both), np.arange(n))
        assert (np.diff(kept.indices) > 0).all()
        assert (np.diff(held_out) > 0).all()


def test_a_class_whose_probability_is_in_one_row_keeps_it():
    table = np.full((20, 3), [0.5, 0.5, 0.0])
    table[7] = [0.5, 0.3, 0.2]  # never the most probable class
    for seed in range(20):
        rows = weigh_rows(
            np.arange(3), None, np.zeros((20, 1)), ProbabilityTable(table), None
        )

        kept, _ = rows.split(0.3, np.random.RandomState(seed))

        assert 7 in kept.indices


@pytest.mark.slow
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_a_class_of_one_row_is_learnt(layout):
    normal = np.random.RandomState(0).standard_normal((19, 2))
    X, y = np.r_[normal, [[9, 9]]], np.repeat([0, 1], [19, 1])
    for seed in range(20):
        clf = SoftmaxRegressionClassifier(early_stopping=True, random_state=seed)

        clf.fit(layout(X), y)

        assert clf.predict(layout(X))[-1] == 1
        assert len(clf.validation_loss_curve_) > 0


def test_rows_without_weight_do_not_count_for_a_class():
    X, y = np.random.RandomState(0).standard_normal((40, 2)), np.arange(40) % 2
    weight = np.ones(40)
    weight[3:][y[3:] == 1] = 0  # the class has one row with weight
    for seed in range(20):
        rows = weigh_rows(np.arange(2), None, X, y, weight)

        kept, _ = rows.split(0.2, np.random.RandomState(seed))

        assert 1 in kept.indices


@pytest.mark.parametrize("weight", [None, np.repeat([1.0, 0.0], 6)])
def test_rows_that_cannot_be_set_aside_are_an_error(weight):
    X, y = np.random.RandomState(0).standard_normal((12, 3)), np.arange(12) % 6
    clf = SoftmaxRegressionClassifier(early_stopping=True)
    if weight is None:
        y = np.arange(12)

    with pytest.raises(ValueError, match=r"early_stopping must be False.*Pass X_val"):
        clf.fit(X, y, weight)


def test_the_split_of_large_classes_is_that_of_scikit_learn(digits):
    X, y = digits
    rows = weigh_rows(np.arange(10), None, X, y, None)
    kept, held_out = rows.split(0.1, np.random.RandomState(3))

    expected = train_test_split(
        np.arange(len(y)),
        test_size=0.1,
        stratify=y,
        random_state=np.random.RandomState(3),
    )

    assert_array_equal(kept.indices, np.sort(expected[0]))
    assert_array_equal(held_out, np.sort(expected[1]))


def test_verbose_says_both_losses(halves, capsys):
    X, y, others = halves
    clf = SoftmaxRegressionClassifier(verbose=1, **OVERFITTING).fit(X, y, **others)

    *lines, last = capsys.readouterr().out.splitlines()

    objective, loss = clf.loss_curve_[1], clf.validation_loss_curve_[1]
    assert lines[1] == (
        f"epoch 2: objective {objective:.6f}, validation log-loss {loss:.6f}"
    )
    assert len(lines) == clf.n_iter_
    assert last == "training ended: the stopping rule is met"


# Callbacks


class Recorder:
    """A callback that writes down what it is told."""

    def __init__(self, stop_after=None, fail_after=None):
        self.stop_after, self.fail_after = stop_after, fail_after
        self.told, self.models = [], []

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.told.append(f"begin {context.task_name} {context.task_id}")
        self.given = X, y

    def on_fit_task_end(self, estimator, context, *, metadata, fitted_estimator=None):
        self.told.append(f"end {context.task_name} {context.task_id}")
        self.metadata = metadata
        self.models.append(fitted_estimator)
        if context.task_id + 1 == self.fail_after:
            raise RuntimeError("a callback failed")
        is_part = context.task_name in ("epoch", "alpha")
        return is_part and context.task_id + 1 == self.stop_after


@NEEDS_CALLBACKS
def test_each_epoch_is_a_task(digits):
    X, y = digits
    recorder = Recorder()
    clf = SoftmaxRegressionClassifier(batch_size=64, random_state=0)

    clf.set_callbacks(recorder).fit(X, y, np.ones(len(y)))

    epochs = range(clf.n_iter_)
    told = [f"{what} epoch {k}" for k in epochs for what in ("begin", "end")]
    assert recorder.told == ["setup", "begin fit 0", *told, "end fit 0", "teardown"]
    assert recorder.given[0] is X
    assert recorder.given[1] is y
    assert_array_equal(recorder.metadata["sample_weight"], np.ones(len(y)))
    assert not hasattr(clf, "_callback_fit_ctx")


@NEEDS_CALLBACKS
def test_callbacks_change_nothing(digits):
    params = {"batch_size": 64, "random_state": 0}
    alone = SoftmaxRegressionClassifier(**params).fit(*digits)

    clf = SoftmaxRegressionClassifier(**params).set_callbacks(Recorder()).fit(*digits)

    assert_array_equal(clf.coef_, alone.coef_)
    assert clf.n_iter_ == alone.n_iter_


@NEEDS_CALLBACKS
@pytest.mark.parametrize("solver", ["sgd", "svrg"])
@pytest.mark.parametrize("batch_size", ["auto", 64])
def test_a_callback_gets_the_model_of_each_epoch(digits, solver, batch_size):
    X, y = digits
    recorder = Recorder()
    params = {"solver": solver, "batch_size": batch_size, "random_state": 0}
    clf = SoftmaxRegressionClassifier(alpha=0.1, **params)

    clf.set_callbacks(recorder).fit(X, y)

    objective = [
        log_loss(y, model.predict_proba(X)) + 0.05 * (model.coef_**2).sum()
        for model in recorder.models[:-1]
    ]
    assert objective == pytest.approx(clf.loss_curve_, rel=1e-6)
    for model in recorder.models[-2:]:
        assert_array_equal(model.coef_, clf.coef_)


@NEEDS_CALLBACKS
def test_the_model_of_an_epoch_is_a_whole_estimator(digits):
    X, y = digits
    recorder = Recorder()
    clf = SoftmaxRegressionClassifier(batch_size=64, random_state=0)
    alone = SoftmaxRegressionClassifier(batch_size=64, random_state=0).fit(X, y)

    class GoesOn(Recorder):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            if context.task_name == "epoch":
                fitted_estimator.partial_fit(X[:64], y[:64])

    clf.partial_fit(X[:64], y[:64], classes=range(10))  # whose losses the fit deletes
    clf.set_callbacks(recorder, GoesOn()).fit(X, y)

    first = recorder.models[0]
    assert len(first.loss_curve_) == len(first.progressive_loss_curve_) == 1
    assert first.n_iter_ == 2  # an epoch, and a call of partial_fit
    assert first.t_ == -(-len(y) // 64) + 1
    assert_array_equal(first.to_logistic_regression().predict(X), first.predict(X))
    assert_array_equal(clf.coef_, alone.coef_)  # which drew nothing for the others


@NEEDS_CALLBACKS
@pytest.mark.parametrize("validated", [False, True])
def test_a_callback_that_asks_to_stop_is_obeyed(halves, validated, capsys):
    X, y, others = halves
    params = {**OVERFITTING, "tol": None}
    clf = SoftmaxRegressionClassifier(verbose=1, **params)
    clf.set_callbacks(Recorder(stop_after=3))

    clf.fit(X, y, **(others if validated else {}))

    assert clf.n_iter_ == 3
    assert capsys.readouterr().out.endswith("\ntraining ended: a callback stopped it\n")
    three = SoftmaxRegressionClassifier(max_iter=3, **params).fit(X, y)
    assert_array_equal(clf.coef_, three.coef_)


@NEEDS_CALLBACKS
@pytest.mark.filterwarnings("ignore:The best score is at")
@pytest.mark.parametrize("alphas", [None, [1e-1, 1e-3, 1e-5]], ids=["", "given"])
def test_each_alpha_is_a_task(datasets, alphas):
    X, y = datasets["iris"]
    recorder = Recorder()
    clf = SoftmaxRegressionClassifierCV(alphas=alphas)
    alone = clone(clf).fit(X, y)

    clf.set_callbacks(recorder).fit(X, y)

    tasks = range(len(clf.alphas_))
    told = [f"{what} alpha {k}" for k in tasks for what in ("begin", "end")]
    assert recorder.told == ["setup", "begin fit 0", *told, "end fit 0", "teardown"]
    assert_array_equal(clf.coef_, alone.coef_)
    for k, model in enumerate(recorder.models[:-1]):
        assert_array_equal(model.alphas_, clf.alphas_[: k + 1])
        assert_array_equal(model.scores_, clf.scores_[: k + 1])
        assert -log_loss(y, model.predict_proba(X)) > model.best_score_ - 0.1


@NEEDS_CALLBACKS
def test_a_callback_that_stops_a_path_is_obeyed(datasets):
    X, y = datasets["iris"]
    clf = SoftmaxRegressionClassifierCV().set_callbacks(Recorder(stop_after=3))

    clf.fit(X, y)

    alphas = SoftmaxRegressionClassifierCV().fit(X, y).alphas_[:3]
    alphas_given = [*alphas, 1e-6]
    assert_array_equal(clf.alphas_, alphas)
    assert clf.alpha_ == alphas[2]
    clf.set_params(alphas=alphas_given).fit(X, y)  # the best one is no edge of these
    assert_array_equal(clf.alphas_, alphas_given[:3])


@NEEDS_CALLBACKS
@pytest.mark.filterwarnings("ignore:The best score is at")
def test_models_of_an_unfinished_path_are_the_best_so_far(datasets):
    X, y = datasets["iris"]
    recorder, seen = Recorder(), []

    def score(model, X, y):
        return np.nan if model.alpha > 0.05 else model.score(X, y)

    def select(results):
        seen.append(len(results["params"]))
        return 1

    clf = SoftmaxRegressionClassifierCV(
        alphas=[0.1, 0.01, 0.001], scoring=score, selection=select
    ).set_callbacks(recorder)

    clf.fit(X, y)

    assert [model.alpha_ for model in recorder.models[:2]] == [0.1, 0.01]
    assert seen == [3]
    assert clf.alpha_ == 0.01


@NEEDS_CALLBACKS
def test_a_callback_that_fails_on_a_path_leaves_the_estimator_as_it_was(datasets):
    recorder = Recorder(fail_after=2)
    clf = SoftmaxRegressionClassifierCV().set_callbacks(recorder)
    before = vars(clf).copy()

    with pytest.raises(RuntimeError, match="a callback failed"):
        clf.fit(*datasets["iris"])

    assert recorder.told[-1] == "teardown"
    assert vars(clf) == before


@NEEDS_CALLBACKS
def test_a_solver_that_ends_by_itself_leaves_no_task_open(digits):
    recorder = Recorder()
    clf = SoftmaxRegressionClassifier(alpha=10, tol=None).set_callbacks(recorder)

    clf.fit(*digits)

    began, ended = (
        sum(line.startswith(what) for line in recorder.told)
        for what in ("begin", "end")
    )
    assert began == ended
    assert recorder.models[-2] is None  # of the epoch that never was


@NEEDS_CALLBACKS
@pytest.mark.parametrize("fitted", [False, True])
def test_a_callback_that_fails_leaves_the_estimator_as_it_was(digits, fitted):
    X, y = digits
    recorder = Recorder(fail_after=2)
    clf = SoftmaxRegressionClassifier(batch_size=64, random_state=0)
    if fitted:
        clf.fit(X[:500], y[:500])
    clf.set_callbacks(recorder)
    before = vars(clf).copy()

    with pytest.raises(RuntimeError, match="a callback failed"):
        clf.fit(X, y)

    assert recorder.told[-1] == "teardown"
    assert vars(clf).keys() == before.keys()
    assert all(vars(clf)[name] is before[name] for name in before)


@NEEDS_CALLBACKS
def test_bad_data_tear_callbacks_down(digits):
    X, y = digits
    recorder = Recorder()
    clf = SoftmaxRegressionClassifier().set_callbacks(recorder)

    with pytest.raises(ValueError, match="NaN"):
        clf.fit(np.full_like(X, np.nan), y)

    assert recorder.told == ["setup", "begin fit 0", "teardown"]


@NEEDS_CALLBACKS
def test_a_score_an_epoch(digits):
    X, y = digits
    monitor = ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    clf = SoftmaxRegressionClassifier(batch_size=64, random_state=0)

    clf.set_callbacks(monitor).fit(X, y)

    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == clf.n_iter_
    assert rows[-1]["accuracy"] == clf.score(X, y)
    loss = log_loss(y, clf.predict_proba(X))
    assert rows[-1]["neg_log_loss"] == pytest.approx(-loss, rel=1e-12)


@NEEDS_CALLBACKS
def test_scores_of_frames_with_labels_of_strings(datasets):
    pandas = pytest.importorskip("pandas")
    X, y = datasets["iris"]
    X, y = pandas.DataFrame(X, columns=list("abcd")), np.array(["x", "y", "z"])[y]
    monitor = ScoringMonitor(scoring="accuracy")
    clf = SoftmaxRegressionClassifier().set_callbacks(monitor)

    clf.fit(X, y)  # the names of features must not be lost: that would warn

    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert rows[-1]["accuracy"] == clf.score(X, y)


@NEEDS_CALLBACKS
def test_scores_inside_a_pipeline_and_a_search(digits):
    X, y = digits
    monitor = ScoringMonitor(scoring="accuracy")
    clf = SoftmaxRegressionClassifier(batch_size=128, random_state=0)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), clf.set_callbacks(monitor)),
        {"softmaxregressionclassifier__alpha": [1e-4, 1.0]},
        cv=2,
    )

    search.fit(X, y)

    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    fits = {row["parent_task_id_path"] for row in rows}
    assert len(fits) == 5  # two folds of two candidates, and the best one refitted
    of_the_last = [r for r in rows if r["parent_task_id_path"] == max(fits)]
    assert len(of_the_last) == search.best_estimator_[-1].n_iter_
    assert of_the_last[-1]["accuracy"] == search.best_estimator_.score(X, y)


PLACES = {
    "alone": lambda clf: clf,
    "pipeline": lambda clf: make_pipeline(StandardScaler(), clf),
    "search": lambda clf: GridSearchCV(clf, {"alpha": [1e-4, 1.0]}, cv=2),
    "search of pipelines": lambda clf: GridSearchCV(
        make_pipeline(StandardScaler(), clf),
        {"softmaxregressionclassifier__alpha": [1e-4, 1.0]},
        cv=2,
    ),
}


@NEEDS_CALLBACKS
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_bar_of_progress(digits, capsys, monkeypatch, place):
    pytest.importorskip("rich", reason="scikit-learn's ProgressBar needs rich")
    monkeypatch.setenv("COLUMNS", "160")
    clf = SoftmaxRegressionClassifier(batch_size=128, random_state=0)
    model = place(clf).set_callbacks(ProgressBar(max_propagation_depth=None))

    model.fit(*digits)

    shown = capsys.readouterr().out
    assert "SoftmaxRegressionClassifier - fit" in shown
    assert "100%" in shown
    running = [type(thread).__name__ for thread in threading.enumerate()]
    assert "RichProgressMonitor" not in running


@NEEDS_CALLBACKS
@pytest.mark.filterwarnings("ignore:The best score is at")
@pytest.mark.parametrize("place", ["alone", "pipeline"])
def test_a_bar_of_progress_over_alphas(datasets, capsys, monkeypatch, place):
    pytest.importorskip("rich", reason="scikit-learn's ProgressBar needs rich")
    monkeypatch.setenv("COLUMNS", "160")
    bar = ProgressBar(max_propagation_depth=None)
    clf = SoftmaxRegressionClassifierCV(alphas=[1.0, 1e-2, 1e-6])

    PLACES[place](clf).set_callbacks(bar).fit(*datasets["iris"])

    shown = capsys.readouterr().out
    assert "SoftmaxRegressionClassifierCV - fit" in shown
    assert "100%" in shown


def test_without_callbacks_nothing_is_there_to_set_or_left_behind(digits):
    clf = SoftmaxRegressionClassifier().fit(*digits)

    assert hasattr(clf, "set_callbacks") == (ScoringMonitor is not None)
    assert not [name for name in vars(clf) if "callback" in name]
