{#
    The labels of a task, one for each row of its votes, by the newest version of its label model:

        <row_id>        as in the votes
        label           the likeliest class, of equals the first, in the type of the votes
        probability     of the label
        probabilities   map(varchar, double): class -> probability
        vote_count      how many functions voted
        source          'expert' where an expert has labelled the row, whose label wins; 'functions' where one voted; else null
        version         of the label model; null where the source is not 'functions'

    Without a vote and an expert there is no label. What a row's probabilities are depends on its votes alone, so they are computed once
    for each pattern. votes, model, experts: ref() of <task>_votes, <task>_model and expert_labels; an expert's label that is none of
    the classes is passed over. experts may be left out.
#}
{% macro labels(votes, model, experts=none) -%}
    {{ return(adapter.dispatch('labels', 'eiderdown')(votes, model, experts)) }}
{%- endmacro %}

{% macro default__labels(votes, model, experts) -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- set declared = eiderdown.votes_of(votes) -%}
{%- set functions = eiderdown.voting_functions(votes, declared) -%}
{#- Before the votes are built their columns are not known. #}
{%- if not functions -%}{{ return('select 1') }}{%- endif -%}
{%- set classes = eiderdown.literal_list(declared.classes) -%}
{%- set row_id = eiderdown.quoted(declared.row_id) -%}
with newest as ({{ eiderdown.newest_label_model(model, functions, declared.classes) }}),

patterns as ({{ eiderdown.vote_patterns(votes, functions, declared.classes) }}),

judged as materialized (
    select
        patterns.*,
        newest.version,
        cast(len(list_filter(votes, lambda vote: vote >= 0)) as integer) as vote_count,
        eiderdown_label_probabilities(newest.parameters, patterns.votes) as probabilities
    from patterns
    cross join newest
    where list_max(votes) >= 0
),

decided as materialized (
    select
        *,
        {{ classes }}[list_position(probabilities, list_max(probabilities))] as label,
        list_max(probabilities) as probability,
        map({{ classes }}, probabilities) as by_class
    from judged
),

experts as (
    {%- if experts %}
    select row_id, label, map({{ classes }}, list_transform({{ classes }}, lambda class: cast(class = label as double))) as by_class
    from {{ experts }}
    where task = {{ eiderdown.literal(eiderdown.task_of_votes(votes)) }} and label in {{ classes }}
    {%- else %}
    select '' as row_id, '' as label, map(['']::varchar[], [0.0]::double[]) as by_class where false
    {%- endif %}
)

select
    votes.{{ row_id }},
    cast(coalesce(experts.label, decided.label) as {{ eiderdown.type_of_votes(functions, declared.classes) }}) as label,
    if(experts.label is null, decided.probability, 1) as probability,
    coalesce(experts.by_class, decided.by_class) as probabilities,
    coalesce(decided.vote_count, 0) as vote_count,
    case when experts.label is not null then 'expert' when decided.label is not null then 'functions' end as source,
    if(experts.label is null, decided.version, null) as version
from {{ votes }} as votes
left join decided on
    {%- for function in functions %}
    {{ 'and ' if not loop.first }}votes.{{ eiderdown.quoted(function.name) }} is not distinct from decided.function_{{ loop.index }}
    {%- endfor %}
left join experts on cast(votes.{{ row_id }} as varchar) = experts.row_id
{%- endmacro %}
