import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

from pipeline.comparison.stacking import stack, weights
from pipeline.errors import UserError


def badge(model, passed=True, **more):
    reasons = [] if passed else ["largest R-hat 1.2, above 1.01"]
    return {"source": "s", "model": model, "passed": passed, "reasons": reasons,
            "elpd_loo": -10.0, "elpd_loo_se": 1.0, "pareto_k_bad": 0, "loo_n": 30} | more  # fmt: skip


def pointwise(elpd):
    return pd.DataFrame({"unit": [f"u{i}" for i in range(len(elpd))], "elpd": elpd, "pareto_k": 0.1, "n_trials": 80})


def test_weights_maximise_the_log_score_of_the_mixture():
    elpd = np.random.default_rng(1).normal(-3, 1, (40, 3))
    found = weights(elpd)

    def loss(x):
        return -logsumexp(elpd + x - logsumexp(x), axis=1).sum()

    best = minimize(loss, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10, "maxiter": 4000})
    np.testing.assert_allclose(found, np.exp(best.x - logsumexp(best.x)), atol=2e-3)
    assert found.sum() == pytest.approx(1)


def test_a_model_better_on_every_unit_takes_all_the_weight():
    elpd = np.random.default_rng(1).normal(-300, 50, (20, 1)) + np.array([0, -5, -9])
    np.testing.assert_allclose(weights(elpd), [1, 0, 0], atol=1e-6)


def test_models_that_each_predict_half_of_the_units_share_the_weight():
    elpd = np.array([[-1.0, -9], [-9, -1]] * 10)
    np.testing.assert_allclose(weights(elpd), [0.5, 0.5], atol=1e-6)


def test_a_failed_fit_is_listed_with_its_reason_and_takes_no_part():
    draws = np.random.default_rng(2).normal(-3, 1, (30, 2))
    frames = {"a": pointwise(draws[:, 0]), "b": pointwise(draws[:, 1]), "c": pointwise(draws[:, 1] + 100)}
    badges = {"a": badge("a"), "b": badge("b", pareto_k_bad=2), "c": badge("c", passed=False)}
    found = stack(badges, frames).set_index("model")
    assert np.isnan(found.loc["c", "weight"])
    assert "R-hat" in found.loc["c", "note"]
    assert found.loc[["a", "b"], "weight"].sum() == pytest.approx(1)
    assert "2 of 30" in found.loc["b", "note"]


def test_models_scored_on_different_trials_are_refused():
    frame = pointwise(np.full(5, -3.0))
    with pytest.raises(UserError, match="not scored on the same trials"):
        stack({"a": badge("a"), "b": badge("b")}, {"a": frame, "b": frame.assign(n_trials=79)})
    with pytest.raises(UserError, match="not scored on the same trials"):
        stack({"a": badge("a"), "b": badge("b")}, {"a": frame, "b": frame.iloc[:4]})


def test_a_source_that_was_not_run_gives_rows_without_weights():
    empty = pointwise([])
    found = stack(
        {"a": badge("a", passed=False, elpd_loo=None, elpd_loo_se=None, reasons=["not run: no file"])}, {"a": empty}
    )
    assert found["weight"].isna().all()
    assert found["note"].tolist() == ["not run: no file"]


def test_the_only_model_that_passed_gets_no_weight_and_the_reason():
    rng = np.random.default_rng(1)
    names = ("rescorla_wagner", "asymmetric_sticky")
    units = pd.DataFrame({"unit": range(9), "elpd": rng.normal(size=9), "pareto_k": 0.1, "n_trials": 5})
    common = {"source": "made", "elpd_loo": -1.0, "elpd_loo_se": 0.1, "pareto_k_bad": 0, "loo_n": 9}
    badges = {
        names[0]: {**common, "passed": True, "reasons": []},
        names[1]: {**common, "passed": False, "reasons": ["R-hat 1.2"]},
    }
    found = stack(badges, dict.fromkeys(names, units)).set_index("model")
    assert found["weight"].isna().all()
    assert found.loc[names[0], "note"].startswith("the only model whose fit passed")
    assert found.loc[names[1], "note"] == "R-hat 1.2"


def test_stacking_reads_the_main_level_where_a_fit_has_several():
    generator = np.random.default_rng(4)
    sessions = [pointwise(generator.normal(-3, 1, 12)).assign(level="session") for _ in range(2)]
    people = pointwise(generator.normal(-90, 1, 3)).assign(level="subject", unit=["p0", "p1", "p2"])
    frames = {name: pd.concat([own, people]) for name, own in zip("ab", sessions)}
    badges = {name: badge(name, loo_unit="session") for name in "ab"}
    found = stack(badges, frames).set_index("model")["weight"]
    alone = stack({n: badge(n) for n in "ab"}, dict(zip("ab", sessions))).set_index("model")["weight"]
    np.testing.assert_allclose(found, alone)
    few = stack({name: badge(name, loo_unit="subject") for name in "ab"}, frames).set_index("model")["weight"]
    np.testing.assert_allclose(few, 0.5)  # both predict the people alike
