"""Plausible tidy results in a temporary folder: what the pipeline would leave there, made up, small, reproducible."""

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from test_report_checks import made_up_confusion, made_up_planted, made_up_ranks, made_up_recovery

from pipeline import trials
from pipeline.behaviour.mixed import COLUMNS as MIXED_COLUMNS
from pipeline.behaviour.run import COLUMNS
from pipeline.models import MODELS
from pipeline.plan import Plan
from pipeline.seeds import generator

ROOT = Path(__file__).resolve().parents[1]
REASON = "no network, and no folder of primate data was named"
OPTIMUM = {"di": 1.748, "du": 1.221, "de": 0.625, "dm": 1.000, "dh": 2.312, "reversal": 2.52}
CHANCE = {"di": 16.67, "du": 25.0, "de": 40.0, "dm": 25.0, "dh": 10.0, "reversal": 20.0}
RATIO = {"thompson": 2.3, "ucb": 3.4, "gittins": 1.3, "gittins90": 1.6, "bayes_optimal": 1.02, "rescorla_wagner": 3.1}
SKILL = {"lstm": 1.1, "gru": 1.13, "lowrank": 1.35, "vanilla": 1.6, "lstm23": 1.2, "gru27": 1.25, "lowrank149": 1.3}
STUDIES = ("bandits", "reversal")  # the pages whose results are made up here
SPEED = {"primate": 4.5, "network": 2.2, "learner": 1.8}  # trials
SPECIES = {"network": "network", "learner": "learner", "primate": "monkey"}
ANIMALS = ["BB6", "BB7", "BB8", "BB10"]
FAILED = ("lowrank_reversal", "asymmetric_sticky")
UNDECIDED = "undecided: the interval holds the published value"
WHY_FAILED = ["largest R-hat 1.120, above 1.01", "37 divergent transitions"]


def config(scale: str = "standard") -> dict:
    """Read the project's own config, at one scale, with the studies that this module makes up results of."""
    found = yaml.safe_load((ROOT / "config.yaml").read_text())
    return found | {"scale": scale, "studies": {name: found["studies"][name] for name in STUDIES}}


def write_results(root: Path, settings: dict, dataset: bool = True, agents: int = 16) -> None:
    """Write results of every study of the config under ``root``; without ``dataset`` the monkeys are missing."""
    for study in Plan(settings).studies.values():
        for source in study.sources:
            r = generator(7, study.name, source.name)
            if source.kind == "primate":
                _primate_table(root, study.name, source.name, dataset)
            else:
                _evaluation(root, study, source, r, agents)
            if source.kind == "network":
                _training(root, source, r, agents)
            there = dataset or source.kind != "primate"
            _behaviour(root, study, source, r, there)
            for model in [m for name, m in study.fits if name == source.name]:
                _fit(root, study.name, source, model, r, there)
        if study.models:
            _comparison(root, study, dataset)
        _mixed(root, study)
        if study.checked:
            _checks(root, study)
        if study.train_by_test:
            _ideals(root, study)
    _claims(root)


def _mixed(root, study) -> None:
    """Hierarchical regressions: one coefficient of each."""
    for source in study.regressed:
        rows = [
            (source.name, "task", name, "reward", "group", "all", "", 1.2, 0.1, 1.0, 1.4, 1.0, 900, 900, 5000, 5, 20, 0,
             True, "")
            for name in dict.fromkeys(regression for _, regression in study.mixed)
        ]  # fmt: skip
        _save(rows, root / "mixed" / study.name / f"{source.name}.csv", MIXED_COLUMNS)


def _checks(root, study) -> None:
    """Recovery, ranks and confusion of the models that `test_report_checks` makes up, others are empty."""
    folder = root / "checks"
    made = {"recovery": made_up_recovery(), "ranks": made_up_ranks()}
    for model in study.checked:
        for kind, frame in made.items():
            part = frame[frame["model"] == model]
            _save(part, folder / f"{study.name}.{model}.{kind}.csv")
    _save(made_up_confusion(), folder / f"{study.name}.confusion.csv")
    if study.planted:
        _save(made_up_planted(), folder / f"{study.name}.planted.csv")


