-- Made up: what is known of 100,000 accounts on two days, in 50 numbers from 0 to 1.
select
    account,
    timestamptz '2026-01-01T00:00:00Z' + to_days(2 * day) as known_at,
    {% for place in range(50) -%}
    hash(account, day, {{ place }}) % 100000 / 100000.0 as x{{ '%02d' % place }}
    {%- if not loop.last %},{% endif %}
    {% endfor %}
from range(100000) as accounts (account), range(2) as days (day)
