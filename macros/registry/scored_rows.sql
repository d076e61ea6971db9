{# The relations of all scores of the project: of models with config.meta.scores. #}
{% macro project_scores() %}
    {%- set relations = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and 'scores' in (node.config.meta or {}) -%}
        {%- do relations.append(api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias)) -%}
    {%- endfor -%}
    {{ return(relations) }}
{% endmacro %}


{# The relations of scores by the task of their model: {task: [relation, …]}. #}
{% macro scores_by_task(scores) %}
    {%- set tasks = {} -%}
    {%- for relation in scores -%}
        {%- set task = eiderdown.task_of_scores(eiderdown.node_of(relation)) -%}
        {%- do tasks.setdefault(task, []).append(relation) -%}
    {%- endfor -%}
    {{ return(tasks) }}
{% endmacro %}


{# The task whose metrics the scores of a node take: that of their model, or what the classes of their labels say. #}
{% macro task_of_scores(node) %}
    {%- set scores = node.config.meta.scores -%}
    {{ return(eiderdown.task_of_labels(scores.labels) if 'labels' in scores else eiderdown.task_of(scores.model)) }}
{% endmacro %}


{# What tells apart the groups of rows that the registry measures. #}
{% macro measured_groups() %}
    {{ return(['model', 'version', 'dataset_version', 'split', 'slice']) }}
{% endmacro %}


{#
    The scored rows of relations of one task that `this` does not hold the measures of yet, each for 'all' and for each of its
    slices, such as 'column=value'.
#}
{% macro unmeasured_scores(relations) %}
    select
        * exclude (slices),
        unnest(list_prepend('all', {{ eiderdown.slice_names('slices') }})) as slice
    from ({{ eiderdown.all_scores(relations) }})
    {%- if load_relation(this) is not none %}
    anti join {{ this }} using (model, version, dataset_version)
    {%- endif %}
{% endmacro %}


{# The scored rows of relations. #}
{% macro all_scores(relations) -%}
    {%- for relation in relations -%}
    select * from {{ relation }}{{ ' union all by name ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{# The names of a row's slices, a list; `column is null` where it has no value. #}
{% macro slice_names(slices) -%}
    [coalesce(entry.key || '=' || entry.value, entry.key || ' is null') for entry in map_entries({{ slices }})]
{%- endmacro %}


{# A query that gives the columns of a platform table and no row. #}
{% macro no_rows(table) %}
    select
        {%- for name, definition in eiderdown.platform_contracts()[table].columns.items() %}
        cast(null as {{ modules.re.split(' not null| check ', definition)[0] }}) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    where false
{% endmacro %}
