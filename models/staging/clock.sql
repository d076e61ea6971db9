select
    cast(as_of as timestamptz) as as_of,
    cast(replay as boolean) as replay
from {{ source('raw', 'clock') }}
