"""What the config asks for, and what happens when it is mistyped."""

import copy
from pathlib import Path

import pytest
import yaml

from pipeline.errors import UserError
from pipeline.plan import ConfigError, Plan, data_dir

CONFIG = yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text())


def changed(path, value):
    config = copy.deepcopy(CONFIG)
    place = config
    *parents, last = path.split(".")
    for key in parents:
        place = place[key]
    place[last] = value
    return config


def test_the_shipped_config_is_valid_at_every_scale():
    for scale in CONFIG["scales"]:
        assert Plan({**CONFIG, "scale": scale}).studies


def test_quick_is_the_declared_subset():
    plan = Plan({**CONFIG, "scale": "quick"})
    assert plan.names("network") == ["lstm_du", "lowrank_du", "lstm_du_noreward", "lstm_reversal", "lowrank_reversal"]
    assert plan.names("primate") == ["costa2016_monkey_prl"]


def test_sources_are_named_core_and_training_task():
    source = Plan(CONFIG).any_source("gru_dh")
    assert (source.agent, source.task, source.reward_input) == ("gru", "dh", True)
    assert not Plan(CONFIG).any_source("lstm_du_noreward").reward_input


def test_settings_of_a_core_override_the_common_ones():
    config = changed("cores", {"lowrank": {"clip": 0.5}})
    assert Plan(config).training("lowrank_du")["clip"] == 0.5
    assert Plan(config).training("lstm_du") == Plan(CONFIG).training("lstm_du")


def test_cores_of_equal_parameter_count_stand_beside_the_others_on_their_tasks_only():
    study = Plan(CONFIG).studies["bandits"]
    matched = {source.name for source in study.sources if source.matched}
    assert matched == {f"{core}_{task}" for core in ("lstm23", "gru27", "lowrank149") for task in ("du", "di")}
    assert not Plan({**CONFIG, "scale": "quick"}).names("network").count("lowrank149_du")


def test_the_lstm_has_more_settings_than_the_other_cores_and_a_task_may_have_its_own_numbers():
    plan = Plan(CONFIG)
    assert [plan.training(name)["settings"] for name in ("lstm_du", "gru_du", "gru_reversal")] == [24, 12, 16]
    assert [plan.training(name)["training_episodes"] for name in ("lstm_du", "lstm_reversal")] == [60_000, 30_000]


def test_the_paper_scale_keeps_what_is_printed_for_a_single_experiment():
    plan = Plan({**CONFIG, "scale": "paper"})
    assert plan.training("lstm_restless")["learning_rate"] == 0.001
    assert plan.training("lstm_du")["learning_rate"] == [0.0001, 0.01]


def test_a_study_may_keep_more_episodes_trial_by_trial_but_never_more_than_are_tested():
    plan = Plan(
        {**CONFIG, "scales": CONFIG["scales"] | {"standard": CONFIG["scales"]["standard"] | {"test_episodes": 900}}}
    )
    assert plan.episodes("restless")["table_episodes"] == 900
    assert Plan(CONFIG).episodes("restless")["table_episodes"] == 1000
    assert Plan(CONFIG).episodes("bandits")["table_episodes"] == CONFIG["scales"]["standard"]["table_episodes"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sede", 3, r"unknown key 'sede' at the top level; did you mean 'seed'\?"),
        ("scale", "standart", r"did you mean 'standard'\?"),
        ("seed", "1e-3", r"seed is '1e-3'.*YAML reads 1e-3 as text"),
        ("studies.reversal.primates", ["costa2016"], r"did you mean 'costa2016_monkey_prl'\?"),
        ("studies.bandits.tasks", ["du", "dx"], r"studies\.bandits\.tasks holds 'dx'"),
        ("scales.standard.settings_by_core", {"lstn": 3}, r"settings_by_core holds 'lstn'; did you mean 'lstm'\?"),
        ("studies.bandits.matched_agents", ["ucb"], r"'ucb', which is a learner"),
        ("cores", {"lstn": {}}, r"cores holds 'lstn'; did you mean 'lstm'\?"),
        ("studies.bandits.agents", ["thompson"], r"'thompson', which is a learner"),
        ("studies.reversal.models", ["rescorla"], r"studies\.reversal\.models holds 'rescorla'"),
        ("studies.reversal.models", {"kalmann": ["primates"]}, r"holds 'kalmann'; did you mean 'kalman'\?"),
        ("studies.reversal.models", {"kalman": ["monkeys"]}, r"models\.kalman holds 'monkeys', which is no source"),
        ("studies.reversal.mixed_regressions", ["stays"], r"holds 'stays'; did you mean 'stay'\?"),
        ("device", "gpu", r"device is 'gpu'.*auto, cpu, cuda"),
        ("scales.quick.draws", 0, r"scales\.quick\.draws is 0"),
    ],
)
def test_a_slip_in_the_config_gives_one_message_with_place_value_and_remedy(path, value, message):
    with pytest.raises(ConfigError, match=message) as caught:
        Plan(changed(path, value))
    assert "\n" not in str(caught.value)


def test_a_model_is_fitted_to_the_sources_that_the_config_maps_it_to():
    models = {"kalman": ["primates", "lstm"], "fictive": ["networks"], "forgetting": ["thompson"]}
    study = Plan(changed("studies.reversal.models", models)).studies["reversal"]
    networks = {s.name for s in study.of_kind("network") if not s.ablated and not s.matched}
    of = {model: {source for source, other in study.fits if other == model} for model in models}
    assert of["kalman"] == {"costa2016_monkey_prl", "lstm_reversal"}
    assert of["fictive"] == networks
    assert of["forgetting"] == {"thompson"}


def test_a_list_of_models_is_fitted_to_every_source_but_ablated_networks():
    study = Plan(changed("studies.restless.models", ["kalman"])).studies["restless"]
    assert {source for source, _ in study.fits} == {s.name for s in study.sources if not s.ablated}


def test_models_are_checked_by_simulation_only_at_scales_that_ask_for_it():
    asked = changed("studies.reversal.checks", True)
    assert Plan(asked).studies["reversal"].checked == ()
    numbers = {"datasets": 200, "tune": 200, "draws": 250, "confusion": 40, "planted": 60}
    asked["scales"]["standard"]["checks"] = numbers
    assert Plan(asked).studies["reversal"].checked == tuple(CONFIG["studies"]["reversal"]["models"])


def test_a_slip_in_a_training_setting_stops_before_any_job_runs():
    with pytest.raises(UserError, match=r"unknown setting 'clipp'; did you mean 'clip'"):
        Plan(changed("training", {"clipp": 1}))
    with pytest.raises(UserError, match="value_cost is -1"):
        Plan(changed("cores", {"gru": {"value_cost": -1}}))


def test_data_folder_is_the_config_key_then_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("PRIMATE_DATA_DIR", str(tmp_path))
    assert data_dir({"primate_data_dir": None}) == str(tmp_path)
    (tmp_path / "own").mkdir()
    assert data_dir({"primate_data_dir": str(tmp_path / "own")}) == str(tmp_path / "own")


def test_a_named_data_folder_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="is not a folder"):
        data_dir({"primate_data_dir": str(tmp_path / "nowhere")})
