{#
    The labelling functions of a task, a row each, by the newest version of its label model:

        function, classes_voted         in the order of the classes
        votes, coverage                 rows in which it votes, and their share of all
        overlap, conflict               the share of all rows in which it votes and another votes too, or votes another class
        learned_accuracy                how often its vote is right, as the label model learned it
        weight                          what a vote counts: ln(accuracy · (classes - 1) / (1 - accuracy)), 0 where it is chance
        copies                          the functions that the label model found, or was told, to depend on it
        gold_votes, gold_accuracy       rows with a known label in which it votes, and the share of these that is right
        gold_accuracy_low, gold_accuracy_high   the 95 % interval (Wilson 1927)

    Coverage, overlap and conflict as snorkel's LFAnalysis defines them (Ratner et al. 2017). votes, model: ref() of <task>_votes and
    <task>_model. gold: known labels where there are any, a relation or a query in brackets with (row_id, label), each row
    once; one that is none of the classes is passed over.
#}
{% macro labeling_functions(votes, model, gold=none) -%}
    {{ return(adapter.dispatch('labeling_functions', 'eiderdown')(votes, model, gold)) }}
{%- endmacro %}

{% macro default__labeling_functions(votes, model, gold) -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- set declared = eiderdown.votes_of(votes) -%}
{%- set functions = eiderdown.voting_functions(votes, declared) -%}
{#- Before the votes are built their columns are not known. #}
{%- if not functions -%}{{ return('select 1') }}{%- endif -%}
with newest as ({{ eiderdown.newest_label_model(model, functions, declared.classes) }}),

{{ eiderdown.function_shares(votes, functions, declared, gold) }}

select
    shares.* exclude (place, gold_votes, gold_hits),
    if(shares.votes > 0, newest.accuracies[shares.function], null) as learned_accuracy,
    {#- What is right, or wrong, wherever it was seen counts much, and not without end. #}
    if(
        learned_accuracy is null,
        null,
        ln({{ declared.classes | length - 1 }} * greatest(learned_accuracy, 1e-9) / greatest(1 - learned_accuracy, 1e-9))
    ) as weight,
    list_filter(
        list_distinct(flatten(list_filter(newest.dependencies, lambda names: list_contains(names, shares.function)))),
        lambda name: name <> shares.function
    ) as copies,
    shares.gold_votes,
    shares.gold_hits / nullif(shares.gold_votes, 0) as gold_accuracy,
    {{ eiderdown.wilson('shares.gold_hits', 'shares.gold_votes', '-') }} as gold_accuracy_low,
    {{ eiderdown.wilson('shares.gold_hits', 'shares.gold_votes', '+') }} as gold_accuracy_high
from shares
cross join newest
order by shares.place
{%- endmacro %}


{#
    CTEs of which the last, `shares`, says of each function (place, function, classes_voted, votes, coverage, overlap, conflict,
    gold_votes, gold_hits).
#}
{% macro function_shares(votes, functions, declared, gold) -%}
{%- set classes = eiderdown.literal_list(declared.classes) -%}
patterns as materialized ({{ eiderdown.vote_patterns(votes, functions, declared.classes) }}),

voted as (
    select
        unnest(range(1, {{ functions | length + 1 }})) as place,
        votes[place] as vote,
        row_count,
        len(list_filter(votes, lambda vote: vote >= 0)) > 1 as is_shared,
        len(list_distinct(list_filter(votes, lambda vote: vote >= 0))) > 1 as is_disputed
    from patterns
),

counted as (
    select
        place,
        list_transform(list_sort(list_distinct(list(vote) filter (vote >= 0))), lambda vote: {{ classes }}[vote + 1]) as classes_voted,
        coalesce(sum(row_count) filter (vote >= 0), 0) as votes,
        coalesce(sum(row_count) filter (vote >= 0 and is_shared), 0) as overlapping,
        coalesce(sum(row_count) filter (vote >= 0 and is_disputed), 0) as conflicting,
        sum(row_count) as row_count
    from voted
    group by place
),

{%- if gold %}
known as (
    {{ eiderdown.vote_patterns(
        votes ~ ' as votes inner join (select cast(row_id as varchar) as known_row, cast(label as varchar) as known_label from '
        ~ gold ~ ') as gold on cast(votes.' ~ eiderdown.quoted(declared.row_id) ~ ' as varchar) = gold.known_row '
        ~ 'where gold.known_label in ' ~ eiderdown.literal_list(declared.classes),
        functions, declared.classes, {'known_label': 'gold.known_label'}
    ) }}
),

{%- else %}
known as (select * exclude (row_count), 0 as row_count, '' as known_label from patterns),
{%- endif %}

known_votes as (
    select
        unnest(range(1, {{ functions | length + 1 }})) as place,
        votes[place] as vote,
        list_position({{ classes }}, known_label) - 1 as known_vote,
        row_count
    from known
),

hits as (
    select
        place,
        coalesce(sum(row_count) filter (vote >= 0), 0) as gold_votes,
        coalesce(sum(row_count) filter (vote >= 0 and vote = known_vote), 0) as gold_hits
    from known_votes
    group by place
),

shares as (
    select
        place,
        {{ eiderdown.literal_list(functions | map(attribute='name') | list) }}[place] as function,
        coalesce(classes_voted, []) as classes_voted,
        cast(votes as bigint) as votes,
        votes / row_count as coverage,
        overlapping / row_count as overlap,
        conflicting / row_count as conflict,
        cast(coalesce(gold_votes, 0) as bigint) as gold_votes,
        coalesce(gold_hits, 0) as gold_hits
    from counted
    left join hits using (place)
)
{%- endmacro %}


{# One end of the 95 % interval of a share of rows (Wilson 1927). sign: '-' for the low end, '+' for the high one. #}
{% macro wilson(hits, count, sign) -%}
{%- set z = '1.959963984540054' -%}
{%- set n = 'nullif(' ~ count ~ ', 0)' -%}
{%- set share = '(' ~ hits ~ ' / ' ~ n ~ ')' -%}
({{ share }} + {{ z }} ^ 2 / (2 * {{ n }}) {{ sign }} {{ z }} * sqrt({{ share }} * (1 - {{ share }}) / {{ n }} + {{ z }} ^ 2 / (4 * {{ n }} ^ 2)))
    / (1 + {{ z }} ^ 2 / {{ n }})
{%- endmacro %}
