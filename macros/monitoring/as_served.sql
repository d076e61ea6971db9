{#
    The features of a version of a model for rows that a server has scored, from what that server could know: a select
    statement with the spine's columns and the features.

    signature: the version's. spine: the name of a CTE with the request's fields, the prediction time under the signature's
    name, and of each prediction _event_id, _logged_at, and of its release _as_of and _created_at. pushed_views: of which
    views rows were pushed, as `<view>_v<N>`.

    A release holds the rows of a view with known_at <= as_of; ttl counts to the prediction. A row that was pushed after the
    earliest of the releases was made is known to those predictions that were logged later than the row (by `seconds`), and
    not earlier than it was known; it counts where it is newer by (event_at, known_at). What the view's table has of it is
    passed over if `strictly`, so that a row pushed too late for a prediction is not held against the server.
#}
{% macro as_served(signature, spine, pushed_views, seconds=0, strictly=true) %}
    {%- set pushed, declarations = [], [] -%}
    {%- for view in eiderdown.declarations_of(signature) -%}
        {%- set view = dict(view) -%}
        {%- if view.view ~ '_v' ~ view.version in pushed_views -%}
            {%- do pushed.append(dict(view)) -%}
            {%- do view.update({'relation': eiderdown.without_pushed(view, spine)}) if strictly -%}
        {%- endif -%}
        {%- do declarations.append(view) -%}
    {%- endfor -%}
    {%- set added = namespace(
        select=eiderdown.point_in_time_join(spine, declarations, signature.at, false, known='_as_of', moments=true)
    ) -%}
    {%- for view in pushed -%}
        {%- set added.select = eiderdown.with_pushed(added.select, view, signature.at, spine, seconds) -%}
    {%- endfor -%}
    {{ return(eiderdown.with_request_features(added.select, signature.expressions)) }}
{% endmacro %}


{# The rows that were pushed to a view after the earliest release of the spine was made: its columns, and _logged_at. #}
{% macro lately_pushed(view, spine) -%}
    (
        select {{ eiderdown.view_columns(view) | join(', ') }}, _event_id as _pushed_id, _logged_at as _pushed_at
        from ({{ eiderdown.pushed_values(eiderdown.node_of(view.relation), view, 'from ' ~ ref('pushed_rows')) }})
        where _problem is null and _logged_at > (select min(_created_at) from {{ spine }})
    )
{%- endmacro %}


{# The table of a view without those rows. #}
{% macro without_pushed(view, spine) -%}
    {%- set columns = eiderdown.view_columns(view) | join(', ') -%}
    (
        select {{ columns }} from {{ view.relation }}
        except
        select {{ columns }} from {{ eiderdown.lately_pushed(view, spine) }}
    )
{%- endmacro %}


{% macro view_columns(view) %}
    {{ return(view.entity + [view.event_at, view.known_at] + view.features.keys() | list) }}
{% endmacro %}


{# A select of point_in_time_join() with the features of a view from the newest pushed row, where that is newer. #}
{% macro with_pushed(select, view, at, spine, seconds) -%}
{%- set name = view.view ~ '_v' ~ view.version %}
select * exclude (_pushed) replace (
    {%- for feature in view.features %}
    if(
        {{ eiderdown.is_newer('_pushed', view, name) }},
        {%- if view.ttl is none %}
        _pushed.{{ feature }},
        {%- else %}
        if({{ eiderdown.is_expired('_pushed.' ~ view.event_at, at, view.ttl) }}, null, _pushed.{{ feature }}),
        {%- endif %}
        {{ feature }}
    ) as {{ feature }}{{ ',' if not loop.last }}
    {%- endfor %}
)
from (
    {{ select }}
)
left join (
    select
        spine_rows._event_id,
        arg_max(pushed, (pushed.{{ view.event_at }}, pushed.{{ view.known_at }}, -epoch_us(pushed._pushed_at))) as _pushed
    from {{ spine }} as spine_rows
    inner join {{ eiderdown.lately_pushed(view, spine) }} as pushed
        on pushed.{{ view.known_at }} <= spine_rows.{{ at }}
        and pushed._pushed_at <= spine_rows._logged_at - interval '{{ seconds }} seconds'
        {%- for key in view.entity %}
        and spine_rows.{{ key }} = pushed.{{ key }}
        {%- endfor %}
    group by spine_rows._event_id
) using (_event_id)
{%- endmacro %}


{% macro is_newer(pushed, view, name) -%}
    {{ pushed }} is not null
    and (
        {{ name }}_event_at is null
        or ({{ pushed }}.{{ view.event_at }}, {{ pushed }}.{{ view.known_at }}) > ({{ name }}_event_at, {{ name }}_known_at)
    )
{%- endmacro %}
