import pytest
from behaviour_tables import monkeys

from pipeline.models import MODELS
from pipeline.models.data import pack
from pipeline.models.laplace import maximum_likelihood

LOSS = {
    "BB10": 0.3364,
    "BB6": 0.3297,
    "BB7": 0.2143,
    "BB8": 0.3216,
}  # negative log-likelihood per trial, asymmetric + stickiness


def test_the_maximum_likelihood_of_each_monkey_is_the_known_one():
    card = MODELS["asymmetric_sticky"]
    packed = pack(monkeys(), card, unit="subject")
    theta, loglik = maximum_likelihood(card, packed)
    found = dict(zip(packed.subjects, -loglik / packed.unit_trials))
    assert packed.scored == 88480
    for animal, known in LOSS.items():
        assert found[animal] <= known + 0.0005
        assert found[animal] == pytest.approx(known, abs=0.0005)
    assert (theta[:, 2] > 2).all()


def test_stickiness_and_asymmetry_each_improve_the_fit_of_every_monkey():
    table = monkeys()
    nested = [MODELS[name] for name in ("rescorla_wagner", "rescorla_wagner_sticky", "asymmetric_sticky")]
    best = [maximum_likelihood(card, pack(table, card, unit="subject"))[1] for card in nested]
    assert (best[1] > best[0] + 100).all()
    assert (best[2] >= best[1] - 1e-3).all()
