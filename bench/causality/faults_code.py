"""Faults that somebody deploys: a model, a macro, a package, a seed, a variable or the configuration is changed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import yaml
from jobs import BY_KEY
from studio import Studio

from faults import Fault, Maker, Scene, file_of

_WORDS = re.compile(r"\b(\w+)\.(\w+)\b")
_CONFIG = re.compile(r"^\s*\{\{\s*config\(.*?\)\s*\}\}", re.DOTALL)


def wrapped(text: str, selects: str) -> str:
    """Put a model's query into another one that selects from it."""
    config = _CONFIG.match(text)
    head = config[0] + "\n" if config else ""
    body = text[config.end() :] if config else text
    return f"{head}select {selects} from (\n{body.strip()}\n) as whole"


def change_model(node: Mapping[str, Any], selects: str, studio: Studio) -> None:
    """Put a model's query into another one."""
    studio.edit(file_of(node), partial(wrapped, selects=selects))


def model_sql_broken(scene: Scene) -> Fault | None:
    """A column or a keyword is misspelled in a model."""
    project = scene.project()
    node = scene.chance.choice(scene.models(project))
    lines = [line for line in node["raw_code"].splitlines() if "{" not in line and not line.strip().startswith("--")]
    words = [match[0] for line in lines for match in _WORDS.finditer(line) if not match[1].isdigit()]
    if words and scene.chance.random() < 0.6:
        word = scene.chance.choice(words)
        change = partial(_replace_one, old=word, new=f"{word}_old")
    else:
        change = partial(_replace_one, old="select", new="selct")
    return _changed_model(scene, node, "model_sql_broken", change, said="misspelled")


def model_logic_changed(scene: Scene) -> Fault | None:
    """A model still runs and now gives rows that its own tests refuse."""
    node = scene.chance.choice(scene.models(scene.project()))
    found = [
        (test["test_metadata"]["name"], test["column_name"])
        for test in scene.tests_on(node)
        if test.get("test_metadata") and test["test_metadata"]["name"] in {"unique", "not_null"}
    ]
    if not found or node["config"].get("contract", {}).get("enforced") or node["config"].get("unique_key"):
        return None
    test, column = scene.chance.choice(found)
    if test == "unique":
        change = _doubled
    else:
        selects = f"* replace (case when row_number() over () % 5 <> 1 then {column} end as {column})"
        change = partial(wrapped, selects=selects)
    return _changed_model(scene, node, "model_logic_changed", change, said=f"fails {test} {column}", is_silent=True)


def upstream_column_dropped(scene: Scene) -> Fault | None:
    """A model no longer gives a column that another one reads, perhaps one of another project."""
    project = scene.project()
    node = scene.chance.choice(scene.models(project))
    children = [
        child for other in ("storefront", "finance", "roastery") for child in scene.readers(node["unique_id"], other)
    ]
    tested = {test.get("column_name") for test in scene.tests_on(node)}
    names = [name for name, _ in scene.columns_of(node) if name not in tested]
    used = [name for name in names if any(re.search(rf"\b{name}\b", child["raw_code"]) for child in children)]
    if not used or len(names) < 2 or node["config"].get("contract", {}).get("enforced"):
        return None
    column = scene.chance.choice(used)
    change = partial(wrapped, selects=f"* exclude ({column})")
    return _changed_model(scene, node, "upstream_column_dropped", change, said=f"without {column}")


def upstream_type_changed(scene: Scene) -> Fault | None:
    """A model gives a number as text with a unit, which its readers cannot calculate with."""
    node = scene.chance.choice(scene.models(scene.project()))
    tested = {test.get("column_name") for test in scene.tests_on(node)}
    numbers = [name for name, kind in scene.columns_of(node) if kind.startswith(("DECIMAL", "DOUBLE", "BIGINT"))]
    numbers = [name for name in numbers if name not in tested]
    children = [
        child for other in ("storefront", "finance", "roastery") for child in scene.readers(node["unique_id"], other)
    ]
    used = [name for name in numbers if any(re.search(rf"\b{name}\b", child["raw_code"]) for child in children)]
    if not used or node["config"].get("contract", {}).get("enforced") or node["config"].get("unique_key"):
        return None
    column = scene.chance.choice(used)
    change = partial(wrapped, selects=f"* replace ('EUR ' || {column} as {column})")
    return _changed_model(scene, node, "upstream_type_changed", change, said=f"{column} is text", is_silent=True)


def contract_breach(scene: Scene) -> Fault | None:
    """A model with an enforced contract gives a column of another type, or does without one."""
    held = [node for node in scene.models("storefront") if node["config"].get("contract", {}).get("enforced")]
    node = scene.chance.choice(held)
    numbers = [name for name, kind in scene.columns_of(node) if kind.startswith(("DECIMAL", "BIGINT"))]
    column = scene.chance.choice(numbers)
    how = scene.chance.choice([f"* replace ({column}::varchar as {column})", f"* exclude ({column})"])
    return _changed_model(scene, node, "contract_breach", partial(wrapped, selects=how), said=how)


