select
    account,
    known_at as event_at,
    known_at,
    {% for place in range(50) -%}
    x{{ '%02d' % place }} as wide_{{ '%02d' % place }}{% if not loop.last %},{% endif %}
    {% endfor %}
from {{ ref('days') }}
