{#
    What is an anomaly of a column in a window, a rule for each kind: {kind, severity, when, text, evidence, path, was, value}, as SQL
    over what found_anomalies() puts together:

        now, before     rows of monitoring.feature_statistics: of the window, and of the last one before it that has rows
        declared        the row of the schema; its fields are null for a column that is not declared
        is_declared     whether the relation declares any column
        window_rows     the rows of the window
        first_at        the first window in which the column is
        scale           what unit_changes() says

    `text` follows the name of the column and says what and how much. `path`, `was` and `value` make the suggested change: where in the
    column's config.meta, what is there, and what is to be; without `path` the schema should not give in.
#}
{% macro column_anomaly_rules() %}
    {%- set present = '(now.row_count - now.missing_count)' -%}
    {%- set rules = [
        {
            'kind': 'missing_column', 'severity': 'error',
            'when': "now.feature is null and declared.is_expected and window_rows > 0 and (first_at is null or first_at < window_at)",
            'text': "'is declared and not there'",
            'evidence': "json_object('declared_type', declared.declared_type)",
            'path': ['lifecycle'], 'was': "if(declared.lifecycle = 'production', null, declared.lifecycle)", 'value': "'deprecated'",
        },
        {
            'kind': 'new_column', 'severity': 'warning',
            'when': "now.feature is not null and declared.feature is null and is_declared",
            'text': "'is not declared; it is ' || now.type",
            'evidence': "json_object('type', now.type)",
            'path': ['data_type'], 'was': 'null', 'value': 'lower(now.type)',
        },
        {
            'kind': 'wrong_type', 'severity': 'error',
            'when': "lower(now.type) <> lower(declared.declared_type) and " ~ eiderdown.type_family('now.type') ~ " <> "
                ~ eiderdown.type_family('declared.type')
                ~ " and not (" ~ eiderdown.type_family('now.type') ~ " = 'integer' and " ~ eiderdown.type_family('declared.type') ~ " = 'number')",
            'text': "format('is {}, and {} is declared', now.type, declared.declared_type)",
            'evidence': "json_object('type', now.type, 'declared_type', declared.declared_type)",
            'path': ['data_type'], 'was': 'declared.declared_type', 'value': 'lower(now.type)',
        },
        {
            'kind': 'null_in_required', 'severity': 'error',
            'when': "declared.is_required and now.missing_count > 0",
            'text': "format('is not null, and {:,} of {:,} rows have none', now.missing_count, now.row_count)",
            'evidence': "json_object('missing_count', now.missing_count, 'row_count', now.row_count)",
        },
        {
            'kind': 'never_present', 'severity': 'error',
            'when': present ~ " = 0 and now.row_count > 0 and (declared.min_fraction > 0 or declared.min_count > 0 or before.row_count > before.missing_count)",
            'text': "format('has no value in {:,} rows', now.row_count)",
            'evidence': "json_object('row_count', now.row_count, 'present_before', before.row_count - before.missing_count)",
        },
        {
            'kind': 'low_fraction_present', 'severity': 'error',
            'when': present ~ " < now.row_count * declared.min_fraction and " ~ present ~ " > 0",
            'text': "format('has a value in {:.4g} of the rows, and at least {:.4g} are declared', " ~ present ~ " / now.row_count, declared.min_fraction)",
            'evidence': "json_object('fraction', " ~ present ~ " / now.row_count, 'min_fraction', declared.min_fraction, 'row_count', now.row_count)",
            'path': ['presence', 'min_fraction'], 'was': 'declared.min_fraction', 'value': "floor(" ~ present ~ " / now.row_count * 1000) / 1000",
        },
        {
            'kind': 'low_count_present', 'severity': 'error',
            'when': present ~ " < declared.min_count and " ~ present ~ " > 0",
            'text': "format('has {:,} values, and at least {:,} are declared', " ~ present ~ ", cast(declared.min_count as bigint))",
            'evidence': "json_object('present_count', " ~ present ~ ", 'min_count', declared.min_count)",
            'path': ['presence', 'min_count'], 'was': 'declared.min_count', 'value': present,
        },
        {
            'kind': 'short_list', 'severity': 'error',
            'when': "now.least_length < declared.min_valency",
            'text': "format('has a list of {:,}, and at least {:,} are declared', now.least_length, cast(declared.min_valency as bigint))",
            'evidence': "json_object('least_length', now.least_length, 'min', declared.min_valency)",
            'path': ['valency', 'min'], 'was': 'declared.min_valency', 'value': 'now.least_length',
        },
        {
            'kind': 'long_list', 'severity': 'error',
            'when': "now.greatest_length > declared.max_valency",
            'text': "format('has a list of {:,}, and at most {:,} are declared', now.greatest_length, cast(declared.max_valency as bigint))",
            'evidence': "json_object('greatest_length', now.greatest_length, 'max', declared.max_valency)",
            'path': ['valency', 'max'], 'was': 'declared.max_valency', 'value': 'now.greatest_length',
        },
        {
            'kind': 'few_distinct', 'severity': 'error',
            'when': "now.distinct_count < declared.min_distinct and now.row_count > 0",
            'text': "format('has {:,} values that differ, and at least {:,} are declared', now.distinct_count, cast(declared.min_distinct as bigint))",
            'evidence': "json_object('distinct_count', now.distinct_count, 'min', declared.min_distinct)",
            'path': ['distinct', 'min'], 'was': 'declared.min_distinct', 'value': 'now.distinct_count',
        },
        {
            'kind': 'many_distinct', 'severity': 'error',
            'when': "now.distinct_count > declared.max_distinct",
            'text': "format('has {:,} values that differ, and at most {:,} are declared', now.distinct_count, cast(declared.max_distinct as bigint))",
            'evidence': "json_object('distinct_count', now.distinct_count, 'max', declared.max_distinct)",
            'path': ['distinct', 'max'], 'was': 'declared.max_distinct', 'value': 'now.distinct_count',
        },
        {
            'kind': 'nan', 'severity': 'error',
            'when': "not declared.is_nan_allowed and now.nan_count > 0",
            'text': "format('has {:,} NaN in {:,} rows', now.nan_count, now.row_count)",
            'evidence': "json_object('nan_count', now.nan_count, 'row_count', now.row_count)",
            'path': ['domain', 'nan'], 'was': 'null', 'value': 'true',
        },
        {
            'kind': 'infinite', 'severity': 'error',
            'when': "not declared.is_infinite_allowed and now.infinite_count > 0",
            'text': "format('has {:,} infinities in {:,} rows', now.infinite_count, now.row_count)",
            'evidence': "json_object('infinite_count', now.infinite_count, 'row_count', now.row_count)",
            'path': ['domain', 'infinite'], 'was': 'null', 'value': 'true',
        },
        {
            'kind': 'constant', 'severity': 'warning',
            'when': "now.distinct_count = 1 and " ~ present ~ " >= 20 and before.distinct_count > 1 and before.row_count - before.missing_count >= 20",
            'text': "format('has one value, {}, and had {:,} in the window before', now.min, before.distinct_count)",
            'evidence': "json_object('value', now.min, 'distinct_before', before.distinct_count)",
        },
        {
            'kind': 'unit_change', 'severity': 'error',
            'when': "scale.conversion is not null",
            'text': "format('has quantiles {:.4g} times those of the window before, as of {}', scale.factor, scale.conversion)",
            'evidence': "json_object('factor', scale.factor, 'conversion', scale.conversion, 'quantiles', to_json(now.quantiles))",
        },
        {
            'kind': 'scale_change', 'severity': 'warning',
            'when': "scale.conversion is null and scale.factor not between 0.5 and 2",
            'text': "format('has quantiles {:.4g} times those of the window before', scale.factor)",
            'evidence': "json_object('factor', scale.factor, 'quantiles', to_json(now.quantiles))",
        },
        {
            'kind': 'deprecated_used', 'severity': 'warning', 'lifecycles': "declared.lifecycle = 'deprecated'",
            'when': present ~ " > 0",
            'text': "format('is deprecated, and {:,} of {:,} rows have it', " ~ present ~ ", now.row_count)",
            'evidence': "json_object('present_count', " ~ present ~ ", 'row_count', now.row_count)",
            'path': ['lifecycle'], 'was': 'declared.lifecycle', 'value': "'production'",
        },
    ] -%}
    {{ return(rules) }}
{% endmacro %}


{# The same of the rows of a window: over window_rows, rows_before, had_rows, declared (the relation's row), window_at and as_of. #}
{% macro window_anomaly_rules() %}
    {%- set rules = [
        {
            'kind': 'no_rows', 'severity': 'error',
            'when': "window_rows = 0 and (had_rows or window_at = timestamptz 'epoch')",
            'text': "'no row came' || coalesce(format('; the last window that has any has {:,}', rows_before), '')",
            'evidence': "json_object('row_count', 0, 'rows_before', rows_before)",
        },
        {
            'kind': 'few_rows', 'severity': 'error',
            'when': "window_rows < declared.min_rows and window_rows > 0",
            'text': "format('{:,} rows came, and at least {:,} are declared', window_rows, cast(declared.min_rows as bigint))",
            'evidence': "json_object('row_count', window_rows, 'min_rows', declared.min_rows)",
            'path': ['min_rows'], 'was': 'declared.min_rows', 'value': 'window_rows',
        },
        {
            'kind': 'many_rows', 'severity': 'error',
            'when': "window_rows > declared.max_rows",
            'text': "format('{:,} rows came, and at most {:,} are declared', window_rows, cast(declared.max_rows as bigint))",
            'evidence': "json_object('row_count', window_rows, 'max_rows', declared.max_rows)",
            'path': ['max_rows'], 'was': 'declared.max_rows', 'value': 'window_rows',
        },
        {
            'kind': 'low_row_ratio', 'severity': 'error',
            'when': "window_rows > 0 and window_rows < rows_before * declared.min_ratio",
            'text': "format('{:,} rows came after {:,}, a ratio of {:.3g}, and at least {:.3g} is declared', window_rows, rows_before, window_rows / rows_before, declared.min_ratio)",
            'evidence': "json_object('row_count', window_rows, 'rows_before', rows_before, 'min_ratio', declared.min_ratio)",
            'path': ['min_ratio'], 'was': 'declared.min_ratio', 'value': 'floor(window_rows / rows_before * 1000) / 1000',
        },
        {
            'kind': 'high_row_ratio', 'severity': 'error',
            'when': "window_rows > rows_before * declared.max_ratio",
            'text': "format('{:,} rows came after {:,}, a ratio of {:.3g}, and at most {:.3g} is declared', window_rows, rows_before, window_rows / rows_before, declared.max_ratio)",
            'evidence': "json_object('row_count', window_rows, 'rows_before', rows_before, 'max_ratio', declared.max_ratio)",
            'path': ['max_ratio'], 'was': 'declared.max_ratio', 'value': 'ceil(window_rows / rows_before * 1000) / 1000',
        },
        {
            'kind': 'future_rows', 'severity': 'error', 'windows': 'window_at > as_of',
            'when': "window_rows > 0",
            'text': "format('{:,} rows lie after the clock, which stands at {}', window_rows, strftime(as_of at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ'))",
            'evidence': "json_object('row_count', window_rows, 'as_of', cast(as_of as varchar))",
        },
    ] -%}
    {{ return(rules) }}
{% endmacro %}


{# The family of a type, as SQL: two types of one family hold the same kind of values. #}
{% macro type_family(type) -%}
    case
        when regexp_full_match(upper({{ type }}), 'U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER') then 'integer'
        when regexp_full_match(upper({{ type }}), '(DOUBLE|FLOAT|REAL|DECIMAL.*|NUMERIC.*)') then 'number'
        when upper({{ type }}) in ('TEXT', 'STRING', 'VARCHAR') or upper({{ type }}) like 'ENUM%' then 'text'
        when upper({{ type }}) in ('TIMESTAMPTZ', 'TIMESTAMP WITH TIME ZONE') then 'moment'
        else replace(upper({{ type }}), ' ', '')
    end
{%- endmacro %}