MACROS = (
    ("storefront", "cents_to_euros", "money.sql", "round({{ column_name }}", "rounded_down({{ column_name }}"),
    ("storefront", "net_of_vat", "money.sql", "round({{ column_name }} / (1", "net_amount({{ column_name }} / (1"),
    ("storefront", "safe_ratio", "money.sql", "nullif({{ denominator }}, 0)", "nullif({{ denominator }})"),
    ("storefront", "hours_between", "dates.sql", "date_diff('minute'", "timestampdiff('minute'"),
    ("storefront", "month_of", "dates.sql", "date_trunc('month', {{ column_name }})", "month_start({{ column_name }})"),
    ("storefront", "newer_than_built", "incremental.sql", "max({{ column_name }})", "newest({{ column_name }})"),
    ("storefront", "test_not_negative", "tests/not_negative.sql", "< 0", "< 1000000"),
    ("storefront", "test_row_count_at_least", "tests/row_count_at_least.sql", "row_count < {{", "row_count > {{"),
    ("finance", "booking", "ledger.sql", "{{ amount }}::decimal", "to_decimal({{ amount }})::decimal"),
    ("roastery", "test_within_range", "within_range.sql", "not between", "between"),
)


def macro_changed(scene: Scene) -> Fault | None:
    """A macro is changed so that what uses it fails."""
    project, name, path, old, new = scene.chance.choice(MACROS)
    unique_id = f"macro.{project}.{name}"
    users = [
        node["unique_id"]
        for node in scene.prefix.manifests[project]["nodes"].values()
        if unique_id in node["depends_on"].get("macros", ()) and node["resource_type"] == "model"
    ]
    job = scene.job_of(scene.chance.choice(users)) if users else BY_KEY[f"{project}/nightly"]
    if job is None:
        return None
    return Fault(
        kind="macro_changed", project=project, said=f"macro {name}: {new}", first_job=job,
        causes=frozenset({"macro_changed"}), subjects=frozenset({unique_id}), changes_code=True,
        strike=lambda studio: studio.edit(f"{project}/macros/{path}", partial(_replace_one, old=old, new=new)),
    )  # fmt: skip


def package_changed(scene: Scene) -> Fault | None:
    """A package that the storefront uses comes in a new version, in which a macro no longer works."""
    new = scene.chance.choice(["strip_blanks({{ column_name }})", "trim({{ column_name }}, true, 1)"])

    def strike(studio: Studio) -> None:
        studio.edit(
            "storefront/dbt_packages/beans/macros/beans.sql",
            partial(_replace_one, old="trim({{ column_name }})", new=new),
        )
        studio.edit("storefront/dbt_packages/beans/dbt_project.yml", partial(_replace_one, old="1.0.0", new="2.0.0"))

    return Fault(
        kind="package_changed", project="storefront", first_job=BY_KEY["storefront/nightly"], said=f"beans: {new}",
        causes=frozenset({"package_changed", "macro_changed"}), strike=strike, changes_code=True,
        subjects=frozenset({"macro.beans.tidy", "package.beans", "beans"}),
    )  # fmt: skip


VARIABLES = (
    ("storefront", "first_trading_day", "01-01-2024"),
    ("storefront", "session_lookback_days", "three"),
    ("roastery", "first_crack_celsius", "hot"),
    ("roastery", "minimum_cupping_score", "high"),
)


def variable_changed(scene: Scene) -> Fault | None:
    """A variable gets a value that its users cannot work with, in the project or in the job's commands."""
    project, name, value = scene.chance.choice(VARIABLES)
    users = [node for node in scene.models(project) if re.search(rf"var\(.{name}.\)", node["raw_code"])]
    job = scene.job_of(users[0]["unique_id"])
    if job is None:
        return None
    causes, subjects = (
        frozenset({"variable_changed"}),
        frozenset({name, *(user["unique_id"] for user in users)}),
    )
    if scene.chance.random() < 0.5:
        commands = {
            job.key: tuple(
                one if "freshness" in one else f"{one} --vars '{{{name}: {value}}}'" for one in job.commands
            )
        }  # fmt: skip
        return Fault(
            kind="variable_changed", project=project, first_job=job, said=f"{job.key} --vars {name}={value}",
            causes=causes, subjects=subjects, commands=commands,
        )  # fmt: skip

    def strike(studio: Studio) -> None:
        studio.edit(f"{project}/dbt_project.yml", lambda text: _with_yaml(text, ("vars", name), value))

    return Fault(
        kind="variable_changed", project=project, first_job=job, said=f"vars: {name}={value}", causes=causes,
        subjects=subjects, strike=strike, changes_code=True,
    )  # fmt: skip


