"""Training of a population: resumption, interruption, stopping, learning, and its tables."""

import os
import signal
import threading

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.agents import AGENTS, AgentEntry, cores
from pipeline.errors import UserError
from pipeline.seeds import generator
from pipeline.tasks import task
from pipeline.training import Training, checkpoints, loop, train, write_tables
from pipeline.training.autograd import Autograd
from pipeline.training.evaluate import BATCH, evaluate, play_batches
from pipeline.training.loop import Trainer
from pipeline.training.optimisers import OPTIMISERS, clip
from pipeline.training.search import draw_settings

CORES = [name for name, entry in AGENTS.items() if entry.kind == "core"]
SMALL = Training(settings=3, training_episodes=40, episodes_per_update=4)


def quiet(core="lstm", problem="du", training=SMALL, seed=1, **options):
    return train(core, problem, training, seed, device="cpu", progress=False, **options)


def assert_same(first, second):
    assert first.weights.keys() == second.weights.keys()
    for name in first.weights:
        assert first.weights[name].tobytes() == second.weights[name].tobytes(), name
    pd.testing.assert_frame_equal(first.agents, second.agents)
    pd.testing.assert_frame_equal(first.curve, second.curve, check_exact=True)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("name", CORES)
def test_training_resumed_from_a_checkpoint_equals_an_uninterrupted_one_bit_for_bit(name, optimiser, tmp_path):
    training = Training(settings=3, training_episodes=40, episodes_per_update=4, optimiser=optimiser)
    whole = Trainer(name, "reversal", training, 1)
    for _ in range(training.updates):
        whole.advance()
    broken = Trainer(name, "reversal", training, 1)
    for _ in range(4):
        broken.advance()
    checkpoints.save(tmp_path / "c.safetensors", *broken.state())
    resumed = Trainer(name, "reversal", training, 1)
    resumed.restore(*checkpoints.load(tmp_path / "c.safetensors"))
    assert resumed.update == 4
    for _ in range(training.updates - 4):
        resumed.advance()
    assert_same(whole.population(), resumed.population())


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_interrupted_training_keeps_a_checkpoint_and_goes_on_from_it(number, error, tmp_path, monkeypatch):
    expected = quiet()
    advance, done = Trainer.advance, []

    def interrupted(self):
        done.append(self.update)
        if self.update == 3 and len(done) == 4:
            os.kill(os.getpid(), number)
        return advance(self)

    monkeypatch.setattr(Trainer, "advance", interrupted)
    before = signal.getsignal(number)
    with pytest.raises(error):
        quiet(checkpoint_dir=tmp_path, checkpoint_seconds=1e9)
    assert signal.getsignal(number) == before
    assert len(list(tmp_path.iterdir())) == 1 and done == [0, 1, 2, 3]
    assert_same(expected, quiet(checkpoint_dir=tmp_path))
    assert done == list(range(10))  # nothing was done twice
    quiet(checkpoint_dir=tmp_path)
    assert done == list(range(10))  # nor again after the end


def test_damaged_checkpoint_is_ignored_with_a_message(tmp_path, capsys):
    expected = quiet(checkpoint_dir=tmp_path)
    (file,) = tmp_path.iterdir()
    for damaged in (file.read_bytes()[:-50], b"", b"not safetensors at all"):
        file.write_bytes(damaged)
        assert_same(expected, quiet(checkpoint_dir=tmp_path))
        assert "ignored, not a usable checkpoint" in capsys.readouterr().err


def test_checkpoints_of_other_settings_are_never_used(tmp_path):
    quiet(checkpoint_dir=tmp_path)
    quiet(checkpoint_dir=tmp_path, seed=2)
    quiet(checkpoint_dir=tmp_path, reward_input=False)
    quiet(checkpoint_dir=tmp_path, training=Training(settings=3, training_episodes=40, episodes_per_update=4, clip=0.5))
    assert len(list(tmp_path.iterdir())) == 4


def test_training_runs_in_a_thread_that_cannot_catch_signals(tmp_path):
    found = []
    thread = threading.Thread(target=lambda: found.append(quiet(checkpoint_dir=tmp_path)))
    thread.start()
    thread.join()
    assert_same(found[0], quiet())


def test_seed_decides_the_training():
    assert_same(quiet(), quiet())
    assert not np.array_equal(quiet().weights["input"], quiet(seed=2).weights["input"])


