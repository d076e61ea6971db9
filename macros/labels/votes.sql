{#
    What a votes model declares in YAML under config.meta.votes, {row_id, classes, keep}, with its classes as texts; none where it
    declares nothing. A vote is compared with the classes as text, and a class's number is its place, from 0.
#}
{% macro votes_declaration(node) %}
    {%- set declared = (node.config.meta or {}).get('votes') -%}
    {%- if not declared -%}{{ return(none) }}{%- endif -%}
    {%- set classes = [] -%}
    {%- for class in declared.classes -%}
        {#- YAML reads false as a boolean, which DuckDB writes so. #}
        {%- do classes.append((class | string | lower) if class is boolean else class | string) -%}
    {%- endfor -%}
    {{ return({'row_id': declared.row_id, 'classes': classes, 'keep': declared.get('keep', [])}) }}
{% endmacro %}


{# votes_declaration() of a relation; a compiler error where it is no votes model. #}
{% macro votes_of(relation) %}
    {%- set declared = eiderdown.votes_declaration(eiderdown.node_of(relation)) -%}
    {%- if not declared -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ ": " ~ relation ~ " has no config.meta.votes; pass the ref() of a votes model, such as <task>_votes"
        ) }}
    {%- endif -%}
    {{ return(declared) }}
{% endmacro %}


{#
    The labelling functions of a relation of votes: its columns but for the row id and those that are kept. declared:
    votes_declaration().
#}
{% macro voting_functions(relation, declared) %}
    {%- set others = ([declared.row_id] + declared.keep) | map('lower') | list -%}
    {%- set functions = [] -%}
    {%- for column in adapter.get_columns_in_relation(relation) if column.name | lower not in others -%}
        {%- do functions.append(column) -%}
    {%- endfor -%}
    {{ return(functions) }}
{% endmacro %}


{# The type of the votes, which is that of most functions, of those that can hold each class: one that never votes may have any. #}
{% macro type_of_votes(functions, classes) %}
    {%- set types = functions | map(attribute='dtype') | list -%}
    {%- set query -%}
        select type
        from (
            {%- for type in types | unique(case_sensitive=true) %}
            select
                {{ eiderdown.literal(type) }} as type,
                {{ types.count(type) }} as function_count,
                {{ loop.index }} as place,
                list_transform({{ eiderdown.literal_list(classes) }}, lambda class: cast(try_cast(class as {{ type }}) as varchar)) as held
            {{ 'union all' if not loop.last }}
            {%- endfor %}
        )
        where held is not distinct from {{ eiderdown.literal_list(classes) }}
        order by function_count desc, place
    {%- endset -%}
    {%- set found = run_query(query).rows -%}
    {{ return(found[0][0] if found else 'varchar') }}
{% endmacro %}


{# The task of a votes model: late of late_votes. #}
{% macro task_of_votes(relation) -%}
    {{ return(modules.re.sub('_votes$', '', relation.identifier)) }}
{%- endmacro %}


{#
    The task of a trained model (config.meta.model.task) that tells the classes of a labelling task apart: 'binary' for false and true,
    or 0 and 1; 'multiclass' for other classes.
#}
{% macro task_of_labels(task) %}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.alias == task ~ '_votes' -%}
        {%- set declared = eiderdown.votes_declaration(node) -%}
        {%- if declared -%}
            {{ return('binary' if declared.classes | sort in [['false', 'true'], ['0', '1']] else 'multiclass') }}
        {%- endif -%}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(
        model.name ~ ": there is no model " ~ task ~ "_votes with config.meta.votes, whose classes the labels '" ~ task ~ "' are of"
    ) }}
{% endmacro %}


{#
    The distinct vote patterns of rows: (function_1, …, by…, row_count, votes): the functions' values, how many rows are like it,
    and its votes as tinyint[], the places of classes, -1 where a function abstains.

    rows: a relation, or a join that gives the functions' columns. by: other expressions to count by, {name: expression}.
#}
{% macro vote_patterns(rows, functions, classes, by={}) -%}
    select
        *,
        cast([
            {%- for function in functions -%}
            coalesce(list_position({{ eiderdown.literal_list(classes) }}, cast(function_{{ loop.index }} as varchar)), 0) - 1
            {{- ', ' if not loop.last }}
            {%- endfor -%}
        ] as tinyint[]) as votes
    from (
        select
            {%- for function in functions %}
            {{ eiderdown.quoted(function.name) }} as function_{{ loop.index }},
            {%- endfor %}
            {%- for name, expression in by.items() %}
            {{ expression }} as {{ name }},
            {%- endfor %}
            count(*) as row_count
        from {{ rows }}
        group by all
    )
{%- endmacro %}


{#
    The newest version of a label model as one row: (version, parameters, accuracies, dependencies). A query that reads `parameters`
    fails where they were learned from other functions than these, or from other classes, or in another order.
#}
{% macro newest_label_model(label_model, functions, classes) -%}
    {%- set names = functions | map(attribute='name') | list -%}
    select
        * exclude (functions, classes) replace (
            if(
                functions = {{ eiderdown.literal_list(names) }} and classes = {{ eiderdown.literal_list(classes) }},
                parameters,
                error({{ eiderdown.literal(
                    label_model.schema ~ '.' ~ label_model.identifier ~ ": its newest version learned from other functions than "
                    ~ names | join(', ') ~ ", or other classes than " ~ classes | join(', ') ~ ". Build it before what reads it, for example with dbt build --select +" ~ model.name
                ) }})
            ) as parameters
        )
    from (
        {#- By an aggregate, below which no optimizer puts the error: older versions may have other functions. #}
        select
            max(version) as version,
            arg_max(functions, version) as functions,
            arg_max(classes, version) as classes,
            arg_max(cast(parameters as varchar), version) as parameters,
            arg_max(accuracies, version) as accuracies,
            arg_max(dependencies, version) as dependencies
        from {{ label_model }}
    )
{%- endmacro %}
