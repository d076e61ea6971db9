-- Made up: how urgent a ticket is shows in its words, of which some are missing and some mislead.
with tickets as (
    select ticket, ['low', 'normal', 'high'][cast(1 + ticket * 7 % 3 as integer)] as urgency from range(1500) as tickets (ticket)
),

noticed as (
    select
        *,
        list_transform(
            range(5),
            lambda word: case
                when hash(ticket, word) % 100 < 30 then null
                when hash(ticket, word) % 1000 < 700 + word * 20 then urgency
                else ['low', 'normal', 'high'][cast(1 + hash(word, ticket) % 3 as integer)]
            end
        ) as words
    from tickets
)

select
    't' || lpad(ticket::varchar, 4, '0') as ticket,
    timestamptz '2026-01-01T00:00:00Z' + to_hours(ticket) as opened_at,
    urgency,
    concat_ws(
        ' ',
        map {'low': 'typo', 'normal': 'slow', 'high': 'outage'}[words[1]],
        map {'low': 'whenever', 'normal': 'soon', 'high': 'now'}[words[2]],
        map {'low': 'one', 'normal': 'some', 'high': 'everybody'}[words[3]],
        map {'low': 'thanks', 'normal': 'please', 'high': 'help'}[words[4]],
        map {'low': '.', 'normal': '!', 'high': '!!!'}[words[5]]
    ) as subject
from noticed