def _save(rows, path: Path, columns=None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)


def _subjects(source) -> list[str]:
    if source.kind == "primate":
        return ANIMALS
    return [f"{source.agent}{i + 1:03d}" for i in range(5 if source.kind == "network" else 1)]


def _primate_table(root, study, name, dataset):
    table = trials.empty()
    if dataset:
        columns = {
            "source": name,
            "species": "monkey",
            "task": "reversal",
            "subject": "BB6",
            "session": 1,
            "episode": 1,
        }
        columns |= {"trial": range(1, 81), "block": 1, "trial_type": "free", "options": 2, "choice": 0, "reward": 1.0}
        table = trials.conform(pd.DataFrame(columns))
    status = {} if dataset else {"status": "missing", "reason": REASON}
    trials.write(table, root / "trials" / study / f"{name}.parquet", metadata=status)


def _evaluation(root, study, source, r, agents):
    rows = []
    for task in [source.task] if source.kind == "network" else study.tasks:
        chance, optimum = CHANCE[task], OPTIMUM[task]
        base = {"source": source.name, "agent": source.agent, "task": task, "n_test_episodes": 2000}
        base |= {"chance_regret": chance, "optimum_regret": optimum, "test_regret_se": 0.03, "test_reward": 65.0}
        if source.kind == "learner":
            regret = RATIO[source.agent] * optimum if source.agent in RATIO else chance
            rows.append(
                base | {"training_task": "", "subject": source.agent, "test_regret": regret, "best": 1, "learned": 1}
            )
            continue
        rate = 10 ** r.uniform(-4, -2, agents)
        bad = 1 - np.exp(-((np.log10(rate) + 2.9) ** 2) / 0.25)
        ratio = SKILL[source.agent] * (1 + 0.25 * r.gamma(1, 0.3, agents))
        regret = np.minimum((ratio + bad**3 * (chance / optimum - 1) * r.uniform(0, 1, agents)) * optimum, chance)
        if not source.reward_input:
            regret = chance * (1 + 0.01 * r.standard_normal(agents))
        ranking = regret * (1 + 0.02 * r.standard_normal(agents))
        rank = ranking.argsort().argsort() + 1
        for i in range(agents):
            row = {"training_task": task, "subject": f"{source.agent}{i + 1:03d}", "learning_rate": rate[i]}
            row |= {
                "discount": 0.5 + 0.4 * i / agents,
                "entropy_cost": 0.01 + 0.001 * i,
                "ranking_regret": ranking[i],
                "test_regret": regret[i],
            }
            row |= {
                "rank": rank[i],
                "best": int(rank[i] <= 5),
                "learned": int(ranking[i] < optimum + 0.1 * (chance - optimum)),
            }
            rows.append(base | row)
    if study.train_by_test and source.kind == "network" and source.reward_input and not source.matched:
        rows += _transfer(rows, source, study)
    _save(rows, root / "evaluation" / study.name / f"{source.name}.csv")


def _transfer(rows, source, study):
    """The best agents on the other tasks, each 20 % worse than at home in units of the optimum."""
    found = []
    for task in (t for t in study.tasks if t != source.task):
        for row in (r for r in rows if r["best"]):
            regret = 1.2 * row["test_regret"] / OPTIMUM[source.task] * OPTIMUM[task]
            other = {"task": task, "test_regret": regret, "chance_regret": CHANCE[task], "ranking_regret": np.nan}
            found.append(row | other | {"optimum_regret": OPTIMUM[task]})
    return found


def _ideals(root, study):
    rows = [
        {"training_task": a, "task": b, "regret": OPTIMUM[b] * (1.25 if "di" in (a, b) and a != b else 1)}
        for a, b in itertools.product(study.tasks, study.tasks)
    ]
    frame = pd.DataFrame(rows).assign(standard_error=0.0, exact=1)
    _save(frame, root / "optimum" / f"{study.name}.ideals.csv")


