{# registry.version_notes: what people said of versions of models; of description and tags, the latest that was given. #}
{% macro version_notes() -%}
    {{ return(adapter.dispatch('version_notes', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__version_notes() -%}
{{ config(history=false) }}
select
    model,
    version,
    arg_max(description, decided_at) filter (where description is not null) as description,
    coalesce(arg_max(tags, decided_at) filter (where tags is not null), []) as tags,
    max(decided_at) as since
from {{ ref('decisions') }}
semi join {{ ref('model_versions') }} using (model, version)
where kind = 'describe'
group by model, version
{%- endmacro %}
