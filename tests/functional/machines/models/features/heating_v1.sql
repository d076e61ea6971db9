select temperature > mean_temperature as is_heating
from {{ eiderdown.request() }}
