def model(dbt, session):
    dbt.config(materialized="table")
    tickets = dbt.ref("tickets")
    rows = tickets.select("ticket, subject").to_arrow_table()
    votes = []
    for subject in rows.column("subject").to_pylist():
        shouts = subject.count("!")
        votes.append("high" if shouts > 1 else "normal" if shouts else "low" if subject.endswith(".") else None)
    return rows.append_column("shouting", [votes]).drop_columns(["subject"])
