select
    account,
    known_at as event_at,
    known_at,
    {% for place in range(20) -%}
    x{{ '%02d' % place }} as narrow_{{ '%02d' % place }}{% if not loop.last %},{% endif %}
    {% endfor %}
from {{ ref('days') }}
