{#
    Say of each model that failed which table, column and rule it was, where DuckDB's message alone does not: it names no
    column of a duplicate key, and of a retyped column only the function that cannot take it. As an on-run-end hook:

        on-run-end: ["{{ eiderdown.explain_failures(results) }}"]

    A source is compared with the data_type of its columns in the YAML. A run without failures asks nothing.
#}
{% macro explain_failures(results) -%}
    {{ return(adapter.dispatch('explain_failures', 'eiderdown')(results)) }}
{%- endmacro %}

{% macro default__explain_failures(results) -%}
    {%- if execute -%}
        {%- for result in results if result.status == 'error' and result.node.resource_type == 'model' -%}
            {%- set broken = eiderdown.broken_rule(result.node, result.message) -%}
            {%- if 'Binder Error' in result.message or 'Conversion Error' in result.message -%}
                {%- set broken = broken + eiderdown.wrong_source_columns(result.node) -%}
            {%- endif -%}
            {%- if broken -%}
                {%- do print(
                    result.node.schema ~ "." ~ result.node.alias ~ " was not built, and what stood there stays. "
                    ~ broken | join("; ") ~ ". Mend the data or the model, or change the rule in its YAML."
                ) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}


{# The constraint of a node that a message of DuckDB speaks of, as a list of one text with its columns; or empty. #}
{% macro broken_rule(node, message) %}
    {%- set not_null = modules.re.search('NOT NULL constraint failed: \\S+\\."?(\\w+)', message) -%}
    {%- set check = modules.re.search('CHECK constraint failed on table .* with expression CHECK\\((.*)\\)', message) -%}
    {%- set duplicate = modules.re.search('duplicate key (".*")', message) -%}
    {%- if not_null -%}
        {{ return(["Column " ~ not_null.group(1) ~ ": not null"]) }}
    {%- elif duplicate -%}
        {%- set columns = eiderdown.primary_key(node) | join(", ") -%}
        {{ return(["Column " ~ columns ~ ": primary key, and " ~ duplicate.group(1) ~ " is there twice"]) }}
    {%- elif check -%}
        {%- set columns = [] -%}
        {%- for name in node.columns if modules.re.search('\\b' ~ name ~ '\\b', check.group(1)) -%}
            {%- do columns.append(name) -%}
        {%- endfor -%}
        {{ return(["Column " ~ columns | join(", ") ~ ": check " ~ check.group(1)]) }}
    {%- endif -%}
    {{ return([]) }}
{% endmacro %}


{# The columns of a node's sources that are missing, or have another type than the YAML gives them, as a list of texts. #}
{% macro wrong_source_columns(node) %}
    {%- set wrong = [] -%}
    {%- for id in node.depends_on.nodes if id in graph.sources -%}
        {%- set declared = graph.sources[id] -%}
        {%- set typed = declared.columns.values() | selectattr('data_type') | list -%}
        {%- if typed -%}
            {%- set compared -%}
                select declared.column_name, declared.column_type, found.column_type
                from (describe select {% for column in typed -%}
                    cast(null as {{ column.data_type }}) as {{ column.name }}{{ ', ' if not loop.last }}
                {%- endfor %}) as declared
                left join (describe select * from {{ source(declared.source_name, declared.name) }}) as found
                    on declared.column_name = found.column_name
                where declared.column_type is distinct from found.column_type
            {%- endset -%}
            {%- for row in run_query(compared).rows -%}
                {%- do wrong.append(
                    "Column " ~ row[0] ~ " of the source " ~ declared.source_name ~ "." ~ declared.name ~ ": "
                    ~ ("is " ~ row[2] if row[2] else "missing") ~ ", the YAML has " ~ row[1]
                ) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(wrong) }}
{% endmacro %}
