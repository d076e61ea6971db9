"""A warehouse with a made-up label task `churned`, of the shape that the macros of labels make."""

import functools
import json
from typing import Any

import duckdb

from tests.rendered import package

FUNCTIONS = ["few_orders", "complained", "new_plan", "silent"]
DECLARED = {"row_id": "customer", "classes": ["false", "true"], "keep": ["site"]}


@functools.cache
def _macros() -> Any:
    return package("labels/label_candidates", "features/fingerprint", "statistics/statistics")


def candidates(labels: str, votes: str, row_id: str, functions: list[str], slices: list[str], limit: int) -> str:
    """The query of label_candidates()."""
    return str(_macros().ranked_candidates(labels, votes, row_id, functions, slices, limit))


def churned(connection: duckdb.DuckDBPyConnection, rows: int = 600, experts: int = 20, text: str = "") -> None:
    """The tables of the task in schema labels, the votes with the comment that declares them.

    text: stands behind every name of a function, and in what texts there are.
    """
    functions = [f"{name}{text}" for name in FUNCTIONS]
    quoted = [f'''"{name.replace('"', '""')}"''' for name in functions]
    votes = ", ".join(
        f"case hash(i * 31 + {place}) % 5 when 0 then true when 1 then false when 2 then i % 3 = 0 end as {name}"
        for place, name in enumerate(quoted)
    )
    connection.execute("create schema if not exists labels")
    connection.execute("create table labels.expert_labels (task varchar, row_id varchar, label varchar)")
    connection.execute(
        f"""
        create table labels.churned_votes as
        select i as customer, ['North', 'South', null][i % 3 + 1] as site, {votes} from range({rows}) as given (i)
        """
    )
    comment = json.dumps({"fingerprint": "abc", "definition": {"sql": "", "declaration": {"votes": DECLARED}}})
    connection.execute(f"comment on table labels.churned_votes is '{comment}'")
    votes_in_favour = " + ".join(f"coalesce(cast({name} as integer) * 2 - 1, 0)" for name in quoted)
    connection.execute(
        f"""
        create table labels.churned as
        select
            customer,
            if(source is null, null, p > 0.5) as label,
            if(source is null, null, greatest(p, 1 - p)) as probability,
            if(source is null, null, map(['false', 'true'], [1 - p, p])) as probabilities,
            vote_count,
            source,
            if(source = 'functions', 2, null) as version
        from (
            select
                customer,
                len(list_filter([{", ".join(quoted)}], lambda vote: vote is not null)) as vote_count,
                case
                    when hash(customer) % 30 = 0 and customer < {experts} * 30 then 'expert'
                    when vote_count > 0 then 'functions'
                end as source,
                if(source = 'expert', cast(customer % 3 = 0 as integer), 1 / (1 + exp(-1.2 * ({votes_in_favour}) + 0.4))) as p
            from labels.churned_votes
        )
        """
    )
    connection.execute(
        "create table labels.churned_candidates as "
        + candidates("labels.churned", "labels.churned_votes", "customer", functions, ["site"], 25)
    )
    connection.execute(
        """
        create table labels.churned_functions (
            function varchar, classes_voted varchar[], votes bigint, coverage double, overlap double, conflict double,
            learned_accuracy double, weight double, copies varchar[], gold_votes bigint, gold_accuracy double,
            gold_accuracy_low double, gold_accuracy_high double
        )
        """
    )
    for place, name in enumerate(functions):
        gold: list[Any] = (
            [0, None, None, None] if place == 3 else [90, 0.7 + place / 20, 0.6 + place / 20, 0.8 + place / 20]
        )
        copies = [functions[1 - place]] if place < 2 else []
        row = [name, ["false", "true"], 300, 0.5 + place / 10, 0.4, 0.2, 0.75 + place / 20, 1.1, copies, *gold]
        connection.execute(f"insert into labels.churned_functions values ({', '.join('?' * len(row))})", row)
    connection.execute(
        "create table labels.churned_model as select 'churned' as task, version, timestamptz '2026-01-01' as created_at, "
        "'em' as method, ['false', 'true'] as classes, map(['false', 'true'], [0.7, 0.3]::double[]) as class_balance "
        "from range(1, 3) as versions (version)"
    )
