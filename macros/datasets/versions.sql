{#
    A recorded version of a dataset, for a model that is to read these rows whatever the dataset becomes.

    dataset: its name; version: an integer. Returns the relation `datasets.<dataset>_v<version>`, a view of the rows as they
    were recorded, whose file is checked against its SHA-256. Stops with the versions that there are where it is none of them.
#}
{% macro dataset_version(dataset, version) -%}
    {{ return(adapter.dispatch('dataset_version', 'eiderdown')(dataset, version)) }}
{%- endmacro %}

{% macro default__dataset_version(dataset, version) -%}
    {%- set registry = ref('datasets') -%}
    {%- set relation = api.Relation.create(
        database=registry.database, schema='datasets', identifier=dataset ~ '_v' ~ version, type='view'
    ) -%}
    {%- if not execute -%}{{ return(relation) }}{%- endif -%}
    {%- if load_relation(registry) is none -%}
        {#- dbt compile before the first run has no version to look for. -#}
        {%- if flags.WHICH == 'compile' -%}{{ return(relation) }}{%- endif -%}
        {%- set rows = [] -%}
    {%- else -%}
        {%- set rows = run_query(
            "select dataset, version, artifact, artifact_sha256 from " ~ registry ~ " order by all"
        ).rows -%}
    {%- endif -%}
    {%- set there = [] -%}
    {%- for row in rows -%}
        {%- if row[0] == dataset and row[1] == version -%}
            {%- set file = eiderdown.home() ~ '/' ~ row[2] -%}
            {%- set found = run_query("select eiderdown_find(" ~ eiderdown.literal(file) ~ ")").rows[0][0] -%}
            {%- if not found or run_query("select eiderdown_sha256(" ~ eiderdown.literal(found) ~ ")").rows[0][0] != row[3] -%}
                {{ exceptions.raise_compiler_error(
                    model.name ~ ": " ~ file ~ " is missing or altered; it holds version " ~ version ~ " of the dataset "
                    ~ dataset ~ ". Restore it, or read another version"
                ) }}
            {%- endif -%}
            {{ return(relation) }}
        {%- endif -%}
        {%- do there.append(row[0] ~ ' version ' ~ row[1]) -%}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(
        model.name ~ ": the dataset '" ~ dataset ~ "' has no version " ~ version ~ " in registry.datasets. Read one of: "
        ~ (there | join(', ') or 'none yet; build the dataset and registry.datasets first')
    ) }}
{%- endmacro %}


{#
    Show the recorded versions to readers: `datasets.<dataset>_v<version>` in the warehouse, a view of the version's file,
    and `artifacts/datasets/versions.json`, the registry for readers that must not open the warehouse while dbt holds it.

    A hook of registry.datasets, after its commit: what a kill leaves out, the next run makes. Only what differs is written.
    A view names its file by an absolute path, so it is made again where the home has moved.
#}
{% macro show_dataset_versions() %}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- set query -%}
        with versions as (
            select
                dataset || '_v' || version as name,
                artifact,
                definition,
                eiderdown_find({{ eiderdown.literal(eiderdown.home() ~ '/') }} || artifact) as file
            from {{ this }}
        )
        select
            versions.name,
            artifact,
            file,
            cast(json_extract(definition, '$.columns') as varchar) as columns,
            exists (
                select 1 from duckdb_tables() as tables
                where tables.database_name = current_database() and schema_name = 'datasets' and table_name = versions.name
            ) as is_taken
        from versions
        left join duckdb_views() as views
            on views.database_name = current_database() and schema_name = 'datasets' and view_name = versions.name
        where views.comment is distinct from file
        order by all
    {%- endset -%}
    {%- for name, artifact, file, columns, is_taken in run_query(query).rows -%}
        {%- if is_taken -%}
            {{ exceptions.raise_compiler_error(
                "datasets." ~ name ~ " is a table, and the recorded version of a dataset is to be read there; give the model "
                ~ "that builds the table another alias"
            ) }}
        {%- endif -%}
        {%- set view = 'datasets."' ~ name ~ '"' -%}
        {%- do run_query("create schema if not exists datasets") -%}
        {%- if file -%}
            {#- Parquet knows no fixed sizes: FLOAT[3] comes back as FLOAT[]. -#}
            {%- set typed = [] -%}
            {%- for column, type in fromjson(columns).items() -%}
                {%- do typed.append('cast("' ~ column ~ '" as ' ~ type ~ ') as "' ~ column ~ '"') -%}
            {%- endfor -%}
            {%- do run_query(
                "create or replace view " ~ view ~ " as select " ~ typed | join(', ') ~ " from read_parquet("
                ~ eiderdown.literal(file) ~ ")"
            ) -%}
        {%- else -%}
            {%- set message = "datasets." ~ name ~ ": its file, " ~ artifact ~ " under the home folder, is missing; restore it "
                ~ "and build registry.datasets" -%}
            {%- do run_query("create or replace view " ~ view ~ " as select error(" ~ eiderdown.literal(message) ~ ") as error") -%}
            {%- do exceptions.warn(message) -%}
        {%- endif -%}
        {#- Last, so that a view that was made in part is made again. -#}
        {%- do run_query("comment on view " ~ view ~ " is " ~ eiderdown.literal(file)) -%}
    {%- endfor -%}
    {%- do run_query(
        "select eiderdown_keep_text(" ~ eiderdown.literal(eiderdown.home() ~ '/artifacts/datasets/versions.json') ~ ", "
        ~ "coalesce(cast(to_json(list(versions order by dataset, version)) as varchar), '[]')) "
        ~ "from (select * exclude (invocation_id) from " ~ this ~ ") as versions"
    ) -%}
{% endmacro %}
