-- What a dispatcher says two hours before departure: will the flight arrive late? One column a rule, null where it does
-- not know. No outcome of the flight is read, so those that have yet to land, or never left, are judged as well.
with spine as (

    select
        flights.flight_id,
        flights.tailnum,
        flights.carrier,
        flights.origin,
        flights.dest,
        flights.sched_dep_at,
        flights.sched_dep_at - interval 2 hours as predicted_at
    from {{ ref('flights') }} as flights
    cross join {{ ref('clock') }} as clock
    where flights.sched_dep_at - interval 2 hours <= clock.as_of

),

known as (

    {{ eiderdown.point_in_time('spine', [
        ref('plane_activity', v=2),
        ref('origin_activity'),
        ref('carrier_activity'),
        ref('route_activity'),
        ref('origin_weather'),
        ref('departure'),
    ]) }}

),

final as (

    select
        flight_id,
        origin,
        predicted_at,
        -- Its plane lands elsewhere less than two hours before: it cannot be back.
        case when turnaround_hours between 0 and 2 then true end as plane_is_out,
        case when last_departure_delay >= 30 and turnaround_hours between 2 and 6 then true end as plane_left_late,
        case when local_hour >= 9 and turnaround_hours between 9 and 24 then false end as plane_has_time,
        case
            when origin_mean_departure_delay_last_hour >= 20 then true
            when origin_mean_departure_delay_last_hour < 5 then false
        end as airport_backs_up,
        -- Much the same by another measure, as two people write it: the label model is to count it once.
        case
            when origin_share_departed_late >= 0.4 then true
            when origin_share_departed_late <= 0.1 then false
        end as airport_departs_late,
        -- Worse than the others at this airport, or a good day all over.
        case
            when carrier_departures >= 10 and carrier_mean_departure_delay >= origin_mean_departure_delay + 10 then true
            when carrier_departures >= 10 and carrier_share_arrived_late <= 0.1 then false
        end as carrier_today,
        case
            when route_share_arrived_late >= 0.4 then true
            when route_share_arrived_late <= 0.15 then false
        end as route_last_week,
        case
            when visibility < 3 or precipitation >= 0.05 then true
            -- Wings are de-iced.
            when temperature <= 34 and (precipitation > 0 or visibility < 5) then true
            -- Thunderstorms of a summer afternoon.
            when temperature >= 75 and humidity >= 60 and local_hour >= 14 then true
            when visibility >= 10 and precipitation = 0 and wind_speed < 15 then false
        end as weather,
        case when pressure < 1003 then true when pressure > 1025 then false end as barometer,
        -- Planes stood here overnight, and no delay of the day has reached them.
        case when local_hour < 9 then false end as first_wave,
        case when weekday = 6 then false end as saturday
    from known

)

select * from final
