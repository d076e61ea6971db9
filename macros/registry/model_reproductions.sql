{#
    registry.model_reproductions: what came out where somebody trained a recorded version again (`eiderdown reproduce`).

    `outcome` is 'equal' where the artifact had the recorded SHA-256; `differences` says what is not as it was recorded.
#}
{% macro model_reproductions() -%}
    {{ return(adapter.dispatch('model_reproductions', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__model_reproductions() -%}
select model, version, reproduced_at, outcome, artifact_sha256, found_sha256, differences
from read_json(
    {{ eiderdown.literal(eiderdown.home() ~ '/artifacts/reproductions/*.json') }},
    columns = {
        model: 'varchar', version: 'integer', reproduced_at: 'timestamptz', outcome: 'varchar', artifact_sha256: 'varchar',
        found_sha256: 'varchar', differences: 'varchar[]'
    }
)
where model is not null
{%- endmacro %}
