{{ eiderdown.feature_views([
    ref('plane_activity', v=1),
    ref('plane_activity', v=2),
    ref('origin_activity'),
    ref('carrier_activity'),
    ref('route_activity'),
    ref('origin_weather'),
    ref('departure'),
]) }}
