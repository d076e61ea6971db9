{#
    monitoring.compared_predictions: each logged prediction of a monitored model, once, with what differs between the features that the
    server took and those that the warehouse gives (as_served()), by the signature of the very version that served.

    Values are compared as they are written, so to the last bit: -0.0 is not 0.0. The log has null for NaN and infinities, so here
    they are null. The aim is to find skew, not lateness: what a release could not hold is not expected of it; and since a worker
    reads within a second what was pushed to another, a value is right with and without what was pushed in the two
    seconds before the prediction was logged. A row that a view holds, with a known_at that lies before a release's as_of, and that
    was not there when it was made, is a difference: training sees what serving could not.

    Left for later runs: predictions of a release that registry.releases does not hold yet, or whose as_of the clock has not
    reached. Left out: versions that read a view which is no more in the project, and what was scored beside an answer (shadows).
#}
{% macro compared_predictions() -%}
    {{ return(adapter.dispatch('compared_predictions', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__compared_predictions() -%}
{%- set log, versions = ref('prediction_log'), ref('model_versions') -%}
{%- set releases, pushes, clock = ref('releases'), ref('pushed_rows'), ref('clock') -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{#- As in dbt compile before the first run. #}
{%- for table in [log, versions, releases, pushes] if load_relation(table) is none -%}
    {{ return(eiderdown.no_rows('compared_predictions')) }}
{%- endfor -%}
{%- set models = [] -%}
{%- for node in eiderdown.monitored_nodes() if node.config.meta.monitor.model -%}
    {%- do models.append(eiderdown.literal(node.config.meta.monitor.model)) -%}
{%- endfor -%}
{%- set new_predictions -%}
    select log.*, releases.as_of, releases.created_at
    from {{ log }} as log
    inner join {{ releases }} as releases on log.release = releases.release
    where
        log.model in ({{ (models or ['null']) | join(', ') }})
        and {{ eiderdown.is_served('log') }}
        and releases.as_of <= (select as_of from {{ clock }})
        {%- if load_relation(this) is not none %}
        and not exists (from {{ this }} as compared where compared.event_id = log.event_id)
        {%- endif %}
{%- endset -%}
{%- set served -%}
    select model, version, cast(signature as varchar)
    from {{ versions }}
    where (model, version) in (select (model, version) from ({{ new_predictions }}))
    order by model, version
{%- endset -%}
{%- set selects = [] -%}
{%- for row in run_query(served).rows -%}
    {%- set signature = fromjson(row[2]) -%}
    {%- if eiderdown.has_views_of(signature) -%}
        {%- set rows = '(select * from (' ~ new_predictions ~ ') where model = ' ~ eiderdown.literal(row[0]) ~ ' and version = '
            ~ row[1] ~ ')' -%}
        {%- do selects.append(eiderdown.feature_differences(rows, signature, eiderdown.views_pushed_to(pushes))) -%}
    {%- endif -%}
{%- endfor -%}
{{ selects | join('\nunion all\n') or eiderdown.no_rows('compared_predictions') }}
{%- endmacro %}


{# The stored feature views of a signature, as `<view>_v<N>`. #}
{% macro view_names(signature) %}
    {%- set names = [] -%}
    {%- for view in signature.views -%}{%- do names.append(view.view ~ '_v' ~ view.version) -%}{%- endfor -%}
    {{ return(names) }}
{% endmacro %}


{# Whether the project has them all. #}
{% macro has_views_of(signature) %}
    {%- set names = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and 'feature_view' in (node.config.meta or {}) -%}
        {%- do names.append(node.name ~ '_v' ~ node.version) -%}
    {%- endfor -%}
    {{ return(eiderdown.view_names(signature) | reject('in', names) | list | length == 0) }}
{% endmacro %}


{# The views that rows were pushed to, as `<view>_v<N>`. pushes: monitoring.pushed_rows. #}
{% macro views_pushed_to(pushes) %}
    {%- set query -%}
        select distinct view || '_v' || version from {{ pushes }} where problem is null
    {%- endset -%}
    {{ return(run_query(query).rows | map(attribute=0) | list) }}
{% endmacro %}


{#
    Rows of compared_predictions for predictions of one version.

    rows: a query in brackets, rows of monitoring.prediction_log with as_of and created_at of their release. signature: the
    version's. pushed_views: as of as_served().
#}
{% macro feature_differences(rows, signature, pushed_views) %}
{%- set sides = ['exact', 'before'] if eiderdown.view_names(signature) | select('in', pushed_views) | list else ['exact'] -%}
select event_id, model, version, release, predicted_at, differences
from (
    with predictions as materialized {{ rows }},

    spine as materialized (
        select
            event_id as _event_id,
            logged_at as _logged_at,
            as_of as _as_of,
            created_at as _created_at,
            {%- for field in signature.request %}
            cast(instance ->> {{ eiderdown.json_path(field.name) }} as {{ field.type }}) as {{ field.name }},
            {%- endfor %}
            predicted_at as {{ signature.at }}
        from predictions
    ),

    {%- for side in sides %}

    {{ side }} as (
        select
            _event_id as event_id,
            {%- for feature in signature.features %}
            {{ eiderdown.written(feature.name, feature.type) }} as {{ feature.name }}{{ ',' if not loop.last }}
            {%- endfor %}
        from (
            {{ eiderdown.as_served(
                signature, 'spine', pushed_views, seconds=2 if side == 'before' else 0, strictly=side == 'before'
            ) }}
        )
    ),
    {%- endfor %}

    served as (
        select
            event_id,
            {%- for feature in signature.features %}
            {{ eiderdown.written(eiderdown.logged_value(feature.name, feature.type), feature.type) }}
                as {{ feature.name }}{{ ',' if not loop.last }}
            {%- endfor %}
        from predictions
    ),

    compared as (
        select
            event_id,
            list_filter([
                {%- for feature in signature.features %}
                {
                    'feature': {{ eiderdown.literal(feature.name) }},
                    'kind': case
                        {%- for side in sides %}
                        when served.{{ feature.name }} is not distinct from {{ side }}.{{ feature.name }} then null
                        {%- endfor %}
                        when served.{{ feature.name }} is null then 'missing'
                        when exact.{{ feature.name }} is null then 'extra'
                        else 'mismatch'
                    end,
                    'served': served.{{ feature.name }},
                    'recomputed': exact.{{ feature.name }}
                }{{ ',' if not loop.last }}
                {%- endfor %}
            ], lambda difference: difference.kind is not null) as differences
        from served
        {%- for side in sides %}
        inner join {{ side }} using (event_id)
        {%- endfor %}
    )

    select predictions.*, compared.differences
    from predictions
    inner join compared using (event_id)
)
{% endmacro %}


{# A value as it is written in its type, null where a log has none for it. #}
{% macro written(value, type) -%}
    {%- set value = 'cast(' ~ value ~ ' as ' ~ type ~ ')' -%}
    {%- if type | upper in ('DOUBLE', 'FLOAT') -%}{%- set value = 'if(isfinite(' ~ value ~ '), ' ~ value ~ ', null)' -%}{%- endif -%}
    cast({{ value }} as varchar)
{%- endmacro %}
