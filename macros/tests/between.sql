{# Values that lie outside a closed range; nulls pass. #}
{% test between(model, column_name, least, greatest) %}
    select {{ column_name }}
    from {{ model }}
    where not {{ column_name }} between {{ least }} and {{ greatest }}
{% endtest %}
