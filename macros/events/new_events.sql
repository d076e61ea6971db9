{#
    Events read once: what to put in the place of source('events', kind), so that a table reads the files that it has not
    read whole.

    Files only grow, so one is known by its name and size. What a table has read is in the comment on it, {files: {name:
    bytes}}, written with its rows in one transaction: a run that is killed has read nothing. Sizes are taken before the
    files are read. A line that comes in between is read now, and the file once more by the next run; so the model leaves
    out the events that its table holds.

    kind: of the events. The model that calls it is `registered` and has a primary key. --full-refresh reads all files.
#}
{% macro new_events(kind) -%}
    {{ config(post_hook="{{ eiderdown.remember_files() }}") }}
    {%- if not execute -%}{{ return(source('events', kind)) }}{%- endif -%}
    {%- set files = eiderdown.event_sizes(kind) -%}
    {%- set read = {} if should_full_refresh() else eiderdown.files_read(this) -%}
    {{ eiderdown.event_lines(source('events', kind), kind, eiderdown.changed_files(files, read)) }} /* eiderdown.files {{ tojson(files) }} */
{%- endmacro %}


{# A post-hook, that of new_events(): what the table has read by now. #}
{% macro remember_files() -%}
    {%- if execute -%}
        {%- set found = modules.re.search('/\\* eiderdown\\.files (\\{.*?\\}) \\*/', model.compiled_code) -%}
        {{ eiderdown.comment_on(this, {'files': fromjson(found.group(1))}) }}
    {%- endif -%}
{%- endmacro %}


{# The event files of a kind as they are now, {name: bytes}, without the empty ones. No content is read. #}
{% macro event_sizes(kind) -%}
    {%- set query -%}
        select parse_filename(filename), size
        from read_blob({{ eiderdown.literal(eiderdown.event_pattern(kind)) }})
        where size > 0
        order by filename
    {%- endset -%}
    {%- set files = {} -%}
    {%- for row in run_query(query).rows -%}
        {%- do files.update({row[0]: row[1] | int}) -%}
    {%- endfor -%}
    {{ return(files) }}
{%- endmacro %}


{# What a table has read, {name: bytes}, as its comment says. #}
{% macro files_read(relation) -%}
    {{ return(eiderdown.recorded_states([relation]).values() | map(attribute='recorded.files', default={}) | first or {}) }}
{%- endmacro %}


{# The names of the files whose size is not the one that was read. #}
{% macro changed_files(files, read) -%}
    {%- set changed = [] -%}
    {%- for name, size in files.items() if read.get(name) != size -%}
        {%- do changed.append(name) -%}
    {%- endfor -%}
    {{ return(changed) }}
{%- endmacro %}


{# A source of events over some of its files; over the empty one, which is always there, where none are named. #}
{% macro event_lines(source, kind, names) -%}
    {%- set pattern = eiderdown.event_pattern(kind) -%}
    {%- set paths = [] -%}
    {%- for name in names or ['none.jsonl'] -%}
        {%- do paths.append(eiderdown.literal(pattern.rsplit('/', 1)[0] ~ '/' ~ name)) -%}
    {%- endfor -%}
    {{ return((source | string).replace(eiderdown.literal(pattern), '[' ~ paths | join(', ') ~ ']')) }}
{%- endmacro %}


{# Where the files of a kind of events lie. A name that begins with a dot is that of a file which is being written. #}
{% macro event_pattern(kind) -%}
    {{ return(eiderdown.home() ~ '/events/' ~ kind ~ '/[!.]*.jsonl') }}
{%- endmacro %}
