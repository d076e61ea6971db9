def model(dbt, session):
    from ml.scoring.hold_out import score_hold_out

    dbt.config(materialized="registered")
    versions = dbt.ref("flight_delay_weak")
    datasets = dbt.ref("datasets")
    return score_hold_out(dbt, session, versions, datasets)
