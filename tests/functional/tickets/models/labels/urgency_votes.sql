select
    tickets.ticket,
    tickets.opened_at,
    case when subject like '%outage%' then 'high' when subject like '%slow%' then 'normal' when subject like '%typo%' then 'low' end as trouble,
    case when subject like '% now%' then 'high' when subject like '%soon%' then 'normal' when subject like '%whenever%' then 'low' end as haste,
    case when subject like '%everybody%' then 'high' when subject like '%some%' then 'normal' when subject like '%one%' then 'low' end as reach,
    case when subject like '%one%' then 'low' when subject like '%some%' then 'normal' when subject like '%everybody%' then 'high' end as reach_again,
    case when subject like '%help%' then 'high' when subject like '%please%' then 'normal' when subject like '%thanks%' then 'low' end as tone,
    read_aloud.shouting,
    null as silent
from {{ ref('tickets') }} as tickets
left join {{ ref('read_aloud') }} as read_aloud using (ticket)
