"""Orders of ten days, and faults planted in the seventh and eighth of them."""

from dataclasses import dataclass, field

DAYS = 10
ROWS = 400
"""Of a day."""
REFERENCE_DAYS = 4
FAULTY_DAYS = (6, 7)
FIRST_DAY = "2024-03-01"

MILES = (94, 187, 229, 416, 502, 733, 762, 1005, 1089, 1416, 1598, 2153, 2475)
"""The routes."""
# Numbers come from hashes, so they are the same everywhere. Carriers have shares from 25 % to 2 %; amounts and distances go
# together; every tenth order has no weight.
ORDERS = """
with numbers as (
    select
        i,
        cast(i // {rows} as integer) as day,
        [md5_number_lower('{seed} ' || k || ' ' || i) / 18446744073709551616.0 for k in range(14)] as u,
        day in {faulty} as is_faulty
    from range({days} * {rows}) as orders (i)
),

normal as (
    select *, [sqrt(-2 * ln(1 - u[2 * k + 1])) * cos(2 * pi() * u[2 * k + 2]) for k in range(4)] as z
    from numbers
)

select
    '{seed}-' || i as order_id,
    timestamptz '{first_day}T00:00:00Z' + to_days(day) + to_seconds((i % {rows}) * 86400 // {rows}) as sold_at,
    exp(3 + 0.4 * z[1] + 0.6 * z[2]) as amount,
    {miles}[1 + cast(floor(13 / (1 + exp(-1.7 * z[2]))) as integer)] as distance,
    55 + 15 * z[3] as temperature,
    ['UA', 'B6', 'EV', 'DL', 'AA', 'MQ', 'US', 'VX'][
        1 + len(list_filter([.25, .45, .63, .78, .9, .95, .98], lambda share: share <= u[9]))
    ] as carrier,
    chr(65 + cast(floor(u[10] * 26) as integer)) || lpad(cast(cast(floor(u[11] * 1000) as integer) as varchar), 3, '0') as code,
    u[12] < 0.3 as is_member,
    range(1 + cast(floor(u[7] * 4) as integer)) as items,
    if(u[13] < 0.1, null, 1 + 20 * u[8]) as weight,
    sold_at + to_minutes(cast(60 + 600 * u[14] as integer)) as promised_at,
    -- What only faults use.
    is_faulty,
    i,
    z[4] as other,
    md5_number_lower('{seed} fault ' || i) / 18446744073709551616.0 as chance
from normal
"""
COLUMNS = {
    "order_id": "varchar",
    "sold_at": "timestamptz",
    "amount": "double",
    "distance": "integer",
    "temperature": "double",
    "carrier": "varchar",
    "code": "varchar",
    "is_member": "boolean",
    "items": "bigint[]",
    "weight": "double",
    "promised_at": "timestamptz",
}
CORE = ("order_id", "sold_at", "amount", "temperature", "carrier")
"""What every relation has; the control has all columns, others those that the fault is in."""
DECLARED = {
    "amount": {"domain": {"min": 0}, "presence": {"min_fraction": 1}},
    "distance": {"domain": {"min": 1, "max": 20_000}},
    "temperature": {"domain": {"min": -50, "max": 150}},
    "carrier": {"domain": ["UA", "B6", "EV", "DL", "AA", "MQ", "US", "VX"]},
    "code": {"domain": {"pattern": "[A-Z][0-9]{3}"}},
    "items": {"valency": {"min": 1, "max": 4}},
    "weight": {"domain": {"min": 0}, "presence": {"min_fraction": 0.8}},
}


@dataclass(frozen=True)
class PlantedFault:
    """A fault in orders, or in what is served, and what is to be found of it."""

    name: str
    features: tuple[str, ...]
    """Where it may rightly be found; the classifier's `(all)` may always find it."""
    change: str = ""
    """Of a row: what its columns become where `is_faulty`, as {column: expression}."""
    rows: str = "true"
    """Which rows come."""
    again: str = ""
    """A select of further rows of `orders`."""
    slices: tuple[str, ...] = ()
    found_by: frozenset[str] = field(default_factory=frozenset)
    """What must find it, among others: kinds of anomalies and methods of drift. Nothing: it is not found."""
    reason: str = ""
    """Why it is not found."""

    @property
    def columns(self) -> list[str]:
        """Those of its relation."""
        return [name for name in COLUMNS if name in (*CORE, *self.features, *self.slices) or self is FAULTS[0]]

    def query(self) -> str:
        """The rows, as a dbt model."""
        orders = ORDERS.format(
            seed=self.name.replace("'", ""),
            days=DAYS,
            rows=ROWS,
            faulty=FAULTY_DAYS,
            first_day=FIRST_DAY,
            miles=list(MILES),
        )
        changed = f"replace ({self.change})" if self.change else ""
        return (
            f"with orders as ({orders}), chosen as (select * from orders where {self.rows} {self.again}), "
            f"changed as (select * {changed} from chosen) select {', '.join(self.columns)} from changed"
        )