def seed_changed(scene: Scene) -> Fault | None:
    """A seed loses a column that models read, or has a row twice."""
    project = scene.project()
    seeds = [
        node
        for node in scene.prefix.manifests[project]["nodes"].values()
        if node["resource_type"] == "seed" and node["package_name"] == project
    ]
    node = scene.chance.choice(seeds)
    tested = {(test["test_metadata"]["name"], test["column_name"]) for test in scene.tests_on(node)}
    uniques = [column for name, column in tested if name == "unique"]
    how = scene.chance.choice(["twice", "column"])
    change = _row_twice if how == "twice" else None
    if how == "column":
        keys = {column for _, column in tested}
        used = [
            name
            for name, _ in scene.columns_of(node)
            if name not in keys
            and any(re.search(rf"\b{name}\b", child["raw_code"]) for child in scene.readers(node["unique_id"], project))
        ]
        if not used:
            return None
        change = partial(_without_column, column=scene.chance.choice(used))
    elif not uniques:
        return None
    return Fault(
        kind="seed_changed", project=project, first_job=BY_KEY[f"{project}/nightly"], said=f"{node['name']}: {how}",
        causes=frozenset({"seed_changed"}), subjects=frozenset({node["unique_id"]}), changes_code=True,
        wrong_code=frozenset({node["unique_id"]}), strike=lambda studio: studio.edit(file_of(node), change),
    )  # fmt: skip


def configuration_changed(scene: Scene) -> Fault | None:
    """The project's file configures a model otherwise: a hook that cannot run, a materialization that is not there."""
    node = scene.chance.choice(scene.models(scene.project()))
    project = node["package_name"]
    job = scene.job_of(node["unique_id"])
    if job is None:
        return None
    path = ("models", project, *node["fqn"][1:-1], node["name"])
    key, value = scene.chance.choice([
        ("+pre_hook", "delete from audit.loads_of_today"),
        ("+post_hook", "call refresh_dashboards()"),
        ("+materialized", "materialized_view"),
    ])  # fmt: skip
    if key == "+materialized" and _CONFIG.match(node["raw_code"]):
        return None

    def strike(studio: Studio) -> None:
        studio.edit(f"{project}/dbt_project.yml", lambda text: _with_yaml(text, (*path, key), value))

    return Fault(
        kind="configuration_changed", project=project, first_job=job, said=f"{node['name']} {key}: {value}",
        causes=frozenset({"configuration_changed"}), subjects=frozenset({node["unique_id"]}), strike=strike,
        changes_code=True,
    )  # fmt: skip


_CAUSES = {
    "model_sql_broken": frozenset({"code_changed"}),
    "model_logic_changed": frozenset({"code_changed", "upstream_code_changed"}),
    "upstream_column_dropped": frozenset({"upstream_code_changed", "code_changed", "columns_changed"}),
    "upstream_type_changed": frozenset({"upstream_code_changed", "code_changed", "columns_changed"}),
    "contract_breach": frozenset({"contract_breach", "code_changed", "upstream_code_changed"}),
}


def _changed_model(
    scene: Scene, node: Mapping[str, Any], kind: str, change: Any, *, said: str, is_silent: bool = False
) -> Fault | None:
    job = scene.job_of(node["unique_id"])
    if job is None or change(node["raw_code"]) == node["raw_code"]:
        return None
    own = frozenset({node["unique_id"]})
    return Fault(
        kind=kind, project=node["package_name"], first_job=job, said=f"{node['name']}: {said}", causes=_CAUSES[kind],
        subjects=own, strike=lambda studio: studio.edit(file_of(node), change), changes_code=True,
        wrong_code=own if is_silent else frozenset(),
    )  # fmt: skip


def _replace_one(text: str, old: str, new: str) -> str:
    return text.replace(old, new, 1)


def _doubled(text: str) -> str:
    return wrapped(text, "whole.*") + "\ncross join (values (1), (2)) as twice (n)"


def _row_twice(text: str) -> str:
    lines = text.rstrip("\n").splitlines()
    return "\n".join([*lines, lines[-1]]) + "\n"


def _without_column(text: str, column: str) -> str:
    head, *rows = list(csv.reader(text.splitlines()))
    place = head.index(column)
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([*row[:place], *row[place + 1 :]] for row in (head, *rows))
    return written.getvalue()


def _with_yaml(text: str, path: tuple[str, ...], value: object) -> str:
    document = yaml.safe_load(text)
    place = document
    for name in path[:-1]:
        place = place.setdefault(name, {})
    place[path[-1]] = value
    return yaml.safe_dump(document, sort_keys=False)


KINDS: tuple[Maker, ...] = (
    model_sql_broken, model_logic_changed, upstream_column_dropped, upstream_type_changed, contract_breach,
    macro_changed, package_changed, variable_changed, seed_changed, configuration_changed,
)  # fmt: skip
