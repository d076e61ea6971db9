{#
    A post-hook of votes models, in the transaction that builds the table: where votes cannot be learned from, it stops with what
    is wrong, and the old table stays. Nothing for a model without config.meta.votes.

    It refuses unknown names in row_id and keep, fewer than three functions, a row id that is null or repeated, and votes that
    are no class.
#}
{% macro check_votes() -%}
    {{ return(adapter.dispatch('check_votes', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__check_votes() -%}
    {%- set declared = eiderdown.votes_declaration(model) if execute else none -%}
    {%- if not declared -%}{{ return('') }}{%- endif -%}
    {%- set wrong = [] -%}
    {%- set columns = adapter.get_columns_in_relation(this) | map(attribute='name') | map('lower') | list -%}
    {%- for name in [declared.row_id] + declared.keep if name | lower not in columns -%}
        {%- do wrong.append(
            "config.meta.votes." ~ ('row_id' if loop.first else 'keep') ~ ": there is no column " ~ name
            ~ "; the columns are " ~ columns | join(', ')
        ) -%}
    {%- endfor -%}
    {%- if not wrong -%}
        {%- set functions = eiderdown.voting_functions(this, declared) -%}
        {%- if functions | length < 3 -%}
            {%- set found = functions | map(attribute='name') | join(', ') -%}
            {%- do wrong.append(
                functions | length ~ " labelling functions (" ~ (found or 'none') ~ "), and a label model needs three or more. "
                ~ "Every column that is not row_id or in keep is one"
            ) -%}
        {%- else -%}
            {%- do wrong.extend(eiderdown.wrong_votes(declared, functions)) -%}
        {%- endif -%}
        {%- do wrong.extend(eiderdown.wrong_row_ids(declared)) -%}
    {%- endif -%}
    {%- if wrong -%}
        {{ exceptions.raise_compiler_error(
            this.schema ~ "." ~ this.identifier ~ ": " ~ wrong | join('. ') ~ ". Nothing was overwritten."
        ) }}
    {%- endif -%}
{%- endmacro %}


{# Votes of `this` that are no class, as a list of texts; counted by pattern, so that the rows are read once. #}
{% macro wrong_votes(declared, functions) %}
    {%- set query -%}
        with counted as ({{ eiderdown.vote_patterns(this, functions, declared.classes) }})

        {#- In quotes, so that a text of digits comes back as the text that it is. #}
        select place, '''' || value || '''', sum(row_count)
        from (
            select
                row_count,
                unnest(range({{ functions | length }})) as place,
                unnest([{% for function in functions %}cast(function_{{ loop.index }} as varchar){{ ', ' if not loop.last }}{% endfor %}]) as value
            from counted
        )
        where value not in {{ eiderdown.literal_list(declared.classes) }}
        group by place, value
        order by place, value
        limit 10
    {%- endset -%}
    {%- set wrong = [] -%}
    {%- for place, value, count in run_query(query).rows -%}
        {%- do wrong.append(
            functions[place | int].name ~ " votes " ~ value ~ " in " ~ count ~ (" row" if count == 1 else " rows")
            ~ ", which is no class; the classes are " ~ declared.classes | join(', ')
        ) -%}
    {%- endfor -%}
    {{ return(wrong) }}
{% endmacro %}


{# What is wrong with the row ids of `this`, as a list of texts. #}
{% macro wrong_row_ids(declared) %}
    {%- set row_id = eiderdown.quoted(declared.row_id) -%}
    {%- set counts = run_query(
        "select count(*) - count(" ~ row_id ~ "), count(" ~ row_id ~ ") - count(distinct " ~ row_id ~ ") from " ~ this
    ).rows[0] -%}
    {%- set wrong = [] -%}
    {%- if counts[0] -%}
        {%- do wrong.append(declared.row_id ~ ", the row id, is null in " ~ counts[0] ~ (" row" if counts[0] == 1 else " rows")) -%}
    {%- endif -%}
    {%- if counts[1] -%}
        {%- set repeated = run_query(
            "select chr(39) || " ~ row_id ~ " || chr(39), count(*) from " ~ this ~ " where " ~ row_id
            ~ " is not null group by all having count(*) > 1 order by 1 limit 1"
        ).rows[0] -%}
        {%- do wrong.append(
            declared.row_id ~ ", the row id, is repeated: " ~ repeated[0] ~ " is there " ~ repeated[1] ~ " times. "
            ~ "Give each row to label once"
        ) -%}
    {%- endif -%}
    {{ return(wrong) }}
{% endmacro %}
