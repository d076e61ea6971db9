select
    tickets.ticket,
    tickets.opened_at,
    votes.reach,
    tickets.urgency
from {{ ref('tickets') }} as tickets
inner join {{ ref('urgency_votes') }} as votes using (ticket)