def _training(root, source, r, agents, points=40):
    episodes = np.linspace(750, 30000, points)
    top = (CHANCE[source.task] - OPTIMUM[source.task]) / (80 if source.task == "reversal" else 100)
    parts = []
    for i in range(agents):
        step, height = r.uniform(2000, 20000), r.uniform(0.2, 1) * top * source.reward_input
        reward = 0.5 + height / (1 + np.exp(-(episodes - step) / 1200)) + 0.008 * r.standard_normal(points)
        columns = {"subject": f"{source.agent}{i + 1:03d}", "episodes_trained": episodes.astype(int)}
        columns |= {"reward_per_trial": reward, "policy_entropy": 0.4, "value_loss": 0.1}
        parts.append(pd.DataFrame(columns))
    _save(pd.concat(parts), root / "training" / source.name / "curve.csv")
    rows = {"subject": [f"{source.agent}{i + 1:03d}" for i in range(agents)], "setting": range(1, agents + 1)}
    rows |= {"learning_rate": 0.01, "discount": 0.9, "entropy_cost": 0.01, "stopped": [1, *[0] * (agents - 1)]}
    _save(rows, root / "training" / source.name / "agents.csv")


def _behaviour(root, study, source, r, there):
    found = {"summary": [], "curves": [], "regressions": []}
    for task in ([source.task] if source.kind == "network" else study.tasks) if there else ():
        for subject in ("all", *_subjects(source)):
            who = {"source": source.name, "species": SPECIES[source.kind], "task": task, "subject": subject}
            shift = 0.0 if subject == "all" else r.normal(0, 0.02)
            n = len(_subjects(source)) if subject == "all" else 1
            values = {"win_stay": 0.95 + shift, "lose_shift": 0.3 + shift, "better_choice": 0.8 + shift}
            values |= {"reward_rate": 0.65 + shift / 2, "regret": 8 + 20 * shift, "perseveration": 3.2 + 10 * shift}
            unit = "sessions within subjects" if source.kind == "primate" else "subjects and sessions"
            counts = {"n_subjects": n, "n_sessions": 20 * n, "n_episodes": 270 * n, "n_trials": 21600 * n}
            found["summary"] += [
                who
                | {"statistic": name, "value": v, "low": v - 0.01, "high": v + 0.01, "unit": unit, "note": ""}
                | counts
                for name, v in values.items()
            ]
            found["curves"] += _curves(who, task, source, r, n, study.kernel_lags)
            for term, b in (("intercept", 1.7 + shift), ("reward", 3.6 + 5 * shift)):
                row = {"regression": "stay", "term": term, "estimate": b, "standard_error": 0.05, "low": b - 0.1}
                row |= {"high": b + 0.1, "n_trials": 21000 * n, "n_clusters": 20 * n, "clusters": "session", "note": ""}
                found["regressions"].append(who | row | {"separated": int(source.agent == "bayes_optimal")})
    for kind, rows in found.items():
        _save(rows, root / "behaviour" / study.name / f"{source.name}.{kind}.csv", list(COLUMNS[kind]))


def _curves(who, task, source, r, n, lags):
    speed, rows = SPEED[source.kind] + r.normal(0, 0.4), []

    def add(curve, x, value, half):
        for a, v in zip(x, np.asarray(value, float)):
            rows.append(
                who | {"curve": curve, "x": int(a), "value": v, "low": v - half, "high": v + half, "n": 270 * n}
            )

    trial = np.arange(1, 81 if task == "reversal" else 101)
    add("suboptimal", trial, 0.5 * np.exp(-trial / (4 * speed)) + OPTIMUM[task] / CHANCE[task] / 2, 0.02)
    late = 0.002 * OPTIMUM[task] * (source.kind == "network")  # errors that networks go on making
    add("regret", trial, OPTIMUM[task] * (1 - np.exp(-trial / (4 * speed))) + late * trial, 0.05)
    if task == "reversal":
        x, before = np.arange(-20, 31), 0.12
        add("reversal", x, np.where(x < 0, before, before + 0.78 * (1 - np.exp(-np.maximum(x, 0) / speed))), 0.02)
        add("learning", np.arange(1, 50), 0.5 + 0.38 * (1 - np.exp(-np.arange(49) / speed)), 0.015)
    lag = np.arange(1, lags + 1)
    height = 1.6 if source.kind == "primate" else 2.5
    add("reward_kernel", lag, height * np.exp(-(lag - 1) / 2.5) + r.normal(0, 0.05), 0.08)
    add("choice_kernel", lag, 0.4 * np.exp(-(lag - 1) / 2) + r.normal(0, 0.05), 0.08)
    return rows


