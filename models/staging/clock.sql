select cast(as_of as timestamptz) as as_of
from {{ source('raw', 'clock') }}