def test_every_agent_and_every_parameter_is_trained():
    trainer = Trainer("gru", "du", SMALL, 1)
    before = {k: v.copy() for k, v in trainer.population().weights.items()}
    trainer.advance()
    for name, after in trainer.population().weights.items():
        if name == "value_bias":
            continue
        changed = (after != before[name]).reshape(3, -1).any(1)
        assert changed.all() or name in ("recurrent", "input"), name
    for _ in range(5):
        trainer.advance()
    for name, after in trainer.population().weights.items():
        assert (after != before[name]).reshape(3, -1).any(1).all(), name


def test_core_added_by_a_user_is_trained_by_automatic_differentiation(monkeypatch):
    class Leaky(cores.Vanilla):
        """A core that the fast path does not know."""

        def step(self, parameters, x, state):
            (h,), _ = cores.Vanilla.step(self, parameters, x, state)
            h = 0.5 * (state[0] + h)
            return (h,), h

    monkeypatch.setattr(cores, "Leaky", Leaky, raising=False)
    entry = AgentEntry("leaky", "Leaky", "core", "pipeline.agents.cores:Leaky", {"units": 8})
    monkeypatch.setattr(loop.agent_registry, "AGENTS", {**AGENTS, "leaky": entry})
    trainer = Trainer("leaky", "du", SMALL, 1)
    assert isinstance(trainer.path, Autograd)
    before = trainer.flat.clone()
    trainer.advance()
    assert (trainer.flat != before).any()


def test_agents_at_chance_can_be_stopped_after_a_third(monkeypatch, tmp_path):
    monkeypatch.setattr(loop, "chance_reward", lambda task, seed: (0.5, 0.0))
    training = Training(settings=3, training_episodes=48, episodes_per_update=4, stop_at_chance=True)
    trainer = Trainer("vanilla", "du", training, 1)
    for _ in range(4):
        trainer.curve[:, 1, 0], trainer.sums[1] = 0.1, -100  # agent 2 fares worse than chance, the others better
        trainer.curve[:, [0, 2], 0] = 0.9
        trainer.sums[[0, 2], 0] = 100
        trainer.advance()
    np.testing.assert_array_equal(trainer.active, [0, 2])
    frozen = trainer.weights[1].clone()
    going = trainer.flat.clone()
    checkpoints.save(tmp_path / "c", *trainer.state())
    trainer.advance()
    assert torch.equal(trainer.population() and trainer.weights[1], frozen) and (trainer.flat != going).any()
    resumed = Trainer("vanilla", "du", training, 1)
    resumed.restore(*checkpoints.load(tmp_path / "c"))
    resumed.advance()
    assert torch.equal(resumed.flat, trainer.flat)
    made = trainer.population()
    assert list(made.agents["stopped"]) == [0, 1, 0]
    ranked, _ = evaluate(made, task("du"), 20, 10, 1, 1, source="x", name="vanilla", chance_regret=25, optimum_regret=1)
    assert ranked["subject"].iloc[-1] == "vanilla002"


def test_each_agents_gradient_is_clipped_on_its_own_and_broken_ones_are_dropped():
    gradient = torch.tensor([[3.0, 4.0], [0.3, 0.4], [float("nan"), 1.0]])
    torch.testing.assert_close(clip(gradient.clone(), 1.0), torch.tensor([[0.6, 0.8], [0.3, 0.4], [0, 0]]))
    torch.testing.assert_close(clip(gradient[:2].clone(), 0.0), gradient[:2])


def run_optimiser(name, flat, rates, updates=5):
    draw = torch.Generator().manual_seed(1)
    gradients = torch.randn(updates, *flat.shape, generator=draw, dtype=flat.dtype)
    optimiser = OPTIMISERS[name](flat)
    for update, gradient in enumerate(gradients, 1):
        optimiser.step(flat, gradient.clone(), torch.tensor(rates, dtype=flat.dtype), update)
    return gradients


def test_adam_equals_pytorchs_own_agent_by_agent():
    flat, rates = torch.ones(2, 5, dtype=torch.float64), (0.01, 0.1)
    gradients = run_optimiser("adam", flat, rates)
    for agent, rate in enumerate(rates):
        own = torch.nn.Parameter(torch.ones(5, dtype=torch.float64))
        optimiser = torch.optim.Adam([own], lr=rate)
        for gradient in gradients[:, agent]:
            own.grad = gradient.clone()
            optimiser.step()
        torch.testing.assert_close(flat[agent], own.detach(), rtol=1e-6, atol=1e-9)


