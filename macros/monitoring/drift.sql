{#
    monitoring.drift: how far each complete window of a monitored relation is from what it is compared with, in whole and by slice,
    for each column and method (drift_between()), and whether that is more than chance and more than does not matter
    (judged_drift()).

    comparison: 'reference' (rows of its own that never change; windows among them are not judged), 'previous' (the window before)
    and 'training' (the rows of the dataset version that the version learned from which served most of the window, and for `score`
    that version's scores of its test split). is_drifted: is_beyond here and in the window before, which is what alarms.
    `(all)` with the method classifier_auc: all columns together (ml/drift/classifier.py), of at most 4,000 rows a side; evidence
    names the columns. A window is judged once, and again when its rows have changed.

    A column's `config.meta.drift`, or for the comparison 'training' `skew`, {method: limit}, replaces its tolerance, and says
    what decides.
#}
{% macro drift() -%}
    {{ return(adapter.dispatch('drift', 'eiderdown')()) }}
{%- endmacro %}

{% macro default__drift() -%}
{%- set contract = eiderdown.platform_contracts().drift -%}
{{- config(mutable=contract.columns.keys() | reject('in', contract.primary_key) | list) -}}
{#- Before the return below, so that dbt sees them. The scores come before registry.model_metrics. #}
{%- do [ref('feature_statistics'), ref('datasets'), ref('model_versions'), ref('model_metrics')] -%}
{%- set clock = ref('clock') -%}
{%- if not execute -%}{{ return('select 1') }}{%- endif -%}
{{ eiderdown.no_rows('drift') }}
{%- for node in eiderdown.monitored_nodes() %}
    {%- set declared = eiderdown.monitored(node) -%}
    {%- set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) -%}
    {%- if declared.compare and declared.columns and load_relation(relation) is not none -%}
        {%- set windows = eiderdown.windows_to_compare(declared, clock) -%}
        {%- for comparison in ['reference', 'previous', 'training'] if declared.compare.get(comparison) -%}
            {%- set chosen = eiderdown.windows_of_comparison(declared, comparison, windows) -%}
            {%- set sources = eiderdown.sources_of_comparison(declared, comparison, chosen) if chosen else [] -%}
            {%- if sources %}
union all by name
({{ eiderdown.drift_of_windows(node, declared, comparison, chosen, sources) }})
            {%- endif %}
        {%- endfor %}
    {%- endif %}
{%- endfor %}
{%- endmacro %}


{# The complete windows that are not judged as they are, {the window's begin: its content}, as texts. #}
{% macro windows_to_compare(declared, clock) %}
    {%- set windows = {} -%}
    {%- set query -%}
        select strftime(window_at at time zone 'UTC', '%Y-%m-%d %H:%M:%S+00') as window_at, content
        from ({{ eiderdown.changed_windows(declared, this) }})
        cross join {{ clock }}
        where {{ eiderdown.window_end('window_at', declared.every) }} <= as_of
        order by window_at
    {%- endset -%}
    {%- for row in run_query(query).rows -%}{%- do windows.update({row[0]: row[1]}) -%}{%- endfor -%}
    {{ return(windows) }}
{% endmacro %}


{# Those that are compared: not a window among the rows of the reference. #}
{% macro windows_of_comparison(declared, comparison, windows) %}
    {%- if comparison != 'reference' or not windows -%}{{ return(windows) }}{%- endif -%}
    {%- set among = eiderdown.reference_range(declared.compare.reference, 'window_at', eiderdown.window_end('window_at', declared.every)) -%}
    {%- set query -%}
        select strftime(window_at at time zone 'UTC', '%Y-%m-%d %H:%M:%S+00')
        from (select unnest({{ windows.keys() | list }}) :: timestamptz as window_at)
        where not ({{ among }})
        order by window_at
    {%- endset -%}
    {%- set chosen = {} -%}
    {%- for row in run_query(query).rows -%}{%- do chosen.update({row[0]: windows[row[0]]}) -%}{%- endfor -%}
    {{ return(chosen) }}
{% endmacro %}


{# Whether what lasts from one moment to another overlaps the declared reference. #}
{% macro reference_range(declared, begin, end) -%}
    true
    {%- if declared.to %} and {{ begin }} < timestamptz {{ eiderdown.literal(declared.to) }}{% endif -%}
    {%- if declared.get('from') %} and {{ end }} > timestamptz {{ eiderdown.literal(declared.get('from')) }}{% endif -%}
{%- endmacro %}


{#
    What windows are compared with: a list of {columns: {name: type}, slices, at, query}; query gives the slices' columns, columns and
    `at` (the relation's own if none is said) of the reference's rows, and window_at where each window has a reference of its own (is_by_window). windows: the begins of those that are
    compared, all where there are none.
#}
{% macro sources_of_comparison(declared, comparison, windows) %}
    {%- set at = eiderdown.quoted(declared.at) -%}
    {%- if comparison == 'training' -%}{{ return(eiderdown.training_sources(declared, windows)) }}{%- endif -%}
    {%- set source = {'columns': declared.columns, 'slices': declared.slices} -%}
    {%- if comparison == 'previous' -%}
        {%- set window_at = eiderdown.window_end(eiderdown.window_of(at, declared.every), declared.every) -%}
        {%- do source.update({
            'is_by_window': true,
            'query': 'select ' ~ window_at ~ ' as window_at, given.* from ' ~ declared.relation ~ ' as given where '
                ~ window_at ~ ' in (select window_at from judged)',
        }) -%}
    {%- else -%}
        {%- do source.update({
            'query': 'from ' ~ declared.relation ~ ' where '
                ~ eiderdown.reference_range(declared.compare.reference, at, at).replace(' > ', ' >= '),
        }) -%}
    {%- endif -%}
    {{ return([source]) }}
{% endmacro %}


{# As sources_of_comparison(): the rows that a model learned from, and its scores of the test split. #}
{% macro training_sources(declared, windows) %}
    {%- set versions = adapter.get_relation(this.database, 'registry', 'model_versions') -%}
    {%- set registry = adapter.get_relation(this.database, 'registry', 'datasets') -%}
    {%- set sources = [] -%}
    {%- if versions is none or registry is none -%}{{ return(sources) }}{%- endif -%}
    {%- set window_at = eiderdown.window_of(eiderdown.quoted(declared.at), declared.every) -%}
    {%- set query -%}
        select versions.dataset, dataset_version, version, string_agg(strftime(window_at at time zone 'UTC', '%Y-%m-%d %H:%M:%S+00'), ',' order by window_at)
        from (
            select {{ window_at }} as window_at, version
            from {{ declared.relation }}
            group by 1, 2
            qualify row_number() over (partition by window_at order by count(*) desc, version desc) = 1
        )
        inner join {{ versions }} as versions using (version)
        inner join {{ registry }} as kept on kept.dataset = versions.dataset and kept.version = versions.dataset_version
        where versions.model = {{ eiderdown.literal(declared.model) }} and window_at in {{ eiderdown.moments(windows.keys()) }}
        group by all
        order by all
    {%- endset -%}
    {%- set scores = load_relation(eiderdown.scores_relation(declared.model)) -%}
    {%- for dataset, dataset_version, version, served in run_query(query).rows -%}
        {%- set rows, served = eiderdown.dataset_version(dataset, dataset_version), served.split(',') -%}
        {%- set held = adapter.get_columns_in_relation(rows) | map(attribute='name') | list -%}
        {%- set columns = {} -%}
        {%- for column, type in declared.columns.items() if column in held -%}{%- do columns.update({column: type}) -%}{%- endfor -%}
        {%- do sources.append({
            'columns': columns,
            'at': eiderdown.dataset_node_of(declared.model).config.meta.dataset.at,
            'slices': declared.slices | select('in', held) | list,
            'windows': served,
            'query': 'from ' ~ rows,
        }) -%}
        {%- if scores and 'score' in declared.columns -%}
            {%- do sources.append({
                'columns': {'score': 'double'},
                'slices': [],
                'is_score': true,
                'windows': served,
                'query': 'select ' ~ eiderdown.one_score(declared.model) ~ ' as score from ' ~ scores
                    ~ " where split = 'test' and version = " ~ version ~ ' and dataset_version = ' ~ dataset_version,
            }) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(sources) }}
{% endmacro %}


{# The rows of monitoring.drift of some windows. windows: {the window's begin: its content}; sources: as sources_of_comparison(). #}
{% macro drift_of_windows(node, declared, comparison, windows, sources) %}
    {%- set name = eiderdown.literal(declared.relation) -%}
    with judged (window_at, content) as (
        values
        {%- for window, content in windows.items() %}
        (timestamptz '{{ window }}', '{{ content }}'){{ ',' if not loop.last }}
        {%- endfor %}
    ),

    rules (feature, method, tolerance, decides) as (
        {{ eiderdown.drift_rules(declared.columns, eiderdown.declared_limits(node, comparison)) }}
    ),

    measured as materialized (
        {%- for source in sources %}
        ({{ eiderdown.drift_of_source(declared, source) }})
        {{- ' union all by name' if not loop.last }}
        {%- endfor %}
    ),

    found as materialized ({{ eiderdown.judged_drift('measured', 'rules', ['window_at', 'slice']) }}),

    earlier as (
        select window_at, slice, feature, method, is_beyond from found
        {%- if load_relation(this) is not none %}
        union all
        select window_at, slice, feature, method, is_beyond
        from {{ this }}
        where relation = {{ name }}
            and comparison = '{{ comparison }}'
            and window_at not in (select window_at from judged)
        {%- endif %}
    )

    select
        {{ name }} as relation,
        '{{ comparison }}' as comparison,
        found.*,
        found.is_beyond and coalesce(earlier.is_beyond, false) as is_drifted,
        content
    from found
    inner join judged on found.window_at = judged.window_at
    left join earlier
        on {{ eiderdown.window_end('earlier.window_at', declared.every) }} = found.window_at
        and found.slice = earlier.slice
        and found.feature = earlier.feature
        and found.method = earlier.method
{% endmacro %}


{# What drift_between() and the classifier say of the windows of a source. #}
{% macro drift_of_source(declared, source) %}
    {%- set at = eiderdown.quoted(declared.at) -%}
    {%- set types = eiderdown.compared_types(source.columns) -%}
    {%- set slices = [] -%}
    {%- for column in source.slices -%}
        {%- do slices.append(eiderdown.slice_name(column, eiderdown.quoted(column))) -%}
    {%- endfor -%}
    {%- set windows = 'select unnest(' ~ eiderdown.moments(source.windows) ~ ') as window_at' if source.windows else 'select window_at from judged' -%}
    {%- set slice -%}
        unnest({{ "['all'" ~ (', ' if slices) ~ slices | join(', ') ~ ']' }}) as slice
    {%- endset -%}
    {%- set reference_at = eiderdown.quoted(source.at or declared.at) if not source.is_score else 'null' -%}
    {%- set by, each = (['window_at', 'slice'], {}) if source.is_by_window else (['slice'], {'window_at': windows}) %}
    with current_rows as materialized (
        select window_at, {{ slice }}, {{ at }} as placed_at{{ eiderdown.compared_columns(source.columns, at) }}
        from (select {{ eiderdown.window_of(at, declared.every) }} as window_at, * from {{ declared.relation }})
        where window_at in ({{ windows }})
    ),

    reference_rows as materialized (
        select
            {{ 'window_at, ' if source.is_by_window }}{{ slice }},
            {{ reference_at }} as placed_at{{ eiderdown.compared_columns(source.columns, reference_at) }}
        from ({{ source.query }})
    )

    select *, null as evidence
    from ({{ eiderdown.drift_between('reference_rows', 'current_rows', types, by, each) }})
    {%- if not source.is_score %}
    union all by name
    ({{ eiderdown.told_apart('reference_rows', 'current_rows', types, each) }})
    {%- endif %}
{% endmacro %}


{# The limits that columns declare, {column: {method: tolerance}}; an unknown method is a compiler error. #}
{% macro declared_limits(node, comparison) %}
    {%- set kind = 'skew' if comparison == 'training' else 'drift' -%}
    {%- set limits = {} -%}
    {%- for column in node.columns.values() -%}
        {%- set own = (column.config.meta or column.meta or {}).get(kind) -%}
        {%- if own -%}
            {%- do eiderdown.refuse_unknown_fields(
                node.schema ~ '.' ~ node.alias ~ ': ' ~ column.name ~ ': config.meta.' ~ kind, own, eiderdown.drift_methods()
            ) -%}
            {%- do limits.update({column.name: own}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(limits) }}
{% endmacro %}


{# A list of moments in SQL. #}
{% macro moments(texts) -%}
    [{% for text in texts %}timestamptz '{{ text }}'{{ ', ' if not loop.last }}{% endfor %}]
{%- endmacro %}


{# The relation of a model's scores. #}
{% macro scores_relation(model_name) %}
    {%- for relation in eiderdown.project_scores() if eiderdown.node_of(relation).config.meta.scores.model == model_name -%}
        {{ return(relation) }}
    {%- endfor -%}
    {{ return(none) }}
{% endmacro %}


{# A score as served() has it: a number, of classes the probability of the likeliest. #}
{% macro one_score(model_name) -%}
    {{ 'list_max(map_values(score))' if eiderdown.task_of(model_name) == 'multiclass' else 'score' }}
{%- endmacro %}