def _fit(root, study, source, model, r, there):
    stem = root / "models" / study / f"{source.name}.{model}"
    who, rows, subjects = {"source": source.name, "model": model}, [], _subjects(source)
    for p in MODELS[model].parameters if there else ():
        mean = p.typical * (1 + 0.2 * r.standard_normal())
        group = [("group", "")] if len(subjects) > 1 else []  # a source of one subject has no group level
        for level, subject in [*group, *(("subject", s) for s in subjects)]:
            sd = (0.12 if level == "group" else 0.04) * abs(mean)
            value = mean * (1 if level == "group" else 1 + 0.1 * r.standard_normal())
            row = {"level": level, "subject": subject, "parameter": p.name, "mean": value, "sd": sd}
            row |= {"low": value - 1.9 * sd, "high": value + 1.9 * sd, "r_hat": 1.002, "ess_bulk": 1500}
            rows.append(who | row | {"ess_tail": 1300, "shrinkage": 0.2})
        if group:  # further group-level rows, which are not means
            for name in ["group_sd", *(["session_sd"] if source.kind == "primate" else [])]:
                extra = {"level": "group", "subject": "", "parameter": f"{p.name}_{name}", "mean": 0.61}
                rows.append(who | extra | {"low": 0.31, "high": 0.97})
    columns = ["source", "model", "level", "subject", "parameter", "mean", "sd", "low", "high", "r_hat", "ess_bulk"]
    _save(rows, Path(f"{stem}.posterior.csv"), [*columns, "ess_tail", "shrinkage"])
    checks = [
        who | {"subject": "all", "statistic": name, "observed": at, "predicted": at + 0.01, "low": at - 0.01}
        for name, at in (("win_stay", 0.95), ("lose_shift", 0.3), ("better_choice", 0.8))
    ]
    checks = [check | {"high": check["observed"] + 0.03, "p": 0.4, "n_draws": 40} for check in checks]
    columns = [*who, "subject", "statistic", "observed", "predicted", "low", "high", "p", "n_draws"]
    _save(checks if there else [], Path(f"{stem}.predictive.csv"), columns)
    Path(f"{stem}.json").write_text(json.dumps(_badge(who, len(subjects), there)))


def _badge(who, subjects, there):
    bad = (who["source"], who["model"]) == FAILED
    names = ("divergences", "max_r_hat", "min_ess_bulk", "min_ess_tail", "min_ebfmi", "log_likelihood_per_trial")
    loo = ("elpd_loo", "elpd_loo_se", "p_loo", "loo_unit", "loo_n", "pareto_k_max", "pareto_k_bad")
    values = (37 if bad else 0, 1.12 if bad else 1.004, 45.0 if bad else 1320.0, 1100.0, 0.8, -0.3364)
    unit = ("session", 79) if "monkey" in who["source"] else ("subject", 5) if subjects > 1 else ("episode", 280)
    facts = dict(zip(names, values)) | dict(zip(loo, (-28900.5, 310.2, 55.1, *unit, 0.62, 0)))
    counts = {"n_subjects": subjects, "n_sessions": 79, "n_episodes": 1106, "n_trials": 88480, "chains": 4}
    counts |= {"draws": 1000, "tune": 1000}
    state = {"passed": not bad, "reasons": WHY_FAILED if bad else [], "notes": [], "status": "run", "seconds": 44.2}
    if not there:
        facts, counts = dict.fromkeys(facts), dict.fromkeys(counts, 0)
        state |= {"passed": False, "reasons": [f"not run: {REASON}"], "status": "not run", "seconds": 0.0}
    return who | counts | facts | state