def _changed(
    name: str, column: str, value: str, *found_by: str, share: float = 1, reason: str = "", **more: object
) -> PlantedFault:
    """A column that has another value in a share of the faulty rows."""
    rows = "is_faulty" if share == 1 else f"is_faulty and chance < {share}"
    change = f"if({rows}, {value}, {column}) as {column}"
    return PlantedFault(name, (column,), change, found_by=frozenset(found_by), reason=reason, **more)  # type: ignore[arg-type]


def _rows(name: str, *found_by: str, features: tuple[str, ...] = ("(all)",), **more: object) -> PlantedFault:
    return PlantedFault(name, features, found_by=frozenset(found_by), **more)  # type: ignore[arg-type]


AGAIN = f"""union all
    select * replace (sold_at + interval 2 days as sold_at, promised_at + interval 2 days as promised_at)
    from orders where i // {ROWS} + 2 in {FAULTY_DAYS}"""
FAULTS = (
    PlantedFault("no fault", ()),
    _rows("the feed stops", "no_rows", rows="not is_faulty"),
    _rows("half of the rows are lost", "few_rows", rows="not (is_faulty and i % 2 = 0)"),
    _rows("every row comes twice", "duplicate_key", again="union all select * from orders where is_faulty"),
    _changed("a column is null", "weight", "null", "never_present"),
    _changed("20 % more nulls", "weight", "null", "low_fraction_present", share=0.2),
    _changed("miles become kilometres", "distance", "cast(distance * 1.609344 as integer)", "unit_change"),
    _rows(
        "a carrier of 12 % disappears",
        "value_disappeared",
        features=("carrier",),
        rows="not (is_faulty and carrier = 'AA')",
    ),
    _rows(
        "a carrier of 2 % disappears",
        features=("carrier",),
        rows="not (is_faulty and carrier = 'VX')",
        reason="8 rows a day are expected, a disappearance takes 30; drift tolerates 5 % of the rows",
    ),
    _changed("an unknown carrier", "carrier", "'ZZ'", "out_of_domain", share=0.03),
    _changed("carriers in lower case", "carrier", "lower(carrier)", "out_of_domain"),
    _changed("-999 for a value", "temperature", "-999", "below_range", share=0.01),
    _changed("NaN", "amount", "'nan'", "nan", share=0.01),
    _changed("infinities", "amount", "'inf'", "infinite", share=0.01),
    _changed("dollars become cents", "amount", "amount * 100", "unit_change"),
    _changed("a sensor is stuck", "temperature", "54.5", "constant"),
    _changed("the mean moves by half a standard deviation", "temperature", "temperature + 7.5", "ks"),
    _changed("the standard deviation doubles", "temperature", "55 + 2 * (temperature - 55)", "ks"),
    _changed(
        "the variance doubles",
        "temperature",
        "55 + sqrt(2) * (temperature - 55)",
        "classifier_auc",
    ),
    _changed("nulls become 0", "weight", "coalesce(weight, 0)", "missing"),
    PlantedFault(
        "two columns are swapped",
        ("amount", "temperature"),
        "if(is_faulty, temperature, amount) as amount, if(is_faulty, amount, temperature) as temperature",
        found_by=frozenset({"ks"}),
    ),
    _changed("a format changes", "code", "lower(code)", "pattern", share=0.02),
    _changed("empty lists", "items", "[]", "short_list", share=0.02),
    _changed("long lists", "items", "range(30)", "long_list", share=0.02),
    PlantedFault(
        "times of the future",
        ("(all)",),
        "if(is_faulty and chance < 0.02, sold_at + interval 10 years, sold_at) as sold_at",
        found_by=frozenset({"future_rows"}),
    ),
    _changed("a time zone is lost", "promised_at", "promised_at + interval 5 hours", "ks"),
    _changed("a flag is turned round", "is_member", "not is_member", "l_infinity"),
    _changed(
        "two columns no longer go together",
        "distance",
        f"{list(MILES)}[1 + cast(floor(13 / (1 + exp(-1.7 * other))) as integer)]",
        "classifier_auc",
    ),
    PlantedFault(
        "one slice moves",
        ("temperature",),
        "if(is_faulty and is_member, temperature + 12, temperature) as temperature",
        slices=("is_member",),
        found_by=frozenset({"ks"}),
    ),
    _rows(
        "the rows of two days before come again",
        features=("order_id",),
        rows="not is_faulty",
        again=AGAIN,
        reason="a key is looked for within its window, and the values are like those of any day",
    ),
)
