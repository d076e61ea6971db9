{#
    Rules for all rows of a table together, such as their number, which no constraint can hold. They stand in the YAML:

        config: {meta: {require: {as_of: "count(*) = 1"}}}

    Each is the column that the rule protects, and a SQL expression with aggregates. As a post-hook, this runs in the
    transaction that builds the table, so where a rule does not hold the old table stays.
#}
{% macro require() -%}
    {{ return(adapter.dispatch('require', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__require() -%}
    {%- set rules = (model.config.meta or {}).get('require', {}) -%}
    {%- if rules -%}
    select
        {%- for column, rule in rules.items() %}
        if({{ rule }}, null, error({{ eiderdown.literal(
            this.schema ~ '.' ~ this.identifier ~ ": the rule on " ~ column ~ " does not hold: " ~ rule
            ~ ". Nothing was overwritten. Mend the data or the model, or change the rule in its YAML."
        ) }})){{ ',' if not loop.last }}
        {%- endfor %}
    from {{ this }}
    {%- endif -%}
{%- endmacro %}
