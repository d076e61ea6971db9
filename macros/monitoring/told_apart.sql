{#
    Whether a classifier tells the rows of windows from those of a reference: a select of window_at, slice 'all', feature '(all)', method
    'classifier_auc' and what drift_classifier() says (ml/drift/classifier.py).

    reference, current: relations with slice, placed_at and columns, {name: type}; current has window_at, and reference where `each`
    is empty. each: {window_at: a query of the windows} that share one reference. Rows are in the order of time, since the classifier
    learns from other times than it is tried on: rows of one hour may share a value, by which the hour is known again, and
    a row that came twice tells nothing.
#}
{% macro told_apart(reference, current, columns, each) %}
    {%- set parts = [] -%}
    {%- for column, type in columns.items() -%}
        {%- set number = eiderdown.number_of(column, type) -%}
        {%- if number -%}
            {%- do parts.append("'" ~ column ~ "': case when abs(" ~ number ~ ') < 1e100 then ' ~ number ~ ' end') -%}
        {%- elif eiderdown.is_category(type) -%}
            {%- do parts.append("'" ~ column ~ "': cast(" ~ eiderdown.quoted(column) ~ ' as varchar)') -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set in_order = 'list(sampled order by placed_at, hash(sampled))' %}
    -- Materialized, since an expression that is used twice is computed twice.
    with classified as materialized (
        select
            window_at,
            drift_classifier({{ in_order }} filter (is_reference), {{ in_order }} filter (not is_reference)) as told
        from (
            select *, true as is_reference
            from ({{ eiderdown.every_kth(reference, parts, [] if each else ['window_at']) }}) as every_kth
            {{- eiderdown.each_value(each) }}
            union all by name
            select *, false as is_reference from ({{ eiderdown.every_kth(current, parts, ['window_at']) }}) as every_kth
        )
        group by window_at
        having bool_or(is_reference) and not bool_and(is_reference)
    )

    select
        window_at,
        'all' as slice,
        '(all)' as feature,
        'classifier_auc' as method,
        told.* replace (cast(told.evidence as json) as evidence)
    from classified
{% endmacro %}


{# Rows of the slice of all as structs `sampled`, no two of a group alike: of each group every k-th in the order of time, at most 4,000. #}
{% macro every_kth(relation, parts, groups) -%}
    {%- set partition = 'partition by ' ~ groups | join(', ') if groups else '' -%}
    select {% for name in groups %}{{ name }}, {% endfor %}sampled, min(placed_at) as placed_at
    from (
        select
            *,
            row_number() over ({{ partition }} order by placed_at, hash(sampled)) as place,
            count(*) over ({{ partition }}) as row_count
        from (
            select {% for name in groups %}{{ name }}, {% endfor %}placed_at, {{ '{' ~ parts | join(', ') ~ '}' }} as sampled
            from {{ relation }}
            where slice = 'all'
        )
    )
    where place % ceil(row_count / 4000) = 0
    group by {% for name in groups %}{{ name }}, {% endfor %}sampled
{%- endmacro %}
