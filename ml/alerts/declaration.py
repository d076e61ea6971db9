"""The rules of alerts and where alerts are delivered, as `config.meta.alerts` of the dbt node `alerts` has them, checked."""

import json
from typing import Any

import duckdb

from ml.declared import hint, refuse_other, refuse_unknown
from ml.errors import DeclarationError
from ml.quoting import quote

RULE_FIELDS = ("name", "table", "where", "subject", "text", "severity", "for_windows")
SEVERITIES = ("warning", "error")
WEBHOOK = "EIDERDOWN_ALERT_WEBHOOK"

SUBJECTS = {
    "anomalies": "relation || '.' || feature || ': ' || kind",
    # One alert for all features that drift: of a season many do.
    "drift": "relation || ' against ' || comparison",
    "model_performance": "model || ': ' || metric || ', ' || basis",
    "serving_consistency": "model || '.' || feature",
    "event_files": "'events/' || kind",
    "builds": "'dbt build'",
}
"""What an alert is about where its rule does not say: SQL over a row of each table that a rule may be on."""

TEXTS = {
    "anomalies": "text",
    # concat() leaves out what is null, such as the threshold of a method that goes by its p-value.
    "drift": (
        "concat(feature, ' (', slice, '): ', method, format(' {:.4g}', value), format(', above {:.4g}', threshold), "
        "format(', p {:.2g}', adjusted_p_value))"
    ),
    "model_performance": (
        "concat('version ', version, ': ', metric, format(' {:.4g}', value), ' (', basis, ', ', slice, ')', "
        "format(', threshold {:.4g}', threshold))"
    ),
    "serving_consistency": (
        "format('version {}: of {} values {} differ, {} are missing, {} are extra', "
        "version, compared_count, mismatch_count, missing_count, extra_count)"
    ),
    "event_files": "format('{}: {} of {} lines are torn or no event', file, torn_count, line_count)",
    "builds": "text",
}

DEFAULT_RULES = (
    {"name": "data_anomaly", "table": "anomalies", "where": "severity = 'error'"},
    {"name": "drift", "table": "drift", "where": "is_drifted", "severity": "warning"},
    {"name": "degraded_model", "table": "model_performance", "where": "is_degraded and slice = 'all'"},
    # Slices are many and small: by chance alone one of them is degraded every few windows.
    {
        "name": "degraded_slice",
        "table": "model_performance",
        "where": "is_degraded and slice <> 'all'",
        "subject": "model || ', ' || slice || ': ' || metric || ', ' || basis",
        "severity": "warning",
        "for_windows": 2,
    },
    {
        "name": "serving_skew",
        "table": "serving_consistency",
        "where": "mismatch_count + missing_count + extra_count > 0",
    },
    {
        "name": "torn_events",
        "table": "event_files",
        "where": "torn_count > 0 and coalesce(last_logged_at, as_of) > as_of - interval 7 days",
        "severity": "warning",
    },
    {"name": "failed_build", "table": "builds", "where": "not is_success"},
)
DEFAULT_DELIVERY = ({"file": "alerts.jsonl"}, {"webhook": {"url_env": WEBHOOK}})


def alert_rules(request: str) -> str:
    """The rules and deliveries of a project, completed.

    request: JSON {where: the node, declared: config.meta.alerts or null, tables: {table: {column: type}} of those that the
    node reads}. Returns JSON {rules: [{name, table, where, subject, text, severity, for_windows}], deliver: [{file | url_env,
    min_severity}], problems: a line for each thing that is wrong}.
    """
    asked = json.loads(request)
    where = f"{asked['where']}: config.meta.alerts"
    try:
        rules, deliver = parse_alerts(where, asked["declared"] or {}, asked["tables"])
        _try_expressions(where, rules, asked["tables"])
    except DeclarationError as error:
        return json.dumps({"rules": [], "deliver": [], "problems": str(error)})
    return json.dumps({"rules": rules, "deliver": deliver, "problems": ""})


