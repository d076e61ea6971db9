{#
    Rows of the predictions contract: the scores that a model's champion gives rows that `model_features()` made.

    rows: ref() of the model with the features, or the name of a CTE before the call. The calling model declares config.meta.predictions: {model, row_id}. The
    rows stream through predict(), so there may be more than fit in memory.
#}
{% macro batch_predictions(rows) -%}
    {{ return(adapter.dispatch('batch_predictions', 'eiderdown')(rows)) }}
{%- endmacro %}

{% macro default__batch_predictions(rows) -%}
{%- set declared = (model.config.meta or {}).get('predictions', {}) -%}
{%- set champion = eiderdown.champion_of(declared.model) -%}
{%- if not champion -%}{{ return('select * from ' ~ rows) }}{%- endif -%}
{%- set signature = champion.signature -%}
{%- set name = eiderdown.literal(declared.model ~ '@' ~ champion.version) -%}
select
    {{ eiderdown.literal(declared.model) }} as model,
    cast({{ champion.version }} as integer) as version,
    row_id,
    predicted_at,
    score,
    {%- if signature.classes %}
    {{ eiderdown.likeliest('score') }} as label,
    {%- elif signature.threshold is not none %}
    score >= cast('{{ signature.threshold }}' as double) as label,
    {%- endif %}
    if(len(missing) > 0, 'incomplete', 'ok') as status,
    missing
from (
    select
        cast({{ declared.row_id }} as varchar) as row_id,
        {{ signature.at }} as predicted_at,
        {{ 'predict_probabilities' if signature.classes else 'predict' }}(
            {{ name }}, {{ eiderdown.features_of(signature) }}
        ) as score,
        {#- The views that held nothing current. #}
        cast(list_filter([
            {%- for view in signature.views %}
            if({{ view.view }}_v{{ view.version }}_status <> 'present', {{ eiderdown.literal(view.view) }}, null)
            {{- ',' if not loop.last }}
            {%- endfor %}
        ], lambda view: view is not null) as varchar[]) as missing
    from {{ rows }}
)
{%- endmacro %}


{#
    Rows of the contributions contract: what each feature adds to the raw score of a prediction, and the base value, under the
    name '(base)'. The raw score is the log-odds, a regression's value, or that of the likeliest class.

    rows: as of batch_predictions(). The calling model declares config.meta.contributions: {model, row_id}.
#}
{% macro prediction_contributions(rows) -%}
    {{ return(adapter.dispatch('prediction_contributions', 'eiderdown')(rows)) }}
{%- endmacro %}

{% macro default__prediction_contributions(rows) -%}
{%- set declared = (model.config.meta or {}).get('contributions', {}) -%}
{%- set champion = eiderdown.champion_of(declared.model) -%}
{%- if not champion -%}{{ return('select * from ' ~ rows) }}{%- endif -%}
{%- set name = eiderdown.literal(declared.model ~ '@' ~ champion.version) -%}
select
    {{ eiderdown.literal(declared.model) }} as model,
    cast({{ champion.version }} as integer) as version,
    row_id,
    unnest(map_keys(contributions)) as feature,
    unnest(map_values(contributions)) as contribution
from (
    select
        cast({{ declared.row_id }} as varchar) as row_id,
        contributions({{ name }}, {{ eiderdown.features_of(champion.signature) }}) as contributions
    from {{ rows }}
)
{%- endmacro %}


{# The features of a signature as a struct of a row. #}
{% macro features_of(signature) -%}
    { {%- for feature in signature.features %}'{{ feature.name }}': "{{ feature.name }}"{{ ', ' if not loop.last }}{% endfor -%} }
{%- endmacro %}
