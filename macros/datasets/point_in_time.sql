{#
    Join a spine to feature views as they were known at the spine's time: no value that was not known by then.

    spine: a relation or the name of a CTE with one row per prediction: the entities' keys, the time, anything else.
    views: what ref() returns for feature views, in any number. Those that are computed from the request (see request())
        are added after the join, in the order of the list.
    at: the spine's column that holds the prediction time (timestamptz).
    status: also give `<view>_v<N>_status` per view: 'present', 'not_found' or 'expired'.

    Two clocks: of the rows with known_at <= at, the one with the latest event_at counts, and of its corrections the one
    known last. A late row about an older event never replaces a newer one. After the match, a row whose event_at lies
    more than ttl before `at` is expired: its features are null. (Point-in-time correctness as Feast has it, by two
    clocks as in bitemporal tables.) Count and order of the spine's rows are kept, whatever the keys: null keys find
    nothing, repeated rows stay repeated.

    Returns a select statement: the spine's columns, then each view's features under their own names. A name that comes
    twice is a compiler error.
#}
{% macro point_in_time(spine, views, at='predicted_at', status=false) -%}
    {{ return(adapter.dispatch('point_in_time', 'eiderdown')(spine, views, at, status)) }}
{%- endmacro %}

{% macro default__point_in_time(spine, views, at, status) -%}
    {%- set declarations = [] -%}
    {%- if execute -%}
        {%- for view in views -%}
            {%- do declarations.append(eiderdown.declaration_of(view)) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- do eiderdown.refuse_repeated_features(declarations) -%}
    {%- set stored = declarations | selectattr('kind', 'equalto', 'stored') | list -%}
    {%- set requested = declarations | selectattr('kind', 'equalto', 'request') | list -%}
    {#- In brackets, since a `with` cannot follow the list of CTEs that holds the spine. #}
    {{ return(eiderdown.with_request_features(
        'select *\nfrom (\n' ~ eiderdown.point_in_time_join(spine, stored, at, status) ~ '\n)',
        eiderdown.request_features(requested)
    )) }}
{%- endmacro %}

{#
    The same for declarations in the place of relations.

    known: the spine's column that holds up to when the views are known, where that is not `at`: a release was made before the
    prediction, while ttl counts to the prediction. moments: also give `<view>_v<N>_event_at` and `<view>_v<N>_known_at` of the row.
#}
{% macro point_in_time_join(spine, declarations, at, status, known=none, moments=false) %}
{%- do eiderdown.refuse_repeated_features(declarations) -%}
with spine_rows as (
    select * from {{ spine }}
)
{%- for view in declarations %},
{{- eiderdown.in_order_of_knowing(view, '_view_' ~ loop.index) }}
{%- endfor %}
select
    spine_rows.*
    {%- for view in declarations %}
    {%- set alias = '_view_' ~ loop.index %}
    {%- set expired = '(' ~ eiderdown.is_expired(alias ~ '.' ~ view.event_at, 'spine_rows.' ~ at, view.ttl) ~ ')' %}
    {%- for feature in view.features %},
    {%- if view.ttl is none %}
    {{ alias }}.{{ feature }}
    {%- else %}
    if({{ expired }}, null, {{ alias }}.{{ feature }}) as {{ feature }}
    {%- endif %}
    {%- endfor %}
    {%- if status %},
    case
        when {{ alias }}.{{ view.event_at }} is null then 'not_found'
        {%- if view.ttl is not none %}
        when {{ expired }} then 'expired'
        {%- endif %}
        else 'present'
    end as {{ view.view }}_v{{ view.version }}_status
    {%- endif %}
    {%- if moments %},
    {{ alias }}.{{ view.event_at }} as {{ view.view }}_v{{ view.version }}_event_at,
    {{ alias }}.{{ view.known_at }} as {{ view.view }}_v{{ view.version }}_known_at
    {%- endif %}
    {%- endfor %}
from spine_rows
{%- for view in declarations %}
{%- set alias = '_view_' ~ loop.index %}
asof left join {{ alias }}
    on spine_rows.{{ known or at }} >= {{ alias }}.{{ view.known_at }}
    {%- for key in view.entity %}
    and spine_rows.{{ key }} = {{ alias }}.{{ key }}
    {%- endfor %}
{%- endfor %}
{% endmacro %}


{#
    CTEs that end in one of the given name: the rows of a view without those that were never the latest known event. They
    answer no question, and without them the latest known row is the latest known event: one ordered match finds it.

    Let L be the shortest time from event to knowing in the view. A row that was known after L cannot have been overtaken:
    what was known no later happened no later. So only late rows are compared, with the prompt ones of their entity by
    another ordered match, and with each other by a window (peers in known_at are in its frame, so of two late events
    that became known together the later stays). Where no row is late, that branch of the plan gets no rows.
#}
{% macro in_order_of_knowing(view, name) %}
{%- set lag = 'epoch_us(' ~ view.known_at ~ ') - epoch_us(' ~ view.event_at ~ ')' %}
{%- set is_prompt = lag ~ ' = (select lag from ' ~ name ~ '_shortest)' %}
{{ name }}_shortest as (
    select min({{ lag }}) as lag from {{ view.relation }}
),
{{ name }}_late as (
    select * from {{ view.relation }} where ({{ is_prompt }}) is not true
),
{{ name }}_prompt as (
    select {{ view.entity | join(', ') }}, {{ view.event_at }}, {{ view.known_at }}
    from {{ view.relation }}
    semi join {{ name }}_late using ({{ view.entity | join(', ') }})
    where {{ is_prompt }}
),
{{ name }} as (
    select * from {{ view.relation }} where {{ is_prompt }}
    union all
    select late.*
    from {{ name }}_late as late
    asof left join {{ name }}_prompt as prompt
        on late.{{ view.known_at }} >= prompt.{{ view.known_at }}
        {%- for key in view.entity %}
        and late.{{ key }} = prompt.{{ key }}
        {%- endfor %}
    where (prompt.{{ view.event_at }} > late.{{ view.event_at }}) is not true
    qualify late.{{ view.event_at }} = max(late.{{ view.event_at }}) over (
        partition by {% for key in view.entity %}late.{{ key }}{{ ', ' if not loop.last }}{% endfor %}
        order by late.{{ view.known_at }} range unbounded preceding
    )
)
{%- endmacro %}


{# Whether an event is older than ttl at a time. In microseconds, so that a day is 24 hours in every time zone. #}
{% macro is_expired(event_at, at, ttl) -%}
    epoch_us({{ at }}) - epoch_us({{ event_at }}) > cast(epoch(interval '{{ ttl }}') * 1000000 as bigint)
{%- endmacro %}


{% macro refuse_repeated_features(declarations) %}
    {%- set home = {} -%}
    {%- for view in declarations -%}
        {%- for feature in view.features -%}
            {%- if feature in home -%}
                {{ exceptions.raise_compiler_error(
                    "point_in_time: the feature '" ~ feature ~ "' is in " ~ home[feature] ~ " and in " ~ view.relation
                    ~ "; rename it in a new version of one of them"
                ) }}
            {%- endif -%}
            {%- do home.update({feature: view.relation}) -%}
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}