def _comparison(root, study, dataset):
    r, groups, stack, typical = generator(7, study.name, "comparison"), [], [], []
    networks = [s.name for s in study.sources if s.kind == "network"]
    animals = [s.name for s in study.sources if s.kind == "primate"] if dataset else []
    for model, a, b in itertools.product(study.models, networks, animals):
        for p, prior in itertools.product(MODELS[model].parameters, ("as stated", "SDs halved", "SDs doubled")):
            m = r.normal(0, 0.12)
            pareto_k = {"as stated": np.nan, "SDs halved": 0.8, "SDs doubled": 0.3}[prior]
            who = {"model": model, "parameter": p.name, "group_a": a, "group_b": b, "prior": prior}
            for scale, rope in (("link", np.nan), ("choice probability", 0.05)):
                row = {
                    "scale": scale,
                    "mean": m,
                    "low": m - 0.07,
                    "high": m + 0.07,
                    "rope_low": -rope,
                    "rope_high": rope,
                }
                row |= {"p_rope": 0.3, "p_direction": 0.94, "pareto_k": pareto_k, "note": "fewer than 8 subjects"}
                groups.append(who | row | {"n_a": 5, "n_b": 4})
    for s in study.sources:
        if s.kind != "primate" or dataset:
            able = [m for m in study.models if (s.name, m) != FAILED]
            weights = dict(zip(able, r.dirichlet(np.ones(len(able)))))
            for i, model in enumerate(study.models):
                row = {"source": s.name, "model": model, "elpd": -28000 - 100 * i, "elpd_se": 300}
                note = "" if model in weights else "; ".join(WHY_FAILED)
                stack.append(row | {"weight": weights.get(model), "passed": model in weights, "note": note})
    at = {"win_stay": 0.95, "lose_shift": 0.3, "better_choice": 0.8, "perseveration": 3.2}
    for (statistic, centre), animal in itertools.product(at.items(), ANIMALS if animals else ()):
        value = centre * (1 + 0.03 * r.standard_normal())
        for network in networks:
            row = {"animal": animal, "statistic": statistic, "value": value, "reference_source": network}
            row |= {"percentile": r.uniform(0, 100), "reference_low": centre * 0.97, "reference_high": centre * 1.04}
            beyond = int(not row["reference_low"] <= value <= row["reference_high"])
            typical.append(row | {"n_reference": 8, "outside": beyond, "chance_outside": 2 / 9})
    for name, rows in (("groups", groups), ("stacking", stack), ("typicality", typical)):
        _save(rows, root / "comparison" / f"{study.name}.{name}.csv")


def _claims(root):
    nothing = (np.nan,) * 4
    wang, costa = "Wang et al. 2017", "Costa et al. 2016"
    optimal = "the greedy majority rule is optimal on all four, so that an ideal D_h agent is ideal on them"
    di, dh, de = "w17-di-thompson", "w17-hard-on-du", "w17-de-gittins"
    rows = [
        (di, wang, "bandits", "lstm_di", "on D_i it beats Thompson", "x", "< 1", 0.71, 0.66, 0.77, 5, "agrees", ""),
        (dh, wang, "bandits", "lstm_dh", "poor on D_u", "x", "> 1", 1.02, 0.97, 1.08, 5, "deviates", optimal),
        (de, wang, "bandits", "lstm_de", "as good as Gittins", "x", "1", 1.04, 0.9, 1.2, 5, "deviates", UNDECIDED),
        ("w3", wang, "bandits", "lstm_du_noreward", "at chance", "x", "25.0", 24.9, 24.6, 25.2, 16, "agrees", ""),
        (
            "c1",
            costa,
            "reversal",
            "costa2016_monkey_prl",
            "win-stay",
            "x",
            "0.955",
            *nothing,
            "not run",
            "missing data",
        ),
    ]
    columns = ["id", "paper", "study", "source", "statement", "statistic", "published", "value", "low", "high", "n"]
    _save(rows, root / "claims.csv", [*columns, "verdict", "why"])
    for study in STUDIES:
        own = [row for row in rows if row[2] == study]
        _save(own, root / "claims" / f"{study}.csv", [*columns, "verdict", "why"])