def test_rmsprop_follows_its_equation_agent_by_agent():
    flat, rates = torch.ones(2, 5, dtype=torch.float64), (0.01, 0.1)
    gradients = run_optimiser("rmsprop", flat, rates).numpy()
    epsilon = OPTIMISERS["rmsprop"](flat).epsilon
    for agent, rate in enumerate(rates):
        expected, square = np.ones(5), np.zeros(5)
        for gradient in gradients[:, agent]:
            square = 0.99 * square + 0.01 * gradient**2
            expected = expected - rate * gradient / np.sqrt(square + epsilon)
        np.testing.assert_allclose(flat[agent], expected, rtol=1e-10)


def test_random_settings_lie_in_their_ranges_and_spread_over_their_logarithm():
    training = Training(settings=4000)
    drawn = draw_settings(training, "lstm", generator(1, "settings"))
    for name, transform in (
        ("learning_rate", np.log),
        ("entropy_cost", np.log),
        ("discount", lambda x: -np.log(1 - x)),
    ):
        low, high = transform(np.array(getattr(training, name)))
        values = (transform(drawn[name]) - low) / (high - low)
        assert values.between(0, 1).all() and abs(values.mean() - 0.5) < 4 / np.sqrt(12 * 4000)
    assert (
        drawn["subject"].is_unique and drawn["subject"].str.fullmatch("[A-Za-z0-9]+").all() and drawn["seed"].is_unique
    )
    pd.testing.assert_frame_equal(drawn, draw_settings(training, "lstm", generator(1, "settings")))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"learning_rat": 1e-3}, "did you mean 'learning_rate'"),
        ({"learning_rate": [-2, 1e-2]}, "did you write 1-3 for 1e-3"),
        ({"learning_rate": "1-3"}, "did you write 1-3 for 1e-3"),
        ({"learning_rate": [1e-2, 1e-3]}, "low end comes first"),
        ({"learning_rate": [1e-3, 3]}, "between 1e-07 and 0.1"),
        ({"discount": 90}, "between 0 and 1"),
        ({"discount": [0.5, 1]}, "cannot reach 0"),
        ({"settings": 2.5}, "whole number"),
        ({"training_episodes": "3e4"}, "without a decimal point or exponent"),
        ({"training_episodes": 4}, "at least one update"),
        ({"optimiser": "sgd"}, "adam or rmsprop"),
        ({"entropy_schedule": "cosine"}, "constant or linear"),
        ({"normalise_advantage": "yes"}, "true or false"),
    ],
)
def test_slip_in_the_training_config_is_said_in_one_message(config, message):
    with pytest.raises(UserError, match=message):
        Training.from_mapping(config)


def test_training_config_takes_numbers_as_yaml_writes_them():
    training = Training.from_mapping({"learning_rate": ["1e-3", 0.01], "discount": 0.9, "settings": 2})
    assert training.learning_rate == (1e-3, 0.01) and training.discount == (0.9, 0.9)


def test_learners_are_not_trained_and_devices_are_checked():
    with pytest.raises(UserError, match="only cores are trained"):
        quiet("thompson")
    with pytest.raises(UserError, match="auto, cpu or cuda"):
        train("lstm", "du", SMALL, 1, device="gpu")


def test_curve_averages_what_was_measured_since_the_row_before(tmp_path):
    training = Training(settings=2, training_episodes=140, episodes_per_update=2)
    trainer, rewards = Trainer("vanilla", "du", training, 1), []
    record = trainer._record
    trainer._record = lambda measured: (rewards.append(measured[:, 0].numpy().copy()), record(measured))
    for _ in range(training.updates):
        trainer.advance()
    made = trainer.population()
    curve = made.curve[made.curve["subject"] == "vanilla002"]
    assert curve["episodes_trained"].iloc[-1] == 140 and len(curve) == 60
    last = 0
    for row in curve.itertuples():
        upto = row.episodes_trained // 2
        assert row.reward_per_trial == pytest.approx(np.mean(rewards[last:upto], 0)[1])
        last = upto
    write_tables(made, tmp_path / "agents.csv", tmp_path / "curve.csv")
    agents = pd.read_csv(tmp_path / "agents.csv")
    assert {"subject", "setting", "seed", "learning_rate", "discount", "entropy_cost", "stopped"} <= set(agents)
    assert list(pd.read_csv(tmp_path / "curve.csv"))[:3] == ["subject", "episodes_trained", "reward_per_trial"]


