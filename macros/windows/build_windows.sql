{#
    Statements that build the windows() view that is running, or bring it up to date, with its tiles in
    main.<schema>_<view>_tiles. In one transaction with the view: tiles and rows cannot disagree. (Schema main is always there:
    of two models that create one at the same time, DuckDB refuses the second.)

    facts: what windows_facts() gives. fingerprint: that of the view. The log says which of the two it is, and why.
#}
{% macro build_windows(sql, facts, fingerprint) -%}
    {%- set tiles = api.Relation.create(database=this.database, schema='main', identifier=this.schema ~ '_' ~ this.identifier ~ '_tiles') -%}
    {%- set made_with = {
        'fingerprint': fingerprint.fingerprint,
        'contract': local_md5(get_table_columns_and_constraints()),
        'sql': local_md5(sql),
    } -%}
    {%- set obstacle = eiderdown.windows_obstacle(this, tiles, made_with) -%}
    {%- do log(this ~ ": " ~ ("full build, " ~ obstacle if obstacle else "incremental"), info=obstacle is not none) -%}
    {%- if obstacle %}
        {{ eiderdown.replace_table(this, sql) }};
        create or replace table {{ tiles }} as {{ eiderdown.windows_tiles(sql, facts) }};
        {{ eiderdown.comment_on(tiles, made_with) }}
    {%- else %}
        {{ eiderdown.windows_incremental(this, tiles, sql, model.columns.keys() | list) }}
    {%- endif %}
{%- endmacro %}


{# Why a view must be built anew; none where its rows and tiles were made by what would make them now. #}
{% macro windows_obstacle(view, tiles, made_with) %}
    {%- if should_full_refresh() -%}
        {{ return("as --full-refresh asks") }}
    {%- endif -%}
    {%- set states = eiderdown.recorded_states([view, tiles]) -%}
    {%- set rows = states[view.schema ~ '.' ~ view.identifier] -%}
    {%- set recorded = states[tiles.schema ~ '.' ~ tiles.identifier] -%}
    {%- if not rows.columns -%}
        {{ return("the first") }}
    {%- elif not recorded.columns -%}
        {{ return("since its tiles, " ~ tiles ~ ", are not there") }}
    {%- elif rows.recorded.fingerprint != made_with.fingerprint or recorded.recorded.fingerprint != made_with.fingerprint -%}
        {{ return("since its meaning, or that of its upstream, has changed") }}
    {%- elif recorded.recorded.contract != made_with.contract -%}
        {{ return("since its contract has changed") }}
    {%- elif recorded.recorded.sql != made_with.sql -%}
        {{ return("since the platform computes it in another way") }}
    {%- endif -%}
    {{ return(none) }}
{% endmacro %}
