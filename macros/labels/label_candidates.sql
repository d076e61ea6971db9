{#
    labels.<task>_candidates: the rows that are most worth an expert's label: rank, slice, <row_id>, worth, uncertainty,
    conflict, representativeness, votes (function → vote, of those that voted), label and probability by the label model.

    labels, votes: what ref() returns for labels.<task> and labels.<task>_votes. slices: columns that the votes model keeps.
    limit: how many rows, of all (slice 'all') and of each value of each slice ('origin=JFK'), which are ranked anew.

    Rows with the same votes have the same posterior, so a pattern of votes has a worth, and its rows share it:

    - uncertainty: the entropy of the posterior, 1 where all classes are equally likely (uncertainty sampling: Lewis and
      Gale 1994, A sequential algorithm for training text classifiers)
    - conflict: the entropy of the votes, likewise (query by committee: Dagan and Engelson 1995, Committee-based sampling)
    - representativeness: the share of the slice's rows with this pattern
    - worth: uncertainty * (1 + conflict) / 2 * sqrt(representativeness) / (1 + the labels that the pattern has, those of the
      candidates before it among them). This is the information density of Settles and Craven (2008, An analysis of active
      learning strategies for sequence labeling tasks) with beta = 1/2; the divisor spreads labels over patterns, as
      d'Hondt's apportions seats over parties, for a hundred labels of one pattern tell little more than ten.

    Measured on simulated votes (tests/benchmarks/label_candidates.py), a hundred such labels in a thousand rows make a better label
    model than a hundred random ones, and as good a one as uncertainty alone, which asks for rows that are like no others; the
    whole density (beta = 1), conflict in the place of uncertainty, and density alone are worse.

    Left out are rows that an expert has labelled and those without a vote. Which rows stand for a pattern is drawn by the
    hash of their id, so a table changes where its rows do.
#}
{% macro label_candidates(labels, votes, slices=[], limit=100) -%}
    {{ return(adapter.dispatch('label_candidates', 'eiderdown')(labels, votes, slices, limit)) }}
{%- endmacro %}

{% macro default__label_candidates(labels, votes, slices, limit) -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{%- set declared = eiderdown.votes_of(votes) -%}
{%- for slice in slices if slice not in declared.keep -%}
    {{ exceptions.raise_compiler_error(
        model.name ~ ": the slice '" ~ slice ~ "' is no column that " ~ votes ~ " keeps; those are "
        ~ (declared.keep | join(', ') or 'none') ~ ". Add it to meta.votes.keep, or leave it out."
    ) }}
{%- endfor -%}
{%- set functions = eiderdown.voting_functions(votes, declared) | map(attribute='name') | list -%}
{#- Before the votes are built their columns are not known. #}
{%- if not functions -%}{{ return('select 1') }}{%- endif -%}
{{ eiderdown.ranked_candidates(labels, votes, declared.row_id, functions, slices, limit) }}
{%- endmacro %}


{# The query of label_candidates(). row_id: a column of votes; functions, slices: lists of others. #}
{% macro ranked_candidates(labels, votes, row_id, functions, slices, limit) -%}
{%- set id = eiderdown.quoted(row_id) -%}
{%- set columns, names, texts, same = [], [], [], [] -%}
{%- for function in functions -%}
    {#- Under names of their own, that a function be free to be called source. #}
    {%- set column = 'function_' ~ loop.index -%}
    {%- do columns.append(column) -%}
    {%- do names.append(eiderdown.literal(function)) -%}
    {%- do texts.append('cast(' ~ column ~ ' as varchar)') -%}
    {%- do same.append('given.' ~ column ~ ' is not distinct from chosen.' ~ column) -%}
{%- endfor -%}
with given as (
    select
        votes.{{ id }} as row_id,
        hash(votes.{{ id }}) as drawn,
        labels.source,
        {%- for slice in slices %}
        {{ eiderdown.slice_name(slice, 'votes.' ~ eiderdown.quoted(slice)) }} as slice_{{ loop.index0 }},
        {%- endfor %}
        {%- for function in functions %}
        votes.{{ eiderdown.quoted(function) }} as {{ columns[loop.index0] }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ votes }} as votes
    inner join {{ labels }} as labels on votes.{{ id }} = labels.{{ id }}
),

patterns as materialized (
    select
        * exclude (row_id, drawn, source),
        count(*) as row_count,
        count(*) filter (source = 'expert') as expert_count,
        min(drawn) filter (source = 'functions') as first_drawn,
        arg_min(row_id, drawn) filter (source = 'functions') as example
    from given
    group by all
),

sliced as (
    {%- for slice in ['all'] + slices %}
    select
        {{ "'all'" if loop.first else 'slice_' ~ (loop.index0 - 1) }} as slice,
        {{ columns | join(', ') }},
        sum(row_count) as row_count,
        sum(expert_count) as expert_count,
        arg_min(example, first_drawn) as example
    from patterns
    group by all
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

{#- A row comes from one of the best patterns, of which no more than there are rows can be needed. #}
chosen as materialized (
    select
        *,
        uncertainty * (1 + conflict) / 2 * sqrt(representativeness) as worth,
        row_number() over (order by slice, worth desc, example) as number
    from (
        select
            sliced.*,
            labels.label,
            labels.probability,
            log2(cardinality(labels.probabilities)) as bits,
            row_count / sum(row_count) over (partition by slice) as representativeness,
            list_sum(list_transform(map_values(labels.probabilities), lambda p: if(p > 0, -p * log2(p), 0))) / bits as uncertainty,
            list_aggregate([{{ texts | join(', ') }}], 'entropy') / bits as conflict
        from sliced
        left join {{ labels }} as labels on sliced.example = labels.{{ id }}
    )
    where example is not null
    qualify row_number() over (partition by slice order by worth / (1 + expert_count) desc, example) <= {{ limit }}
),

candidates as (
    {%- for slice in ['all'] + slices %}
    select
        chosen.number,
        unnest(arg_min(struct_pack(row_id := row_id, drawn := drawn), drawn, {{ limit }})) as row,
        unnest(range({{ limit }})) as place
    from given
    inner join chosen
        on chosen.slice = {{ "'all'" if loop.first else 'given.slice_' ~ (loop.index0 - 1) }}
        and {{ same | join('\n        and ') }}
    where given.source = 'functions'
    group by chosen.number
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    row_number() over (partition by slice order by chosen.worth / (1 + expert_count + place) desc, row.drawn, row.row_id) as rank,
    slice,
    row.row_id as {{ id }},
    chosen.worth / (1 + expert_count + place) as worth,
    uncertainty,
    conflict,
    representativeness,
    map_from_entries(list_filter(
        list_zip([{{ names | join(', ') }}], [{{ texts | join(', ') }}]), lambda vote: vote[2] is not null
    )) as votes,
    label,
    probability
from candidates
inner join chosen using (number)
where row is not null
qualify rank <= {{ limit }}
order by slice, rank
{%- endmacro %}