def parse_alerts(
    where: str, declared: Any, tables: dict[str, Any] | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rules and deliveries, checked and completed. tables: that can be read; all if not given.

    Raises DeclarationError with the rule, the field, what is wrong and the remedy.
    """
    refuse_unknown(where, declared, ["rules", "deliver"])
    known = list(SUBJECTS if tables is None else tables)
    given = declared.get("rules")
    if given is None:
        given = [rule for rule in DEFAULT_RULES if rule["table"] in known]
    if not isinstance(given, list):
        raise DeclarationError(
            f"{where}.rules must be a list of rules, such as {{name: drift, table: drift, where: …}}."
        )
    rules = [_parse_rule(f"{where}.rules[{place}]", rule, known) for place, rule in enumerate(given)]
    names = [rule["name"] for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise DeclarationError(f"{where}.rules: the name '{name}' is there twice; a rule is known by its name.")
    delivered = declared.get("deliver", list(DEFAULT_DELIVERY))
    if not isinstance(delivered, list):
        raise DeclarationError(f"{where}.deliver must be a list, such as [{{file: alerts.jsonl}}].")
    return rules, [_parse_delivery(f"{where}.deliver[{place}]", one) for place, one in enumerate(delivered)]


def _parse_rule(where: str, declared: Any, tables: list[str]) -> dict[str, Any]:
    refuse_unknown(where, declared, RULE_FIELDS)
    name = declared.get("name")
    if not isinstance(name, str) or not name.strip():
        raise DeclarationError(f"{where} lacks 'name', which its alerts are known by; add it.")
    where = f"{where} ('{name}')"
    for field in ("table", "where"):
        if field not in declared:
            raise DeclarationError(f"{where} lacks '{field}'; add it.")
    table = declared["table"]
    refuse_other(f"{where}.table", table, SUBJECTS)
    if table not in tables:
        raise DeclarationError(
            f"{where}.table is '{table}', which the node does not read; add ref('{table}') to its list."
        )
    rule = {"subject": SUBJECTS[table], "text": TEXTS[table], "severity": "error", "for_windows": 1, **declared}
    for field in ("where", "subject", "text"):
        # YAML reads `where: true` as a boolean.
        rule[field] = str(rule[field]).lower() if isinstance(rule[field], bool) else rule[field]
        if not isinstance(rule[field], str) or not rule[field].strip():
            raise DeclarationError(f"{where}.{field} must be a SQL expression over a row of monitoring.{table}.")
    refuse_other(f"{where}.severity", rule["severity"], SEVERITIES)
    count = rule["for_windows"]
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise DeclarationError(f"{where}.for_windows is '{count}'; it must be a whole number of windows, from 1.")
    if count > 1 and table == "event_files":
        raise DeclarationError(f"{where}.for_windows: {table} has no windows; remove it.")
    return {field: rule[field] for field in RULE_FIELDS}


def _parse_delivery(where: str, declared: Any) -> dict[str, Any]:
    refuse_unknown(where, declared, ["file", "webhook", "min_severity"])
    least = declared.get("min_severity", "warning")
    refuse_other(f"{where}.min_severity", least, SEVERITIES)
    if ("file" in declared) == ("webhook" in declared):
        raise DeclarationError(f"{where} must have 'file' or 'webhook', and one of them alone.")
    if "file" in declared:
        name = declared["file"]
        reserved = not isinstance(name, str) or name.startswith(".") or "/" in name or not name.endswith(".jsonl")
        if reserved or name == "delivered.jsonl":
            raise DeclarationError(
                f"{where}.file is '{name}'; it must be a name that ends with .jsonl, such as alerts.jsonl. The file lies "
                "in the folder alerts of the home folder."
            )
        return {"file": name, "min_severity": least}
    webhook = declared["webhook"]
    refuse_unknown(f"{where}.webhook", webhook, ["url_env"])
    variable = webhook.get("url_env", WEBHOOK)
    if not isinstance(variable, str) or not variable.isidentifier():
        raise DeclarationError(
            f"{where}.webhook.url_env is '{variable}'; it must be the name of an environment variable that holds the URL."
            f"{hint(variable, [WEBHOOK])}"
        )
    return {"url_env": variable, "min_severity": least}


def _try_expressions(where: str, rules: list[dict[str, Any]], tables: dict[str, dict[str, str]]) -> None:
    with duckdb.connect() as connection:
        for table, columns in tables.items():
            typed = ", ".join(f"{quote(name)} {kind}" for name, kind in columns.items())
            connection.execute(f"create table {quote(table)} ({typed})")
        connection.execute("create table clock (as_of timestamptz)")
        for rule in rules:
            for field, kind in (("where", "boolean"), ("subject", "varchar"), ("text", "varchar")):
                try:
                    # On lines of its own, since an expression may end with a comment.
                    connection.execute(
                        f"select cast((\n{rule[field]}\n) as {kind}) from {quote(rule['table'])} as found cross join clock"
                    )
                except duckdb.Error as error:
                    raise DeclarationError(
                        f"{where}.rules ('{rule['name']}').{field}: {str(error).splitlines()[0]}. It is SQL over a row of "
                        f"{rule['table']}: {', '.join(tables[rule['table']])}, and as_of."
                    ) from None
