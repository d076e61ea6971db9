{#
    Statements that build the windows() view that is running, or bring it up to date, with its tiles in
    main.<schema>_<view>_tiles. In one transaction with the view: tiles and rows cannot disagree. (Schema main is always there:
    of two models that create one at the same time, DuckDB refuses the second.)

    Rows that were pushed stand in the view too, and are kept in main.<schema>_<view>_pushed as they were added: an incremental
    run deletes those that lie where it computes, and add_pushed() puts all in again. So only where one has gone since (the
    clock was put back) must the view be built anew.

    facts: what windows_facts() gives. fingerprint: that of the view. pushed: what pushed_to() gives. The log says
    which of the two it is, and why.
#}
{% macro build_windows(sql, facts, fingerprint, pushed) -%}
    {%- set tiles = eiderdown.beside(this, 'tiles') -%}
    {%- set kept = eiderdown.beside(this, 'pushed') -%}
    {%- set made_with = {
        'fingerprint': fingerprint.fingerprint,
        'contract': local_md5(get_table_columns_and_constraints()),
        'sql': local_md5(sql),
    } -%}
    {%- set obstacle = eiderdown.windows_obstacle(this, tiles, made_with, kept, pushed) -%}
    {%- do log(this ~ ": " ~ ("full build, " ~ obstacle if obstacle else "incremental"), info=obstacle is not none) -%}
    {%- if obstacle %}
        {{ eiderdown.replace_table(this, sql) }};
        create or replace table {{ tiles }} as {{ eiderdown.windows_tiles(sql, facts) }};
        {{ eiderdown.comment_on(tiles, made_with) }}
    {%- else %}
        {{ eiderdown.windows_incremental(this, tiles, sql, model.columns.keys() | list) }}
    {%- endif %};
    {%- if pushed %}
        create or replace table {{ kept }} as {{ pushed }}
    {%- else %}
        drop table if exists {{ kept }}
    {%- endif %}
{%- endmacro %}


{# A table of the platform's own beside a view. #}
{% macro beside(view, what) %}
    {{ return(api.Relation.create(
        database=view.database, schema='main', identifier=view.schema ~ '_' ~ view.identifier ~ '_' ~ what
    )) }}
{% endmacro %}


{# Why a view must be built anew; none where its rows and tiles were made by what would make them now. #}
{% macro windows_obstacle(view, tiles, made_with, kept, pushed) %}
    {%- if should_full_refresh() -%}
        {{ return("as --full-refresh asks") }}
    {%- endif -%}
    {%- set states = eiderdown.recorded_states([view, tiles, kept]) -%}
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
    {%- elif states[kept.schema ~ '.' ~ kept.identifier].columns and eiderdown.has_gone(kept, pushed) -%}
        {{ return("since rows that were pushed are not to be in it any more") }}
    {%- endif -%}
    {{ return(none) }}
{% endmacro %}


{# Whether a row of a table is not in a select statement, or there is none. #}
{% macro has_gone(kept, select) %}
    {{ return(not select or run_query("select exists(from " ~ kept ~ " except (" ~ select ~ "))").rows[0][0]) }}
{% endmacro %}