def test_evaluation_ranks_on_other_episodes_than_it_tests_and_all_agents_meet_the_same():
    made = quiet("gru", training=Training(settings=3, training_episodes=4, episodes_per_update=4, learning_rate=1e-5))
    n = BATCH + 20
    ranking = next(play_batches(made.network(), task("du"), n, 1, "ranking")).latent["reward_probability"]
    test = [b.latent["reward_probability"] for b in play_batches(made.network(), task("du"), n, 1, "test")]
    assert [t.shape[1] for t in test] == [BATCH, 20]
    assert not np.isin(ranking[0, :, 0, 0], test[0][0, :, 0, 0]).any()
    alone = next(play_batches(made.network([2]), task("du"), n, 1, "test")).latent["reward_probability"]
    np.testing.assert_array_equal(alone[0], test[0][0])
    found, behaviour = evaluate(
        made, task("du"), n, n, 2, 1, source="gru_du", name="gru", chance_regret=25, optimum_regret=1.2
    )
    assert behaviour.subjects == tuple(found["subject"][:2]) and behaviour.choice.shape == (2, n, 100)
    assert (
        found["ranking_regret"].is_monotonic_increasing
        and list(found["rank"]) == [1, 2, 3]
        and list(found["best"]) == [1, 1, 0]
    )
    np.testing.assert_allclose(behaviour.regret().mean(1), found["test_regret"][:2])
    np.testing.assert_allclose(behaviour.reward.sum(2).mean(1), found["test_reward"][:2], rtol=1e-6)
    np.testing.assert_allclose(behaviour.regret().std(1, ddof=1) / np.sqrt(n), found["test_regret_se"][:2])
    assert (found["training_task"] == "du").all() and (found["n_test_episodes"] == n).all()
    assert (abs(found["test_regret"] - 25) < 4).all() and (found["learned"] == 0).all()  # not trained: at chance


def test_gru_learns_to_learn_the_easy_bandit_and_without_seeing_rewards_stays_at_chance():
    training = Training(settings=3, training_episodes=2400, learning_rate=3e-3, entropy_cost=0.01, discount=0.7)
    seeing, blind = (quiet("gru", "de", training, reward_input=given) for given in (True, False))
    regrets = []
    for made in (seeing, blind):
        found, _ = evaluate(
            made, task("de"), 200, 200, 1, 1, source="x", name="gru", chance_regret=40, optimum_regret=0.625
        )
        regrets.append(found["test_regret"].to_numpy())
    assert regrets[0].min() < 4
    assert (np.abs(regrets[1] - 40) < 8).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU on this machine")
def test_training_runs_on_a_gpu():
    made = train("lstm", "du", SMALL, 1, device="cuda", progress=False)
    assert all(np.isfinite(w).all() for w in made.weights.values())


def test_progress_goes_to_stderr_as_plain_lines_where_there_is_no_terminal(capsys):
    train("vanilla", "du", SMALL, 1, device="cpu")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "vanilla_du: update 10/10" in shown.err and "agent-trials/s" in shown.err and "\r" not in shown.err


def test_best_agents_can_be_those_of_another_task_and_a_learner_is_evaluated_alike():
    bounds = {"chance_regret": 40.0, "optimum_regret": 0.625}
    made = quiet("gru")
    found, behaviour = evaluate(made, task("de"), 20, 30, 2, 1, source="gru_du", name="gru",
                                best_subjects=["gru003", "gru001"], **bounds)  # fmt: skip
    assert behaviour.subjects == ("gru003", "gru001") and behaviour.task.name == "de"
    assert set(found["subject"][found["best"] == 1]) == {"gru003", "gru001"}
    assert (found["task"] == "de").all() and (found["training_task"] == "du").all()
    chance = AGENTS["random"].load()(task("de"), **AGENTS["random"].settings)
    row, played = evaluate(chance, task("de"), 100, 400, 1, 1, source="random", name="random", **bounds)
    assert len(row) == 1 and row["learning_rate"].isna().all() and row["training_task"].isna().all()
    assert abs(row["test_regret"][0] - 40) < 4 * row["test_regret_se"][0]
    theirs = next(play_batches(made.network(), task("de"), 30, 1, "test")).latent["reward_probability"]
    np.testing.assert_array_equal(played.latent["reward_probability"][0, :30], theirs[0])
