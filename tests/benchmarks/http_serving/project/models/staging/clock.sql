select timestamptz '{{ var("as_of") }}' as as_of, false as replay
