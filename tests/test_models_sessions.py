"""Fast fits of single sessions."""

import time

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from test_models_fit import simulated

from pipeline.errors import UserError
from pipeline.models import MODELS
from pipeline.models.data import pack
from pipeline.models.laplace import maximum_a_posteriori, objective, session_estimates
from pipeline.models.links import transformed
from pipeline.models.priors import scales

CARD = MODELS["rescorla_wagner"]


def test_the_mode_of_every_session_is_that_of_a_generic_optimiser():
    packed = pack(simulated(3, sessions=2, episodes=2)[0], CARD)
    theta, loglik, sd = maximum_a_posteriori(CARD, packed)
    eta, prior = transformed(CARD, theta), scales(CARD)
    for u in range(packed.units):

        def loss(x, u=u):
            away = (x - prior["mean"]) / prior["sd"]
            value, gradient = objective(CARD, packed, np.tile(x, (packed.units, 1)))
            return 0.5 * (away**2).sum() - value[u], away / prior["sd"] - gradient[u]

        best = minimize(loss, prior["mean"], jac=True, method="BFGS", options={"gtol": 1e-8})
        np.testing.assert_allclose(eta[u], best.x, atol=1e-3)
        np.testing.assert_allclose(sd[u], np.sqrt(np.diag(best.hess_inv)), rtol=0.1)
        assert loglik[u] == pytest.approx(objective(CARD, packed, eta)[0][u])


def test_the_table_of_sessions_is_tidy_and_says_how_each_number_was_made():
    rows, _ = simulated(3, sessions=2, episodes=2)
    found = session_estimates(rows, "rescorla_wagner")
    assert list(found) == ["subject", "session", "parameter", "estimate", "se", "log_likelihood", "method"]
    assert len(found) == 3 * 2 * 2 * 2
    assert set(found["method"]) == {"maximum likelihood", "maximum a posteriori"}
    likely, a_posteriori = (found[found["method"] == m].reset_index(drop=True) for m in found["method"].unique())
    assert (likely["log_likelihood"] >= a_posteriori["log_likelihood"] - 1e-6).all()
    alpha = a_posteriori[a_posteriori["parameter"] == "alpha"]
    assert alpha["estimate"].between(0, 1).all() and (alpha["se"] > 0).all()
    assert alpha.groupby("subject")["session"].agg(list).tolist() == [[1, 2]] * 3
    with pytest.raises(UserError, match="method 'least squares' is not known"):
        session_estimates(rows, "rescorla_wagner", ["least squares"])


def test_an_estimate_at_the_edge_of_the_search_has_no_standard_error():
    rows, _ = simulated(1, episodes=1)
    rows["choice"] = rows["choice"] * 0
    found = session_estimates(rows, "rescorla_wagner", ["maximum likelihood"])
    assert found["se"].isna().any()
    assert np.isfinite(found["estimate"]).all()
    kept = session_estimates(rows, "rescorla_wagner", ["maximum a posteriori"])
    assert np.isfinite(kept["se"]).all()


def test_estimates_scatter_as_their_standard_errors_and_the_sessions_own_differences_say():
    rows, _ = simulated(1, sessions=40, episodes=4, seed=2)  # sessions differ by .2 on the scale of the links
    found = session_estimates(rows, "rescorla_wagner", ["maximum likelihood"]).dropna()
    for name in CARD.names:
        own = found[found["parameter"] == name]
        estimate = own["estimate"].to_numpy(float)
        steep = (estimate * (1 - estimate) if name == "alpha" else estimate).mean()
        expected = np.sqrt((own["se"] ** 2).mean() + (0.2 * steep) ** 2)
        assert len(own) >= 38
        assert estimate.std(ddof=1) == pytest.approx(expected, rel=0.35)  # three standard errors of an SD of 40


def test_two_thousand_sessions_take_seconds():
    rows, _ = simulated(20, episodes=2)
    many = pd.concat([rows.assign(session=k) for k in range(1, 101)], ignore_index=True)
    session_estimates(rows, "rescorla_wagner")  # compiled
    start = time.process_time()
    found = session_estimates(many, "rescorla_wagner", ["maximum a posteriori"])
    assert time.process_time() - start < 20
    assert len(found) == 2000 * 2
    first = found[found["session"] == 1]["estimate"].to_numpy()
    np.testing.assert_allclose(found[found["session"] == 77]["estimate"], first, rtol=1e-6)
